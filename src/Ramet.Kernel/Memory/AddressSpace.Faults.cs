using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>What a program did to an address.</summary>
[Flags]
public enum AccessKind
{
    Read = 1,
    Write = 2,
    Execute = 4,
}

/// <summary>How a page fault was settled.</summary>
public enum FaultOutcome
{
    /// <summary>The page is there now: the access may be repeated.</summary>
    Resolved,

    /// <summary>Nothing is mapped there: SIGSEGV, SEGV_MAPERR.</summary>
    NotMapped,

    /// <summary>The mapping does not allow it: SIGSEGV, SEGV_ACCERR.</summary>
    NotAllowed,

    /// <summary>Beyond the end of the file: SIGBUS, BUS_ADRERR.</summary>
    BeyondEnd,

    /// <summary>Over the sandbox's memory limit.</summary>
    OutOfMemory,
}

/// <summary>Page faults: demand paging, copy-on-write, and mapping ahead of the program so that it leaves the VM less often.</summary>
public sealed partial class AddressSpace
{
    /// <summary>Pages of a stream are mapped in windows that double up to this.</summary>
    private const int LargestWindow = 512;

    /// <summary>Pages around a fault in private anonymous memory that are mapped with it, aligned.</summary>
    private const int AnonymousAround = 16;

    /// <summary>Pages around a fault in a file that are mapped with it if they need no memory (Linux: fault_around_bytes).</summary>
    private const int FileAround = 64;

    /// <summary>Pages around the first write to a private file mapping that are copied with it, aligned: data sections are written all over while a program starts.</summary>
    private const int CopyAround = 16;

    /// <summary>Serves a page fault.</summary>
    public FaultOutcome HandleFault(ulong address, AccessKind access)
    {
        if (address >= PageTables.UserEnd) return FaultOutcome.NotMapped;
        var area = FindArea(address) ?? Grow(address, StackLimit);
        if (area is null) return FaultOutcome.NotMapped;
        if (!Allows(area.Protection, access)) return FaultOutcome.NotAllowed;
        ulong page = address & ~PageMask;
        var outcome = MapPage(area, page, access);
        if (outcome == FaultOutcome.Resolved) MapAhead(area, page, access);
        FinishRevocation();
        return outcome;
    }

    /// <summary>Whether an address lies in a stack, but deeper than RLIMIT_STACK lets it grow. The stack has its whole range from the start.</summary>
    public bool IsBelowStackLimit(ulong address, ulong limit)
    {
        if (address >= PageTables.UserEnd || FindArea(address) is not { Label: "[stack]" } area) return false;
        return area.End - address > limit;
    }

    private static bool Allows(MemoryProtection protection, AccessKind access)
    {
        // x86 has no write-only pages: PROT_WRITE alone can be read, as on Linux.
        if ((access & AccessKind.Write) != 0) return (protection & MemoryProtection.PROT_WRITE) != 0;
        if ((access & AccessKind.Execute) != 0) return (protection & MemoryProtection.PROT_EXEC) != 0;
        return (protection & (MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE | MemoryProtection.PROT_EXEC)) != 0;
    }

    /// <summary>Makes one page present with the access asked for.</summary>
    private FaultOutcome MapPage(VirtualMemoryArea area, ulong page, AccessKind access)
    {
        bool write = (access & AccessKind.Write) != 0;
        ulong leaf = _tables.MakeLeaf(page);
        if (leaf == 0) return FaultOutcome.OutOfMemory;
        int index = PageTables.LeafIndex(page);
        ulong entry = _tables.Entries(leaf)[index];
        if ((entry & PageTableEntry.Present) != 0)
        {
            if (!write || (entry & PageTableEntry.Writable) != 0) return FaultOutcome.Resolved;
            if (!area.IsShared) return BreakSharing(area, leaf, index, entry);
        }

        if ((entry & PageTableEntry.Hidden) != 0)
        {
            _tables.SetInLeaf(leaf, index, PageTableEntry.ForPage(entry & PageTableEntry.AddressMask, area.Protection, writable: false));
            return MapPage(area, page, access);
        }

        if (area.Object is null)
        {
            if (!Frames.TryAllocate(out ulong fresh)) return FaultOutcome.OutOfMemory;
            Install(leaf, index, PageTableEntry.ForPage(fresh, area.Protection, writable: true));
            return FaultOutcome.Resolved;
        }

        var error = area.Object.GetPage(area.PageOf(page), write && area.IsShared, out ulong frame, out bool writable);
        if (error != Errno.None) return error == Errno.EFAULT ? FaultOutcome.BeyondEnd : FaultOutcome.OutOfMemory;
        if (write && !area.IsShared)
        {
            return CopyInto(area, leaf, index, frame);
        }

        if (frame < GuestMemory.ImageBase) Frames.AddReference(frame);
        else if (TryMapLarge(page, frame)) return FaultOutcome.Resolved;
        else if (!_kernel.Machine.Memory.TryAttachImage(frame, GuestMemory.PageSize)) return FaultOutcome.OutOfMemory;
        if ((entry & PageTableEntry.Present) != 0) Remove(leaf, index);
        Install(leaf, index, PageTableEntry.ForPage(frame, area.Protection, area.IsShared && writable));
        return FaultOutcome.Resolved;
    }

    /// <summary>A write to a present, read-only page of a private mapping: the page becomes this address space's own.</summary>
    private FaultOutcome BreakSharing(VirtualMemoryArea area, ulong leaf, int index, ulong entry)
    {
        ulong frame = entry & PageTableEntry.AddressMask;
        if (frame < GuestMemory.ImageBase && Frames.References(frame) == 1)
        {
            // Nobody else has it (any more).
            _tables.SetInLeaf(leaf, index, entry | PageTableEntry.Writable);
            return FaultOutcome.Resolved;
        }

        return CopyInto(area, leaf, index, frame);
    }

    private FaultOutcome CopyInto(VirtualMemoryArea area, ulong leaf, int index, ulong source)
    {
        if (!_kernel.Machine.Memory.TryGetReadOnlySpan(source, GuestMemory.PageSize, out var from))
        {
            return FaultOutcome.BeyondEnd;
        }

        if (!Frames.TryAllocate(out ulong copy, zero: false)) return FaultOutcome.OutOfMemory;
        // Allocation may have grown RAM; spans stay valid, since RAM never moves.
        from.CopyTo(_kernel.Machine.Memory.GetSpan(copy, GuestMemory.PageSize));
        Remove(leaf, index);
        Install(leaf, index, PageTableEntry.ForPage(copy, area.Protection, writable: true));
        return FaultOutcome.Resolved;
    }

    /// <summary>Maps what the program will probably touch next: an exit costs as much as mapping dozens of pages.</summary>
    private void MapAhead(VirtualMemoryArea area, ulong page, AccessKind access)
    {
        if (area.Object is not null)
        {
            if ((access & AccessKind.Write) != 0 && !area.IsShared) CopyFileAround(area, page);
            else MapFileAround(area, page);
            return;
        }

        bool stream = page == area.NextFault;
        area.Window = stream ? Math.Min(Math.Max(area.Window, AnonymousAround) * 2, LargestWindow) : AnonymousAround;
        ulong start = page + GuestMemory.PageSize;
        ulong end = stream ? start + ((ulong)area.Window * GuestMemory.PageSize) : (page & ~((AnonymousAround * (ulong)GuestMemory.PageSize) - 1)) + (AnonymousAround * GuestMemory.PageSize);
        end = Math.Min(end, area.End);
        MapAnonymousRange(area, start, end);
        area.NextFault = Math.Max(end, start);
    }

    /// <summary>Makes pages of private anonymous memory present that are not yet; stops quietly at the memory limit.</summary>
    private void MapAnonymousRange(VirtualMemoryArea area, ulong start, ulong end)
    {
        for (ulong at = start; at < end;)
        {
            ulong leaf = _tables.MakeLeaf(at);
            if (leaf == 0) return;
            ulong tableEnd = Math.Min(end, (at | 0x1F_FFFF) + 1);
            var entries = _tables.Entries(leaf);
            while (at < tableEnd)
            {
                int index = PageTables.LeafIndex(at);
                int wanted = 0;
                while (at + ((ulong)wanted << 12) < tableEnd && entries[index + wanted] == 0) wanted++;
                if (wanted == 0)
                {
                    at += GuestMemory.PageSize;
                    continue;
                }

                // Frames that were freed come first: the host has backed them already, and a program that takes and frees memory in turn does not grow.
                ulong first = 0;
                int got = wanted >= 16 && Frames.FreeCount < wanted ? Frames.TryAllocateRun(wanted, out first) : 0;
                if (got >= 16) _kernel.Machine.Memory.Populate(first, (ulong)got * GuestMemory.PageSize);
                for (int i = 0; i < got; i++)
                {
                    Volatile.Write(ref entries[index + i], PageTableEntry.ForPage(first + ((ulong)i << 12), area.Protection, writable: true));
                }

                for (; got < wanted && Frames.TryAllocate(out ulong frame); got++)
                {
                    Volatile.Write(ref entries[index + got], PageTableEntry.ForPage(frame, area.Protection, writable: true));
                }

                if (got == 0) return;
                ResidentPages += got;
                at += (ulong)got << 12;
            }
        }
    }

    private void MapFileAround(VirtualMemoryArea area, ulong page)
    {
        ulong start = Math.Max(area.Start, page & ~((FileAround * (ulong)GuestMemory.PageSize) - 1));
        ulong end = Math.Min(area.End, start + (FileAround * GuestMemory.PageSize));
        for (ulong at = start; at < end; at += GuestMemory.PageSize)
        {
            ulong leaf = _tables.FindLeaf(at);
            if (leaf == 0 || _tables.Entries(leaf)[PageTables.LeafIndex(at)] != 0) continue;
            if (area.Object!.GetPage(area.PageOf(at), forWrite: false, out ulong frame, out bool writable) != Errno.None) return;
            if (frame < GuestMemory.ImageBase) Frames.AddReference(frame);
            else if (!_kernel.Machine.Memory.TryAttachImage(frame, GuestMemory.PageSize)) return;
            Install(leaf, PageTables.LeafIndex(at), PageTableEntry.ForPage(frame, area.Protection, area.IsShared && writable));
        }
    }

    /// <summary>Copies the neighbours of a page of a private file mapping that was just written; stops quietly at the memory limit and at the end of the file.</summary>
    private void CopyFileAround(VirtualMemoryArea area, ulong page)
    {
        ulong block = page & ~((CopyAround * (ulong)GuestMemory.PageSize) - 1);
        ulong start = Math.Max(area.Start, block), end = Math.Min(area.End, block + (CopyAround * GuestMemory.PageSize));
        for (ulong at = start; at < end; at += GuestMemory.PageSize)
        {
            ulong leaf = _tables.FindLeaf(at);
            if (leaf == 0) continue;
            int index = PageTables.LeafIndex(at);
            ulong entry = _tables.Entries(leaf)[index];
            // A page that is present and the program's own (or hidden from it) stays as it is.
            if (entry != 0 && ((entry & PageTableEntry.Present) == 0 || (entry & PageTableEntry.AddressMask) < GuestMemory.ImageBase)) continue;
            if (area.Object!.GetPage(area.PageOf(at), forWrite: false, out ulong frame, out _) != Errno.None) return;
            // Only what cannot change any more: a mapping of a writable file shows what others write until its own first write.
            if (frame < GuestMemory.ImageBase) continue;
            if (CopyInto(area, leaf, index, frame) != FaultOutcome.Resolved) return;
        }
    }

    private void Install(ulong leaf, int index, ulong entry)
    {
        _tables.SetInLeaf(leaf, index, entry);
        ResidentPages++;
    }

    /// <summary>Takes a present page out; its frame is released once no CPU can reach it.</summary>
    private void Remove(ulong leaf, int index)
    {
        ulong entry = _tables.Entries(leaf)[index];
        if (entry == 0) return;
        _tables.SetInLeaf(leaf, index, 0);
        ResidentPages--;
        ulong frame = entry & PageTableEntry.AddressMask;
        if (frame < GuestMemory.ImageBase) _released.Add(frame);
        _cacheValid = false;
    }
}
