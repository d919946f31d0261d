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

    // Ways from a file up to sets that nobody watches, by the sets in between: one event goes all of them. The direct ones are unlimited (fs/eventpoll.c, path_limits).
    private static readonly int[] MaximumPaths = [int.MaxValue, 500, 100, 50, 10];

    /// <summary>ELOOP: <paramref name="child"/> watches <paramref name="parent"/> itself, or the chain gets too deep. EINVAL: too many sets watch the child.</summary>
    public static Errno Check(EpollSet parent, EpollSet child)
    {
        int parents = 0;
        for (var item = child.FirstEpollItem; item is not null; item = item.NextOfFile)
            if (++parents >= MaximumParents) return Errno.EINVAL;
        int below = DepthBelow(child, parent, [], 1);
        return below < 0 || below + DepthAbove(parent, 1) > MaximumDepth ? Errno.ELOOP : Errno.None;
    }

    /// <summary>Whether a set may watch one more file, or the set <paramref name="file"/>: an event must not spread over too many ways (EINVAL). <see cref="Check"/> comes first.</summary>
    public static bool MayAdd(EpollSet parent, FileDescription file)
    {
        var child = file as EpollSet;
        if (child is null && !parent.IsWatched) return true;
        var known = new Dictionary<EpollSet, int[]>();
        var added = PathsAbove(parent, known);
        if (child is null) return AreFew(file, known, added);

        // All that the child leads to gets the ways over the new link, too.
        var paths = PathsAbove(child, known);
        if (!child.IsWatched) Array.Clear(paths);
        Add(paths, added);
        var sets = new Queue<EpollSet>([child]);
        var seen = new HashSet<FileDescription> { child };
        List<FileDescription> files = [];
        while (sets.TryDequeue(out var set))
        {
            foreach (var item in set.Items)
            {
                if (!seen.Add(item.File)) continue;
                if (item.File is EpollSet inner) sets.Enqueue(inner);
                else files.Add(item.File);
            }
        }

        foreach (var found in files)
            if (!AreFew(found, known, null)) return false;
        return true;
    }

    private static bool AreFew(FileDescription file, Dictionary<EpollSet, int[]> known, int[]? added)
    {
        var paths = new int[MaximumPaths.Length];
        if (added is not null) added.CopyTo(paths, 0);
        for (var item = file.FirstEpollItem; item is not null; item = item.NextOfFile)
        {
            var above = PathsAbove(item.Set, known);
            for (int i = 0; i < paths.Length; i++) paths[i] = Saturate((long)paths[i] + above[i]);
        }

        for (int i = 1; i < paths.Length; i++)
            if (paths[i] > MaximumPaths[i]) return false;
        return true;
    }

    /// <summary>How many ways lead from a set up to sets that nobody watches, by their length.</summary>
    private static int[] PathsAbove(EpollSet set, Dictionary<EpollSet, int[]> known)
    {
        if (known.TryGetValue(set, out int[]? paths)) return paths;
        paths = new int[MaximumPaths.Length];
        known[set] = paths;
        if (!set.IsWatched) paths[0] = 1;
        for (var item = set.FirstEpollItem; item is not null; item = item.NextOfFile) Add(paths, PathsAbove(item.Set, known));
        return paths;
    }

    /// <summary>Ways that are one link longer.</summary>
    private static void Add(int[] paths, int[] above)
    {
        for (int i = 1; i < paths.Length; i++) paths[i] = Saturate((long)paths[i] + above[i - 1]);
    }

    private static int Saturate(long value) => (int)Math.Min(value, int.MaxValue);

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
        if (level > MaximumDepth) return depth;
        for (var item = set.FirstEpollItem; item is not null; item = item.NextOfFile) depth = Math.Max(depth, 1 + DepthAbove(item.Set, level + 1));
        return depth;
    }
}
