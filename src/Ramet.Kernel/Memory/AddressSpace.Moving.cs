using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>Moving and populating ranges, and what madvise(2) asks for.</summary>
public sealed partial class AddressSpace
{
    /// <summary>Moves a mapping with its pages (mremap).</summary>
    private Errno Move(ulong address, ulong oldLength, ulong newAddress, ulong newLength, bool keepOld)
    {
        var area = FindArea(address)!;
        var moved = area.CloneRange(this, address, area.End);
        var target = new VirtualMemoryArea(this, newAddress, newAddress + newLength, moved.Protection, moved.IsShared)
        {
            MayWrite = moved.MayWrite,
            Flags = moved.Flags,
            Object = moved.Object,
            FirstPage = moved.FirstPage,
            Dentry = moved.Dentry,
            Label = moved.Label,
            AnonymousName = moved.AnonymousName,
        };
        ulong copied = Math.Min(oldLength, newLength);
        if (!TryMakeTables(address, newAddress, copied)) return Errno.ENOMEM;
        for (ulong offset = 0; offset < copied; offset += GuestMemory.PageSize)
        {
            ulong leaf = _tables.FindLeaf(address + offset, out ulong next);
            if (leaf == 0)
            {
                // On to the last page that is missing; the loop adds one more.
                offset = next - address - GuestMemory.PageSize;
                continue;
            }

            int index = PageTables.LeafIndex(address + offset);
            ulong entry = _tables.Entries(leaf)[index];
            if (entry == 0) continue;
            _tables.TrySet(newAddress + offset, entry);
            _tables.SetInLeaf(leaf, index, 0);
        }

        _cacheValid = false;
        _kernel.Scheduler.LeaveGuest(this);
        Insert(target);
        if (!keepOld && oldLength != 0) RemoveRange(address, address + oldLength);
        return Errno.None;
    }

    /// <summary>Makes the tables that what is present of a range needs elsewhere. They come before the first page moves: a move that stops halfway cannot be undone.</summary>
    private bool TryMakeTables(ulong address, ulong newAddress, ulong length)
    {
        for (ulong at = address; at < address + length;)
        {
            ulong leaf = _tables.FindLeaf(at, out ulong next);
            next = Math.Min(next, address + length);
            // What one table holds lies in two of them when it is aligned otherwise.
            if (leaf != 0 && (_tables.MakeLeaf(at - address + newAddress) == 0 || _tables.MakeLeaf(next - GuestMemory.PageSize - address + newAddress) == 0))
            {
                FreeTables(newAddress, newAddress + length);
                return false;
            }

            at = next;
        }

        return true;
    }

    /// <summary>Pages of files that one call of <see cref="PopulateRange"/> looks at: 4 GiB. Those of an image take no memory that would end it, and the kernel lock is held meanwhile.</summary>
    private const int MostPopulated = 1 << 20;

    /// <summary>
    /// Makes the pages of a range present as far as memory allows (MAP_POPULATE, MADV_POPULATE_*, mlock). What lies behind <see cref="MostPopulated"/> pages of files comes when it is
    /// touched, which is all the difference that a program could see.
    /// </summary>
    internal Errno PopulateRange(ulong start, ulong end, bool write = false)
    {
        int left = MostPopulated;
        for (ulong at = start; at < end && left > 0;)
        {
            var area = FindArea(at);
            if (area is null) return Errno.ENOMEM;
            ulong stop = Math.Min(end, area.End);
            if (area.Object is null && (area.Protection & (MemoryProtection)7) != 0) MapAnonymousRange(area, at, stop);
            var access = write || (!area.IsShared && area.Object is not null && (area.Protection & MemoryProtection.PROT_WRITE) != 0) ? AccessKind.Write : AccessKind.Read;
            if (!Allows(area.Protection, access)) return Errno.EFAULT;
            for (; at < stop && left > 0; at += GuestMemory.PageSize)
            {
                if (area.Object is not null) left--;
                var outcome = MapPage(area, at, access);
                if (outcome == FaultOutcome.OutOfMemory) return Errno.ENOMEM;
                if (outcome != FaultOutcome.Resolved) return Errno.EFAULT;
            }
        }

        FinishRevocation();
        return Errno.None;
    }

    /// <summary>madvise(2).</summary>
    public Errno Advise(ulong address, ulong length, MemoryAdvice advice)
    {
        if (!TryRange(address, length, out ulong end)) return Errno.EINVAL;
        switch (advice)
        {
            case MemoryAdvice.MADV_NORMAL or MemoryAdvice.MADV_RANDOM or MemoryAdvice.MADV_SEQUENTIAL or MemoryAdvice.MADV_MERGEABLE
                or MemoryAdvice.MADV_UNMERGEABLE or MemoryAdvice.MADV_HUGEPAGE or MemoryAdvice.MADV_NOHUGEPAGE or MemoryAdvice.MADV_DONTDUMP
                or MemoryAdvice.MADV_DODUMP or MemoryAdvice.MADV_COLD or MemoryAdvice.MADV_PAGEOUT or MemoryAdvice.MADV_COLLAPSE or MemoryAdvice.MADV_WILLNEED:
                return IsMapped(address, end) ? Errno.None : Errno.ENOMEM;
            case MemoryAdvice.MADV_DONTNEED or MemoryAdvice.MADV_DONTNEED_LOCKED or MemoryAdvice.MADV_FREE:
                return DropPages(address, end, advice == MemoryAdvice.MADV_FREE);
            case MemoryAdvice.MADV_REMOVE:
                return Errno.EINVAL;
            case MemoryAdvice.MADV_DONTFORK:
                return ChangeFlags(address, end, AreaFlags.DontFork, AreaFlags.None);
            case MemoryAdvice.MADV_DOFORK:
                return ChangeFlags(address, end, AreaFlags.None, AreaFlags.DontFork);
            case MemoryAdvice.MADV_WIPEONFORK:
                for (int i = FirstEndingAfter(address); i < _areas.Count && _areas[i].Start < end; i++)
                {
                    if (_areas[i].IsShared || _areas[i].Object is not null) return Errno.EINVAL;
                }

                return ChangeFlags(address, end, AreaFlags.WipeOnFork, AreaFlags.None);
            case MemoryAdvice.MADV_KEEPONFORK:
                return ChangeFlags(address, end, AreaFlags.None, AreaFlags.WipeOnFork);
            case MemoryAdvice.MADV_POPULATE_READ or MemoryAdvice.MADV_POPULATE_WRITE:
                return IsMapped(address, end) ? PopulateRange(address, end, advice == MemoryAdvice.MADV_POPULATE_WRITE) : Errno.ENOMEM;
            default:
                return Errno.EINVAL;
        }
    }

    private Errno DropPages(ulong start, ulong end, bool onlyAnonymous)
    {
        bool hole = !IsMapped(start, end);
        for (int i = FirstEndingAfter(start); i < _areas.Count && _areas[i].Start < end; i++)
        {
            var area = _areas[i];
            if (onlyAnonymous && (area.IsShared || area.Object is not null)) return Errno.EINVAL;
            Zap(Math.Max(start, area.Start), Math.Min(end, area.End));
        }

        FinishRevocation();
        return hole ? Errno.ENOMEM : Errno.None;
    }

    /// <summary>Sets and clears attributes of a range.</summary>
    internal Errno ChangeFlags(ulong start, ulong end, AreaFlags set, AreaFlags clear)
    {
        if (start == end) return Errno.None;
        if (!IsMapped(start, end)) return Errno.ENOMEM;
        if (!HasRoomFor(2) && !HasRoomFor((CutBy(start) is { } lower && ((lower.Flags | set) & ~clear) != lower.Flags ? 1 : 0)
                                              + (CutBy(end) is { } upper && ((upper.Flags | set) & ~clear) != upper.Flags ? 1 : 0))) return Errno.ENOMEM;
        SplitAt(start);
        SplitAt(end);
        int first = FirstEndingAfter(start);
        for (int i = first; i < _areas.Count && _areas[i].Start < end; i++) _areas[i].Flags = (_areas[i].Flags | set) & ~clear;
        for (int i = Math.Min(_areas.Count - 1, FirstEndingAfter(end)); i >= 0 && i >= first - 1; i--) TryMerge(i);
        return Errno.None;
    }

    /// <summary>The areas in a range, split at its ends (for PR_SET_VMA and mlock).</summary>
    internal IEnumerable<VirtualMemoryArea> AreasIn(ulong start, ulong end)
    {
        for (int i = FirstEndingAfter(start); i < _areas.Count && _areas[i].Start < end; i++) yield return _areas[i];
    }

    /// <summary>mincore(2): 1 for every page of a range that is present, else 0. Looks at what there is, not at every page of a range that may be as large as the address space.</summary>
    internal void FillResident(ulong start, Span<byte> pages)
    {
        ulong end = start + ((ulong)pages.Length << 12);
        for (ulong at = start; at < end;)
        {
            ulong leaf = _tables.FindLeaf(at, out ulong next);
            var area = FindArea(at);
            var part = pages[(int)((at - start) >> 12)..(int)((Math.Min(end, Math.Min(next, area?.End ?? at + GuestMemory.PageSize)) - start) >> 12)];
            part.Fill(area?.Object is null ? (byte)0 : (byte)1);
            if (leaf != 0 && area is { Object: null })
            {
                var entries = _tables.Entries(leaf)[PageTables.LeafIndex(at)..];
                for (int i = 0; i < part.Length; i++) part[i] = entries[i] == 0 ? (byte)0 : (byte)1;
            }

            at += (ulong)part.Length << 12;
        }
    }
}
