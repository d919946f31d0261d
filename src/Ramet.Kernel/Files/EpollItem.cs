using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>
/// One descriptor that an epoll set watches. It waits on the file's queue; when the file says that something happened, it puts itself on the set's ready list, so
/// that finding out costs the same however many descriptors the set has.
/// </summary>
[Saved]
internal sealed partial class EpollItem : Waiter
{
    private PollEvents _interest;

    private EpollItem()
    {
    }

    public EpollItem(EpollSet set, FileDescription file, int descriptor)
    {
        Set = set;
        File = file;
        Descriptor = descriptor;
    }

    public EpollSet Set { get; private set; } = null!;

    /// <summary>The file; no reference is held: the item leaves when the file closes.</summary>
    public FileDescription File { get; private set; } = null!;

    /// <summary>The descriptor's number when it was added, which may have come to mean something else since.</summary>
    public int Descriptor { get; private set; }

    /// <summary>epoll_event.data.</summary>
    public ulong Data { get; set; }

    /// <summary>epoll_event.events; none: EPOLLONESHOT has fired.</summary>
    public PollEvents Interest
    {
        get => _interest;
        set
        {
            _interest = value;
            Exclusive = (value & PollEvents.EPOLLEXCLUSIVE) != 0;
            Events = value == PollEvents.None ? PollEvents.None : (value | Readiness.Always) & PollEvents.All;
        }
    }

    /// <summary>Another file under the same descriptor number in the same set.</summary>
    internal EpollItem? NextOfDescriptor;

    internal EpollItem? PreviousOfDescriptor;

    /// <summary>Another item of the same file, in any set.</summary>
    internal EpollItem? NextOfFile;

    internal EpollItem? PreviousOfFile;

    /// <summary>Place on the ready list.</summary>
    internal EpollItem? NextReady;

    internal EpollItem? PreviousReady;

    internal bool IsReady;

    /// <summary>Enters the list of its file.</summary>
    internal void JoinFile()
    {
        NextOfFile = File.FirstEpollItem;
        if (NextOfFile is not null) NextOfFile.PreviousOfFile = this;
        File.FirstEpollItem = this;
    }

    /// <summary>Leaves the list of its file.</summary>
    internal void LeaveFile()
    {
        if (PreviousOfFile is not null) PreviousOfFile.NextOfFile = NextOfFile;
        else File.FirstEpollItem = NextOfFile;
        if (NextOfFile is not null) NextOfFile.PreviousOfFile = PreviousOfFile;
        NextOfFile = PreviousOfFile = null;
    }

    /// <summary>What is to be reported now.</summary>
    public PollEvents Look() => Interest == PollEvents.None ? PollEvents.None : File.Poll() & Events;

    /// <inheritdoc/>
    public override bool OnWake(PollEvents events)
    {
        Set.AddReady(this);
        bool woken = Set.WakeOne();

        // An exclusive watcher has taken the event only when a thread goes on because of it (fs/eventpoll.c, ep_poll_callback).
        return !Exclusive || woken;
    }
}
