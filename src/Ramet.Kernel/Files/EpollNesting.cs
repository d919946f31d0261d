namespace Ramet.Kernel.Files;

/// <summary>
/// Epoll sets may watch epoll sets. These checks keep wake-ups from going in circles, from going deep, and from spreading without bound, before a set is added (fs/eventpoll.c,
/// ep_loop_check and reverse_path_check).
/// </summary>
internal static class EpollNesting
{
    /// <summary>Sets in a chain at most.</summary>
    private const int MaximumDepth = 5;

    /// <summary>Sets that may watch one set at most: with the depth, this bounds how far one event spreads.</summary>
    private const int MaximumParents = 16;

    /// <summary>ELOOP: <paramref name="child"/> watches <paramref name="parent"/> itself, or the chain gets too deep. EINVAL: too many sets watch the child.</summary>
    public static Errno Check(EpollSet parent, EpollSet child)
    {
        if (child.EpollItems is { Count: >= MaximumParents }) return Errno.EINVAL;
        int below = DepthBelow(child, parent, [], 1);
        return below < 0 || below + DepthAbove(parent, 1) > MaximumDepth ? Errno.ELOOP : Errno.None;
    }

    /// <summary>Sets on the longest chain from this one down, itself included; -1 when the one looked for is on a chain.</summary>
    private static int DepthBelow(EpollSet set, EpollSet lookedFor, Dictionary<EpollSet, int> known, int level)
    {
        if (set == lookedFor || level > MaximumDepth) return -1;
        if (known.TryGetValue(set, out int depth)) return depth;
        depth = 1;
        foreach (var item in set.Items)
        {
            if (item.File is not EpollSet inner) continue;
            int below = DepthBelow(inner, lookedFor, known, level + 1);
            if (below < 0) return -1;
            depth = Math.Max(depth, below + 1);
        }

        known[set] = depth;
        return depth;
    }

    /// <summary>Sets on the longest chain from this one up, itself included.</summary>
    private static int DepthAbove(EpollSet set, int level)
    {
        int depth = 1;
        if (level > MaximumDepth || set.EpollItems is null) return depth;
        foreach (var item in set.EpollItems) depth = Math.Max(depth, 1 + DepthAbove(item.Set, level + 1));
        return depth;
    }
}
