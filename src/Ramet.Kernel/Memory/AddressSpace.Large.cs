using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>Large pages: programs and libraries of an image whose read-only parts fill 2 MiB that are aligned alike in the file and in memory.</summary>
public sealed partial class AddressSpace
{
    private const ulong LargeMask = PageTables.LargePageSize - 1;

    /// <summary>Guest-physical addresses of the large pages of images that are mapped.</summary>
    internal IEnumerable<ulong> LargePages => _tables.LargePages;

    /// <summary>Where in 2 MiB a mapping has to begin to be able to use large pages; null: it cannot.</summary>
    private static ulong? LargePhase(in MappingRequest request)
    {
        if (request.Object is null || request.Length < PageTables.LargePageSize || (request.Protection & MemoryProtection.PROT_WRITE) != 0) return null;
        bool isPrivate = (request.Flags & MappingFlags.MAP_TYPE) == MappingFlags.MAP_PRIVATE;
        return isPrivate && request.Object.GetPage(request.Offset >> 12, forWrite: false, out ulong frame, out _) == Errno.None && frame >= GuestMemory.ImageBase ? frame & LargeMask : null;
    }

    /// <summary>Maps the 2 MiB around a page of an image at once, if all of them are the image's, one behind the other, and cannot be written.</summary>
    /// <param name="page">The address of the page.</param>
    /// <param name="frame">Its guest-physical address.</param>
    private bool TryMapLarge(ulong page, ulong frame)
    {
        ulong start = page & ~LargeMask, end = start + PageTables.LargePageSize;
        ulong first = frame - (page - start);
        if ((first & LargeMask) != 0 || first < GuestMemory.ImageBase) return false;
        if (!IsImage(start, end, first) || !_kernel.Machine.Memory.TryAttachImage(first, PageTables.LargePageSize)) return false;
        ulong leaf = _tables.MakeLeaf(start);
        if (leaf == 0) return false;
        for (ulong at = start; at < end; at += GuestMemory.PageSize)
        {
            int index = PageTables.LeafIndex(at);
            if (_tables.Entries(leaf)[index] == 0) Install(leaf, index, PageTableEntry.ForPage(first + (at - start), FindArea(at)!.Protection, writable: false));
        }

        return _tables.TryMakeLarge(start);
    }

    /// <summary>Gives a child the large pages whose small ones it has all got.</summary>
    private void CopyLargePages(AddressSpace child)
    {
        foreach (ulong address in _tables.LargePageAddresses) child._tables.TryMakeLarge(address, isNew: true);
    }

    /// <summary>Whether a range shows these pages of an image, read-only.</summary>
    private bool IsImage(ulong start, ulong end, ulong first)
    {
        ulong at = start;
        for (int i = FirstEndingAfter(start); at < end; i++)
        {
            if (i >= _areas.Count || _areas[i] is not { IsShared: false, Object: { } file } area || area.Start > at) return false;
            if ((area.Protection & MemoryProtection.PROT_WRITE) != 0 || !Allows(area.Protection, AccessKind.Read)) return false;
            for (; at < Math.Min(end, area.End); at += GuestMemory.PageSize)
            {
                if (file.GetPage(area.PageOf(at), forWrite: false, out ulong frame, out _) != Errno.None || frame != first + (at - start)) return false;
            }
        }

        return true;
    }
}
