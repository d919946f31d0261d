using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>Moving pages next to each other in RAM, so that the host can back them in one go.</summary>
public sealed partial class AddressSpace
{
    /// <summary>Adds the address of each private page whose frame is wanted and used by nobody else, in address order.</summary>
    internal void FindPrivatePages(Func<ulong, bool> isWanted, List<ulong> found)
    {
        foreach (var area in _areas)
        {
            if (area.IsShared || (area.Flags & AreaFlags.Special) != 0) continue;
            for (ulong at = area.Start; at < area.End;)
            {
                ulong leaf = _tables.FindLeaf(at, out ulong next);
                ulong end = Math.Min(area.End, next);
                for (; leaf != 0 && at < end; at += GuestMemory.PageSize)
                {
                    ulong entry = _tables.Entries(leaf)[PageTables.LeafIndex(at)];
                    ulong frame = entry & PageTableEntry.AddressMask;
                    if ((entry & PageTableEntry.Present) != 0 && frame < GuestMemory.ImageBase && isWanted(frame) && Frames.References(frame) == 1) found.Add(at);
                }

                at = end;
            }
        }
    }

    /// <summary>Gives a page of <see cref="FindPrivatePages"/> another frame, with the same contents.</summary>
    internal void MovePage(ulong address, ulong frame)
    {
        ulong leaf = _tables.FindLeaf(address);
        int index = PageTables.LeafIndex(address);
        ulong entry = _tables.Entries(leaf)[index];
        ulong old = entry & PageTableEntry.AddressMask;
        _kernel.Machine.Memory.GetSpan(old, GuestMemory.PageSize).CopyTo(_kernel.Machine.Memory.GetSpan(frame, GuestMemory.PageSize));
        _tables.SetInLeaf(leaf, index, (entry & ~PageTableEntry.AddressMask) | frame);
        _released.Add(old);
        _cacheValid = false;
        FinishRevocation();
    }
}
