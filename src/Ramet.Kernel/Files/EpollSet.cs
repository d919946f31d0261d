using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>An epoll instance (epoll(7)).</summary>
[Saved]
public sealed partial class EpollSet : FileDescription
{
    private Dictionary<int, EpollItem> _items = [];
    private EpollItem? _firstReady;
    private EpollItem? _lastReady;
    private WaitQueue _waiting = new();
    private WaitQueue _pollQueue = new();

    private EpollSet()
    {
    }

    /// <summary>An empty set.</summary>
    public EpollSet(Kernel kernel)
    {
        Flags = OpenFlags.O_RDWR;
        Inode = new AnonymousInode(kernel, "[eventpoll]", InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <summary>Threads in epoll_wait.</summary>
    internal WaitQueue Waiting => _waiting;

    /// <inheritdoc/>
    public override string AnonymousName => ((AnonymousInode)Inode).LinkName;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _pollQueue;

    /// <summary>Whether another set watches this one.</summary>
    internal bool IsWatched => FirstEpollItem is not null;

    internal IEnumerable<EpollItem> Items
    {
        get
        {
            foreach (var first in _items.Values)
            {
                for (var item = first; item is not null; item = item.NextOfDescriptor) yield return item;
            }
        }
    }

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        for (var item = _firstReady; item is not null;)
        {
            if (item.Look() != PollEvents.None) return Readiness.In;
            var next = item.NextReady;
            RemoveReady(item);
            item = next;
        }

        return PollEvents.None;
    }

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer) => Errno.EINVAL;

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer) => Errno.EINVAL;

    /// <summary>The item of a file under a descriptor number, or null.</summary>
    internal EpollItem? Find(int descriptor, FileDescription file)
    {
        var item = _items.GetValueOrDefault(descriptor);
        while (item is not null && item.File != file) item = item.NextOfDescriptor;
        return item;
    }

    /// <summary>EPOLL_CTL_ADD, after all checks.</summary>
    internal void Add(Kernel kernel, FileDescription file, int descriptor, EpollEvent wanted)
    {
        var item = new EpollItem(this, file, descriptor) { NextOfDescriptor = _items.GetValueOrDefault(descriptor) };
        if (item.NextOfDescriptor is not null) item.NextOfDescriptor.PreviousOfDescriptor = item;
        _items[descriptor] = item;
        kernel.EpollWatches++;
        item.JoinFile();
        file.PollQueue!.Add(item);
        Change(item, wanted);
    }

    /// <summary>EPOLL_CTL_MOD: new events and data. What is ready already is reported again, edge-triggered or not.</summary>
    internal void Change(EpollItem item, EpollEvent wanted)
    {
        item.Data = wanted.data;
        item.Interest = (PollEvents)wanted.events | Readiness.Always;
        if (item.Look() == PollEvents.None) return;
        AddReady(item);
        WakeOne();
    }

    /// <summary>EPOLL_CTL_DEL, or the file closes.</summary>
    internal void Remove(Kernel kernel, EpollItem item)
    {
        Detach(kernel, item);
        if (item.NextOfDescriptor is not null) item.NextOfDescriptor.PreviousOfDescriptor = item.PreviousOfDescriptor;
        if (item.PreviousOfDescriptor is not null) item.PreviousOfDescriptor.NextOfDescriptor = item.NextOfDescriptor;
        else if (item.NextOfDescriptor is null) _items.Remove(item.Descriptor);
        else _items[item.Descriptor] = item.NextOfDescriptor;
    }

    /// <summary>Something may have happened to the item's file.</summary>
    internal void AddReady(EpollItem item)
    {
        if (item.IsReady) return;
        item.IsReady = true;
        item.NextReady = null;
        item.PreviousReady = _lastReady;
        if (_lastReady is null) _firstReady = item;
        else _lastReady.NextReady = item;
        _lastReady = item;
    }

    /// <summary>Tells one thread in epoll_wait, and everyone who polls this set. True when a thread goes on.</summary>
    internal bool WakeOne()
    {
        bool woken = !_waiting.IsEmpty && _waiting.Wake(Readiness.In) > 0;
        if (!_pollQueue.IsEmpty) _pollQueue.Wake(Readiness.In);
        return woken;
    }

    /// <summary>
    /// Reports up to as many events as fit. Level-triggered items go to the end of the ready list, so that none starves behind busy ones; the others leave it.
    /// </summary>
    internal int Collect(Span<EpollEvent> events)
    {
        int count = 0;
        var last = _lastReady;
        for (var item = _firstReady; item is not null && count < events.Length;)
        {
            var next = item == last ? null : item.NextReady;
            RemoveReady(item);
            var found = item.Look();
            if (found != PollEvents.None)
            {
                events[count++] = new EpollEvent { events = (uint)found, data = item.Data };
                if ((item.Interest & PollEvents.EPOLLONESHOT) != 0) item.Interest = PollEvents.None;
                else if ((item.Interest & PollEvents.EPOLLET) == 0) AddReady(item);
            }

            item = next;
        }

        return count;
    }

    /// <summary>Whether something is on the ready list: another thread may be needed.</summary>
    internal bool HasReady => _firstReady is not null;

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        foreach (var item in Items) Detach(kernel, item);
        _items.Clear();
    }

    private void Detach(Kernel kernel, EpollItem item)
    {
        item.Detach();
        item.LeaveFile();
        RemoveReady(item);
        kernel.EpollWatches--;
    }

    private void RemoveReady(EpollItem item)
    {
        if (!item.IsReady) return;
        if (item.PreviousReady is null) _firstReady = item.NextReady;
        else item.PreviousReady.NextReady = item.NextReady;
        if (item.NextReady is null) _lastReady = item.PreviousReady;
        else item.NextReady.PreviousReady = item.PreviousReady;
        item.NextReady = item.PreviousReady = null;
        item.IsReady = false;
    }
}
