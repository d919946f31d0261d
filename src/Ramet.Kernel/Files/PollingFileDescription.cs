using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

public abstract partial class FileDescription
{
    /// <summary>The epoll items that watch this description; null: none.</summary>
    internal List<EpollItem>? EpollItems;

    /// <summary>A closed description leaves all sets by itself (epoll(7), question 6).</summary>
    private void LeaveEpollSets(Kernel kernel)
    {
        while (EpollItems is { Count: > 0 } items) items[^1].Set.Remove(kernel, items[^1]);
    }
}
