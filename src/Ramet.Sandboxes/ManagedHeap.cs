namespace Ramet.Sandboxes;

/// <summary>The managed heap of this process.</summary>
internal static class ManagedHeap
{
    /// <summary>
    /// Collects what is not needed any more and gives its memory back to the host. For when nothing runs: it takes some ten milliseconds in which nothing else does, and collections
    /// happen by themselves only while there is work.
    /// </summary>
    public static void GiveBack() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
}
