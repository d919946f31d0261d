using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>
/// Taking mappings back. A frame is free again only when no virtual CPU can reach it any more: those that run this address space now are made to leave the VM first, and every
/// virtual CPU forgets the stale tables before it enters again.
/// </summary>
public sealed partial class AddressSpace
{
    [NotSaved]
    private List<ulong> _released = [];

    /// <summary>Takes all pages of a range out.</summary>
    private void Zap(ulong start, ulong end)
    {
        for (ulong at = start; at < end;)
        {
            ulong leaf = _tables.FindLeaf(at, out ulong next);
            if (leaf != 0)
            {
                ulong stop = Math.Min(end, next);
                for (; at < stop; at += 4096) Remove(leaf, PageTables.LeafIndex(at));
            }

            at = next;
        }
    }

    /// <summary>Ends an operation that may have taken pages out: waits until no CPU uses them, then frees their frames.</summary>
    private void FinishRevocation()
    {
        if (_released.Count == 0) return;
        _kernel.Scheduler.LeaveGuest(this);
        foreach (ulong frame in _released) Frames.Release(frame);
        _released.Clear();
    }

    internal void UnmapObjectPages(VirtualMemoryArea area, long firstIndex, long count, bool evenCopies)
    {
        long first = Math.Max(firstIndex, area.FirstPage);
        long last = Math.Min(firstIndex + count, area.FirstPage + (long)(area.Length >> 12));
        for (long page = first; page < last; page++)
        {
            ulong address = area.Start + ((ulong)(page - area.FirstPage) << 12);
            ulong leaf = _tables.FindLeaf(address, out ulong next);
            if (leaf == 0)
            {
                // On to the last page that is missing; the loop adds one more.
                page += (long)((next - address) >> 12) - 1;
                continue;
            }

            int index = PageTables.LeafIndex(address);
            ulong entry = _tables.Entries(leaf)[index];
            if ((entry & PageTableEntry.Present) == 0) continue;
            if (!evenCopies && !area.IsShared && IsPrivateCopy(area, page, entry)) continue;
            Remove(leaf, index);
        }

        FinishRevocation();
    }

    private static bool IsPrivateCopy(VirtualMemoryArea area, long page, ulong entry)
    {
        ulong mapped = entry & PageTableEntry.AddressMask;
        if (mapped >= GuestMemory.ImageBase) return false; // The image's own page, which the object may have replaced already.
        return (entry & PageTableEntry.Writable) != 0 || area.Object!.GetPage(page, forWrite: false, out ulong frame, out _) != Errno.None || frame != mapped;
    }
}
