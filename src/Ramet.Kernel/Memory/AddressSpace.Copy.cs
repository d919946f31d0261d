using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>Copy-in and copy-out between the kernel and the program's memory, through the program's own page tables.</summary>
public sealed partial class AddressSpace
{
    private const int CacheSize = 64;

    [NotSaved]
    private CachedTranslation[]? _cache;

    [NotSaved]
    private bool _cacheValid;

    private struct CachedTranslation
    {
        public ulong Page;
        public ulong Frame;
        public bool Writable;
    }

    internal int CopyIn(ulong address, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            ulong at = address + (ulong)done;
            int piece = Math.Min(destination.Length - done, GuestMemory.PageSize - (int)(at & PageMask));
            if (!TryTranslate(at, AccessKind.Read, out ulong frame)
                || !_kernel.Machine.Memory.TryGetReadOnlySpan(frame + (at & PageMask), piece, out var bytes))
            {
                break;
            }

            bytes.CopyTo(destination[done..]);
            done += piece;
        }

        return done;
    }

    internal int CopyOut(ulong address, ReadOnlySpan<byte> source)
    {
        int done = 0;
        while (done < source.Length)
        {
            ulong at = address + (ulong)done;
            int piece = Math.Min(source.Length - done, GuestMemory.PageSize - (int)(at & PageMask));
            if (!TryTranslate(at, AccessKind.Write, out ulong frame)
                || !_kernel.Machine.Memory.TryGetSpan(frame + (at & PageMask), piece, out var bytes))
            {
                break;
            }

            source.Slice(done, piece).CopyTo(bytes);
            done += piece;
        }

        return done;
    }

    /// <summary>Reads an aligned 32-bit word of the program at once (futexes). False: EFAULT.</summary>
    public bool TryReadWord(ulong address, out int value)
    {
        value = 0;
        if ((address & 3) != 0
            || !TryTranslate(address, AccessKind.Read, out ulong frame)
            || !_kernel.Machine.Memory.TryGetReadOnlySpan(frame + (address & PageMask), sizeof(int), out var bytes))
        {
            return false;
        }

        value = Volatile.Read(in MemoryMarshal.Cast<byte, int>(bytes)[0]);
        return true;
    }

    /// <summary>
    /// An aligned 32-bit word of the program for atomic operations (<see cref="Interlocked"/>): other threads may change it at any time.
    /// False: EFAULT.
    /// </summary>
    public bool TryGetWord(ulong address, out Span<int> word)
    {
        word = default;
        if ((address & 3) != 0
            || !TryTranslate(address, AccessKind.Write, out ulong frame)
            || !_kernel.Machine.Memory.TryGetSpan(frame + (address & PageMask), sizeof(int), out var bytes))
        {
            return false;
        }

        word = MemoryMarshal.Cast<byte, int>(bytes);
        return true;
    }

    /// <summary>
    /// The frame behind an address, faulted in if it must be. False when the program itself would get a signal there.
    /// </summary>
    internal bool TryTranslate(ulong address, AccessKind access, out ulong frame)
    {
        ulong page = address & ~PageMask;
        bool write = (access & AccessKind.Write) != 0;
        ref var cached = ref CacheSlot(page);
        if (cached.Page == page && cached.Frame != 0 && (cached.Writable || !write))
        {
            frame = cached.Frame;
            return true;
        }

        frame = 0;
        if (page >= PageTables.UserEnd) return false;
        ulong entry = _tables.Get(page);
        if ((entry & PageTableEntry.Present) == 0 || (write && (entry & PageTableEntry.Writable) == 0))
        {
            if (HandleFault(address, access) != FaultOutcome.Resolved) return false;
            entry = _tables.Get(page);
            if ((entry & PageTableEntry.Present) == 0) return false;
        }

        frame = entry & PageTableEntry.AddressMask;
        CacheSlot(page) = new CachedTranslation { Page = page, Frame = frame, Writable = (entry & PageTableEntry.Writable) != 0 };
        return true;
    }

    private ref CachedTranslation CacheSlot(ulong page)
    {
        _cache ??= new CachedTranslation[CacheSize];
        if (!_cacheValid)
        {
            Array.Clear(_cache);
            _cacheValid = true;
        }

        return ref _cache[(int)(page >> 12) & (CacheSize - 1)];
    }
}
