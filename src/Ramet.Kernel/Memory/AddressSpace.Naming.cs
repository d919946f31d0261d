using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>Names of anonymous memory, and mappings that grow down.</summary>
public sealed partial class AddressSpace
{
    /// <summary>Pages that stay free below a mapping that grows (stack_guard_gap).</summary>
    private const ulong GuardGap = 256 * GuestMemory.PageSize;

    /// <summary>PR_SET_VMA_ANON_NAME (prctl(2)). EINVAL; ENOMEM where nothing is mapped, after the rest was named; EBADF for files.</summary>
    internal Errno NameRange(ulong address, ulong length, string? name)
    {
        if ((address & PageMask) != 0) return Errno.EINVAL;
        ulong rounded = (length + PageMask) & ~PageMask;
        if (rounded < length || address + rounded < address) return Errno.EINVAL;
        if (rounded == 0) return Errno.None;
        ulong end = Math.Min(address + rounded, PageTables.UserEnd);
        var error = IsMapped(address, address + rounded) ? Errno.None : Errno.ENOMEM;
        int first = FirstEndingAfter(address);
        if (first >= _areas.Count || _areas[first].Start >= end) return Errno.ENOMEM;
        if (!HasRoomFor(2) && !HasRoomFor((CutBy(address) is { } lower && lower.AnonymousName != name ? 1 : 0)
                                              + (CutBy(end) is { } upper && upper.AnonymousName != name ? 1 : 0))) return Errno.ENOMEM;
        SplitAt(address);
        SplitAt(end);
        first = FirstEndingAfter(address);
        int last = first;
        for (; last < _areas.Count && _areas[last].Start < end; last++)
        {
            var area = _areas[last];
            if (area.Dentry is not null || (area.Flags & AreaFlags.Special) != 0)
            {
                error = Errno.EBADF;
                break;
            }

            area.AnonymousName = name;
        }

        for (int i = Math.Min(_areas.Count - 1, last); i >= 0 && i >= first - 1; i--) TryMerge(i);
        return error;
    }

    /// <summary>
    /// An access below a mapping that grows down (MAP_GROWSDOWN): makes it reach there, as far as <paramref name="limit"/> bytes in all and the gap to what lies below
    /// allow. Null: it does not.
    /// </summary>
    private VirtualMemoryArea? Grow(ulong address, ulong limit)
    {
        int index = FirstEndingAfter(address);
        if (index >= _areas.Count || address < LowestMapping) return null;
        var area = _areas[index];
        if (area.Start <= address || (area.Flags & AreaFlags.GrowsDown) == 0 || area.Object is not null || area.Label is not null) return null;
        ulong start = address & ~PageMask;
        if (area.End - start > limit) return null;
        if (index > 0 && _areas[index - 1] is var below && (below.Flags & AreaFlags.GrowsDown) == 0 && below.Protection != MemoryProtection.PROT_NONE
            && (start < below.End + GuardGap))
        {
            return null;
        }

        MappedBytes += area.Start - start;
        area.Start = start;
        return area;
    }
}
