using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>fork(2): a copy in which private pages are shared until one side writes.</summary>
public sealed partial class AddressSpace
{
    /// <summary>A copy of this address space; null over the limit of memory or of areas (nothing has changed then, save that pages were made read-only).</summary>
    public AddressSpace? Fork()
    {
        if (_kernel.AreaCount + _areas.Count > _kernel.MaxAreaCount) return null;
        var child = Create(_kernel);
        if (child is null) return null;
        child.MmapTop = MmapTop;
        child.BrkStart = BrkStart;
        child.BrkEnd = BrkEnd;
        child.ArgumentStart = ArgumentStart;
        child.ArgumentEnd = ArgumentEnd;
        child.EnvironmentStart = EnvironmentStart;
        child.EnvironmentEnd = EnvironmentEnd;
        child.AuxiliaryVector = AuxiliaryVector;
        child.VdsoAddress = VdsoAddress;
        child.Executable = Executable;
        child.StackLimit = StackLimit;
        bool complete = true;
        foreach (var area in _areas)
        {
            if ((area.Flags & AreaFlags.DontFork) != 0) continue;
            var copy = area.CloneRange(child, area.Start, area.End);
            child._areas.Add(copy);
            _kernel.AreaCount++;
            child.MappedBytes += copy.Length;
            copy.Object?.Attach(copy);
            if ((area.Flags & AreaFlags.WipeOnFork) == 0 && !CopyPages(area, child))
            {
                complete = false;
                break;
            }
        }

        // Pages of this address space became read-only: no CPU may go on writing to them.
        _kernel.Scheduler.LeaveGuest(this);
        if (complete)
        {
            CopyLargePages(child);
            return child;
        }

        child.RemoveUser();
        return null;
    }

    /// <summary>When a sandbox is forked: ranges that asked for it (MADV_WIPEONFORK) read as zero in the fork.</summary>
    internal void WipeForFork()
    {
        foreach (var area in _areas)
        {
            if ((area.Flags & AreaFlags.WipeOnFork) != 0) Zap(area.Start, area.End);
        }

        FinishRevocation();
    }

    private bool CopyPages(VirtualMemoryArea area, AddressSpace child)
    {
        for (ulong at = area.Start; at < area.End;)
        {
            ulong leaf = _tables.FindLeaf(at, out ulong next);
            next = Math.Min(area.End, next);
            if (leaf == 0)
            {
                at = next;
                continue;
            }

            ulong childLeaf = 0;
            var entries = _tables.Entries(leaf);
            bool stale = false;
            for (; at < next; at += GuestMemory.PageSize)
            {
                int index = PageTables.LeafIndex(at);
                ulong entry = entries[index];
                if (entry == 0) continue;
                if (childLeaf == 0 && (childLeaf = child._tables.MakeLeaf(at)) == 0) return false;
                if (!area.IsShared && (entry & PageTableEntry.Writable) != 0)
                {
                    entry &= ~PageTableEntry.Writable;
                    Volatile.Write(ref entries[index], entry);
                    stale = true;
                }

                ulong frame = entry & PageTableEntry.AddressMask;
                if (frame < GuestMemory.ImageBase) Frames.AddReference(frame);
                Volatile.Write(ref child._tables.Entries(childLeaf)[index], entry);
                child.ResidentPages++;
            }

            if (stale)
            {
                _tables.MarkStale(leaf);
                _cacheValid = false;
            }
        }

        return true;
    }
}
