using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>Access to a program's memory whatever its protection: /proc/[pid]/mem and ptrace(2) (Linux: FOLL_FORCE).</summary>
public sealed partial class AddressSpace
{
    private const MemoryProtection AnyAccess = MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE | MemoryProtection.PROT_EXEC;

    /// <summary>Whether some process still has it.</summary>
    internal bool IsAlive => _users > 0;

    /// <summary>Copies from the program. Returns how many bytes could be read.</summary>
    internal int ReadForced(ulong address, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            ulong at = address + (ulong)done;
            var piece = destination.Slice(done, Math.Min(destination.Length - done, GuestMemory.PageSize - (int)(at & PageMask)));
            if (at < address || at >= PageTables.UserEnd || FindArea(at) is not { } area) break;
            int got = (area.Protection & AnyAccess) != 0 ? CopyIn(at, piece) : ReadHidden(area, at, piece);
            done += got;
            if (got < piece.Length) break;
        }

        return done;
    }

    /// <summary>Copies to the program; a private mapping that is read-only gets a page of its own. Returns how many bytes could be written.</summary>
    internal int WriteForced(ulong address, ReadOnlySpan<byte> source)
    {
        int done = 0;
        while (done < source.Length)
        {
            ulong at = address + (ulong)done;
            var piece = source.Slice(done, Math.Min(source.Length - done, GuestMemory.PageSize - (int)(at & PageMask)));
            if (at < address || at >= PageTables.UserEnd || FindArea(at) is not { } area) break;
            int got = (area.Protection & MemoryProtection.PROT_WRITE) != 0 ? CopyOut(at, piece) : WriteProtected(area, at, piece);
            done += got;
            if (got < piece.Length) break;
        }

        return done;
    }

    /// <summary>Bytes of one page that the program itself cannot read.</summary>
    private int ReadHidden(VirtualMemoryArea area, ulong address, Span<byte> destination)
    {
        ulong page = address & ~PageMask;
        ulong entry = _tables.Get(page);
        ulong frame = entry & PageTableEntry.AddressMask;
        if (entry == 0)
        {
            if (area.Object is null)
            {
                destination.Clear();
                return destination.Length;
            }

            if (area.Object.GetPage(area.PageOf(page), forWrite: false, out frame, out _) != Errno.None) return 0;
            if (frame >= GuestMemory.ImageBase && !_kernel.Machine.Memory.TryAttachImage(frame, GuestMemory.PageSize)) return 0;
        }

        if (!_kernel.Machine.Memory.TryGetReadOnlySpan(frame + (address & PageMask), destination.Length, out var bytes)) return 0;
        bytes.CopyTo(destination);
        return destination.Length;
    }

    /// <summary>Bytes of one page that the program itself cannot write.</summary>
    private int WriteProtected(VirtualMemoryArea area, ulong address, ReadOnlySpan<byte> source)
    {
        if (area.IsShared || (area.Flags & AreaFlags.Special) != 0) return 0;
        ulong page = address & ~PageMask;
        var protection = area.Protection;
        area.Protection = AnyAccess;
        var outcome = MapPage(area, page, AccessKind.Write);
        area.Protection = protection;
        ulong leaf = _tables.FindLeaf(page);
        if (leaf == 0) return 0;
        int index = PageTables.LeafIndex(page);
        ulong frame = _tables.Entries(leaf)[index] & PageTableEntry.AddressMask;
        int done = 0;
        if (outcome == FaultOutcome.Resolved && _kernel.Machine.Memory.TryGetSpan(frame + (address & PageMask), source.Length, out var bytes))
        {
            source.CopyTo(bytes);
            done = source.Length;
        }

        // Back to what the program may do with it.
        if (frame != 0) _tables.SetInLeaf(leaf, index, (protection & AnyAccess) == 0 ? frame | PageTableEntry.Hidden : PageTableEntry.ForPage(frame, protection, writable: false));
        _cacheValid = false;
        FinishRevocation();
        return done;
    }
}
