using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

public abstract partial class FileDescription
{
    /// <summary>The first of the epoll items that watch this description, a list through the items; null: none.</summary>
    internal EpollItem? FirstEpollItem;

    /// <summary>A closed description leaves all sets by itself (epoll(7), question 6).</summary>
    private void LeaveEpollSets(Kernel kernel)
    {
        while (FirstEpollItem is { } item) item.Set.Remove(kernel, item);
    }
}
