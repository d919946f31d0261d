using Ramet.Kernel.Files;
using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>What a new mapping shows and allows.</summary>
public sealed record MappingRequest
{
    /// <summary>Wanted address: a hint, or the place itself with MAP_FIXED.</summary>
    public ulong Address { get; init; }

    /// <summary>Bytes; rounded up to whole pages.</summary>
    public required ulong Length { get; init; }

    /// <summary>PROT_*.</summary>
    public MemoryProtection Protection { get; init; }

    /// <summary>MAP_*.</summary>
    public MappingFlags Flags { get; init; }

    /// <summary>What is mapped; null for private anonymous memory.</summary>
    public MemoryObject? Object { get; init; }

    /// <summary>Offset in the object in bytes, a multiple of 4096.</summary>
    public long Offset { get; init; }

    /// <summary>The name that it was opened by, for /proc/pid/maps.</summary>
    public Dentry? Dentry { get; init; }

    /// <summary>Name in brackets for /proc/pid/maps.</summary>
    public string? Label { get; init; }

    /// <summary>Whether a shared mapping may become writable.</summary>
    public bool MayWrite { get; init; } = true;

    /// <summary>Initial attributes.</summary>
    public AreaFlags AreaFlags { get; init; }
}

/// <summary>mmap, munmap, mprotect, mremap, brk.</summary>
public sealed partial class AddressSpace
{
    /// <summary>Areas of one address space (vm.max_map_count).</summary>
    internal const int MaxAreas = 65530;

    // The new one, and what lies at the new place and the old one cut in two.
    private const int MostCutsOfMove = 3;

    /// <summary>mmap(2). Errors: EINVAL, ENOMEM, EEXIST (MAP_FIXED_NOREPLACE), EPERM below <see cref="LowestMapping"/>.</summary>
    public Errno Map(MappingRequest request, out ulong address)
    {
        address = 0;
        ulong length = (request.Length + PageMask) & ~PageMask;
        if (request.Length == 0) return Errno.EINVAL;
        if (length == 0 || length > PageTables.UserEnd) return Errno.ENOMEM;
        bool shared = (request.Flags & MappingFlags.MAP_TYPE) != MappingFlags.MAP_PRIVATE;
        bool isFixed = (request.Flags & (MappingFlags.MAP_FIXED | MappingFlags.MAP_FIXED_NOREPLACE)) != 0;
        bool reserves = (request.Protection & MemoryProtection.PROT_WRITE) != 0 && !shared && (request.Flags & MappingFlags.MAP_NORESERVE) == 0;
        // What can never fit is refused at once, as Linux does by heuristic (overcommit_memory 0); the rest is settled when it is touched.
        if (reserves && length > _kernel.Limits.MemoryBytes) return Errno.ENOMEM;
        if (!HasRoomFor(1)) return Errno.ENOMEM;

        ulong start = request.Address;
        if (isFixed)
        {
            if ((start & PageMask) != 0) return Errno.EINVAL;
            if (start > PageTables.UserEnd || PageTables.UserEnd - start < length) return Errno.ENOMEM;
            if (start < LowestMapping) return Errno.EPERM;
            if ((request.Flags & MappingFlags.MAP_FIXED_NOREPLACE) != 0 && !IsFree(start, start + length)) return Errno.EEXIST;
        }
        else
        {
            start = Place(start & ~PageMask, length, (request.Flags & MappingFlags.MAP_32BIT) != 0, LargePhase(request));
            if (start == 0) return Errno.ENOMEM;
        }

        if (isFixed)
        {
            if (IsCutInTwo(start, start + length) && !HasRoomFor(2)) return Errno.ENOMEM;
            RemoveRange(start, start + length);
        }

        Insert(new VirtualMemoryArea(this, start, start + length, request.Protection & (MemoryProtection)7, shared)
        {
            Object = request.Object,
            FirstPage = request.Offset >> 12,
            Dentry = request.Dentry,
            Label = request.Label,
            MayWrite = request.MayWrite,
            Flags = request.AreaFlags,
        });
        FinishRevocation();
        address = start;
        if ((request.Flags & (MappingFlags.MAP_POPULATE | MappingFlags.MAP_LOCKED)) != 0) PopulateRange(start, start + length);
        return Errno.None;
    }

    /// <summary>munmap(2). ENOMEM when it would leave more areas than there may be, which only a hole in one of them does.</summary>
    public Errno Unmap(ulong address, ulong length)
    {
        if (!TryRange(address, length, out ulong end) || length == 0) return Errno.EINVAL;
        if (!HasRoomFor(1) && IsCutInTwo(address, end)) return Errno.ENOMEM;
        RemoveRange(address, end);
        FinishRevocation();
        return Errno.None;
    }

    /// <summary>mprotect(2). ENOMEM where nothing is mapped, or when there would be too many areas; EACCES for writing to a shared mapping of a read-only file.</summary>
    public Errno Protect(ulong address, ulong length, MemoryProtection protection)
    {
        if (!TryRange(address, length, out ulong end)) return (address & PageMask) != 0 ? Errno.EINVAL : Errno.ENOMEM;
        if (address == end) return Errno.None;
        if (!IsMapped(address, end)) return Errno.ENOMEM;
        for (int i = FirstEndingAfter(address); i < _areas.Count && _areas[i].Start < end; i++)
        {
            var area = _areas[i];
            if ((protection & MemoryProtection.PROT_WRITE) != 0 && area.IsShared && !area.MayWrite) return Errno.EACCES;
        }

        if (!HasRoomFor(2) && !HasRoomFor((CutBy(address) is { } lower && lower.Protection != protection ? 1 : 0)
                                              + (CutBy(end) is { } upper && upper.Protection != protection ? 1 : 0))) return Errno.ENOMEM;
        SplitAt(address);
        SplitAt(end);
        int first = FirstEndingAfter(address);
        for (int i = first; i < _areas.Count && _areas[i].Start < end; i++)
        {
            var area = _areas[i];
            if (area.Protection == protection) continue;
            area.Protection = protection;
            ProtectPages(area);
        }

        for (int i = Math.Min(_areas.Count - 1, FirstEndingAfter(end)); i >= 0 && i >= first - 1; i--) TryMerge(i);
        FinishRevocation();
        return Errno.None;
    }

    /// <summary>mremap(2).</summary>
    public Errno Remap(ulong address, ulong oldLength, ulong newLength, RemapFlags flags, ulong newAddress, out ulong result)
    {
        result = 0;
        newLength = (newLength + PageMask) & ~PageMask;
        oldLength = (oldLength + PageMask) & ~PageMask;
        bool isFixed = (flags & RemapFlags.MREMAP_FIXED) != 0;
        bool mayMove = (flags & RemapFlags.MREMAP_MAYMOVE) != 0;
        if ((address & PageMask) != 0 || newLength == 0 || (isFixed && !mayMove) || (flags & ~(RemapFlags)7) != 0) return Errno.EINVAL;
        if ((flags & RemapFlags.MREMAP_DONTUNMAP) != 0 && (!mayMove || oldLength != newLength)) return Errno.EINVAL;
        if (newLength > PageTables.UserEnd) return Errno.ENOMEM;
        var area = FindArea(address);
        if (area is null) return Errno.EFAULT;
        if (oldLength == 0)
        {
            // A second view of a shared mapping.
            if (!area.IsShared || !mayMove) return Errno.EINVAL;
        }
        else if (address + oldLength > area.End || address + oldLength < address)
        {
            return Errno.EFAULT;
        }

        if (newLength > _kernel.Limits.MemoryBytes && !area.IsShared && (area.Flags & AreaFlags.NoReserve) == 0
            && (area.Protection & MemoryProtection.PROT_WRITE) != 0)
        {
            return Errno.ENOMEM;
        }

        if (isFixed)
        {
            if ((newAddress & PageMask) != 0 || newAddress < LowestMapping || newAddress > PageTables.UserEnd - newLength) return Errno.EINVAL;
            if (newAddress < address + oldLength && address < newAddress + newLength) return Errno.EINVAL;
            if (!HasRoomFor(MostCutsOfMove)) return Errno.ENOMEM;
            RemoveRange(newAddress, newAddress + newLength);
        }
        else if (newLength <= oldLength && (flags & RemapFlags.MREMAP_DONTUNMAP) == 0)
        {
            if (!HasRoomFor(1) && IsCutInTwo(address + newLength, address + oldLength)) return Errno.ENOMEM;
            if (newLength < oldLength) RemoveRange(address + newLength, address + oldLength);
            FinishRevocation();
            result = address;
            return Errno.None;
        }
        else if (oldLength != 0 && address + oldLength == area.End && (flags & RemapFlags.MREMAP_DONTUNMAP) == 0
                 && address + newLength <= PageTables.UserEnd && IsFree(area.End, address + newLength))
        {
            MappedBytes += newLength - oldLength;
            area.End = address + newLength;
            int index = FirstEndingAfter(area.Start);
            TryMerge(index);
            result = address;
            return Errno.None;
        }
        else if (!mayMove)
        {
            return Errno.ENOMEM;
        }
        else
        {
            if (!HasRoomFor(MostCutsOfMove)) return Errno.ENOMEM;
            newAddress = FindFree(newLength, MmapTop);
            if (newAddress == 0) return Errno.ENOMEM;
        }

        var error = Move(address, oldLength, newAddress, newLength, (flags & RemapFlags.MREMAP_DONTUNMAP) != 0);
        FinishRevocation();
        result = newAddress;
        return error;
    }

    /// <summary>brk(2): moves the end of the heap if it can; returns where it is.</summary>
    public ulong SetBrk(ulong end, ulong dataLimit)
    {
        if (end < BrkStart || end - BrkStart > dataLimit) return BrkEnd;
        ulong oldPage = (BrkEnd + PageMask) & ~PageMask;
        ulong newPage = (end + PageMask) & ~PageMask;
        if (newPage > oldPage)
        {
            if (newPage - BrkStart > _kernel.Limits.MemoryBytes || newPage > PageTables.UserEnd || !IsFree(oldPage, newPage) || !HasRoomFor(1)) return BrkEnd;
            Insert(new VirtualMemoryArea(this, oldPage, newPage, MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE, shared: false) { Label = "[heap]" });
        }
        else if (newPage < oldPage)
        {
            RemoveRange(newPage, oldPage);
            FinishRevocation();
        }

        return BrkEnd = end;
    }

    /// <summary>Whether a whole range is mapped.</summary>
    internal bool IsMapped(ulong start, ulong end)
    {
        for (int i = FirstEndingAfter(start); start < end; i++)
        {
            if (i >= _areas.Count || _areas[i].Start > start) return false;
            start = _areas[i].End;
        }

        return true;
    }

    /// <summary>Whether there may be so many areas more, here and in the sandbox.</summary>
    private bool HasRoomFor(int areas) => _areas.Count + areas <= MaxAreas && _kernel.AreaCount + areas <= _kernel.MaxAreaCount;

    /// <summary>Whether a range lies within one area and neither begins nor ends with it: without it there are two.</summary>
    private bool IsCutInTwo(ulong start, ulong end) => FindArea(start) is { } area && area.Start < start && end < area.End;

    /// <summary>The area that a boundary at an address would cut in two.</summary>
    private VirtualMemoryArea? CutBy(ulong address) => FindArea(address) is { } area && area.Start < address ? area : null;

    private static bool TryRange(ulong address, ulong length, out ulong end)
    {
        end = 0;
        if ((address & PageMask) != 0 || length > PageTables.UserEnd || address > PageTables.UserEnd) return false;
        end = address + ((length + PageMask) & ~PageMask);
        return end <= PageTables.UserEnd;
    }

    private ulong Place(ulong hint, ulong length, bool low, ulong? largePhase)
    {
        if (hint >= LowestMapping && hint <= PageTables.UserEnd - length && IsFree(hint, hint + length)) return hint;
        if (!low && largePhase is { } phase && FindFree(length + PageTables.LargePageSize, MmapTop) is var room and not 0)
        {
            ulong highest = room + PageTables.LargePageSize;
            return highest - ((highest - phase) & LargeMask);
        }

        if (low) return FindFree(length, 0x8000_0000);
        ulong place = FindFree(length, MmapTop);
        return place != 0 ? place : FindFree(length, PageTables.UserEnd);
    }

    private void RemoveRange(ulong start, ulong end)
    {
        int first = FirstEndingAfter(start);
        if (first >= _areas.Count || _areas[first].Start >= end) return;
        SplitAt(start);
        SplitAt(end);
        first = FirstEndingAfter(start);
        int last = first;
        for (; last < _areas.Count && _areas[last].Start < end; last++) DropArea(_areas[last]);
        _areas.RemoveRange(first, last - first);
        _kernel.AreaCount -= last - first;
        if (end - start >= 1 << 21) FreeTables(start, end);
    }

    /// <summary>Frees tables that hold nothing any more. No virtual CPU may go on looking for pages in them, also when no page was taken out just now.</summary>
    private void FreeTables(ulong start, ulong end)
    {
        int before = _tables.TableCount;
        _tables.FreeTables(start, end);
        if (_tables.TableCount != before) _kernel.Scheduler.LeaveGuest(this);
    }

    private void ProtectPages(VirtualMemoryArea area)
    {
        for (ulong at = area.Start; at < area.End;)
        {
            ulong leaf = _tables.FindLeaf(at, out ulong next);
            next = Math.Min(area.End, next);
            for (; leaf != 0 && at < next; at += GuestMemory.PageSize)
            {
                int index = PageTables.LeafIndex(at);
                ulong entry = _tables.Entries(leaf)[index];
                if (entry == 0) continue;
                ulong frame = entry & PageTableEntry.AddressMask;
                if (area.Protection == MemoryProtection.PROT_NONE)
                {
                    Hide(leaf, index, area, frame);
                    continue;
                }

                // Never gains writability here: whether the frame is this mapping's own is for the next write fault to find out, unless it is known.
                bool writable = (entry & PageTableEntry.Writable) != 0
                    || (!area.IsShared && frame < GuestMemory.ImageBase && Frames.References(frame) == 1);
                _tables.SetInLeaf(leaf, index, PageTableEntry.ForPage(frame, area.Protection, writable));
            }

            at = next;
        }

        _cacheValid = false;
    }

    /// <summary>PROT_NONE: the page stays, but cannot be reached. It is kept in a not-present entry that holds its frame.</summary>
    private void Hide(ulong leaf, int index, VirtualMemoryArea area, ulong frame)
    {
        if (area.Object is not null && (area.IsShared || frame >= GuestMemory.ImageBase))
        {
            Remove(leaf, index);
            return;
        }

        _tables.SetInLeaf(leaf, index, frame | PageTableEntry.Hidden);
    }
}
