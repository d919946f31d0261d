using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>
/// The only way to block: an object that threads, and things that watch for threads (epoll), wait on. Waiters are plain
/// data, so a blocked thread can be saved, cloned and restored, and costs no host thread.
/// </summary>
[Saved]
public sealed partial class WaitQueue
{
    private Waiter? _first;
    private Waiter? _last;

    /// <summary>Whether nobody waits.</summary>
    public bool IsEmpty => _first is null;

    /// <summary>Who came last.</summary>
    internal Waiter? Last => _last;

    /// <summary>Adds a waiter at the end. A waiter is on one queue at a time.</summary>
    public void Add(Waiter waiter)
    {
        if (waiter.Queue is not null) throw new InvalidOperationException("The waiter is on a queue already.");
        waiter.Queue = this;
        waiter.Previous = _last;
        if (_last is null) _first = waiter;
        else _last.Next = waiter;
        _last = waiter;
    }

    /// <summary>Takes a waiter off, if it is on this queue.</summary>
    public void Remove(Waiter waiter)
    {
        if (waiter.Queue != this) return;
        if (waiter.Previous is null) _first = waiter.Next;
        else waiter.Previous.Next = waiter.Next;
        if (waiter.Next is null) _last = waiter.Previous;
        else waiter.Next.Previous = waiter.Previous;
        waiter.Next = waiter.Previous = null;
        waiter.Queue = null;
    }

    /// <summary>
    /// Tells waiters that something happened: all that are not exclusive, and up to <paramref name="exclusive"/> of those that are. Returns how many took it.
    /// </summary>
    /// <param name="events">What happened; waiters that wait for none of it are passed over.</param>
    /// <param name="exclusive">How many exclusive waiters to tell.</param>
    public int Wake(PollEvents events = PollEvents.All, int exclusive = 1)
    {
        int woken = 0;
        for (var waiter = _first; waiter is not null; waiter = waiter.Next)
        {
            if ((waiter.Events & events) == 0 || (waiter.Exclusive && exclusive <= 0) || !waiter.OnWake(events)) continue;
            woken++;
            if (waiter.Exclusive) exclusive--;
        }

        return woken;
    }

    /// <summary>The waiters in order; the queue must not change meanwhile, but the current waiter may be removed.</summary>
    public IEnumerable<Waiter> Waiters
    {
        get
        {
            for (var waiter = _first; waiter is not null;)
            {
                var next = waiter.Next;
                yield return waiter;
                waiter = next;
            }
        }
    }
}

/// <summary>Someone who waits on a <see cref="WaitQueue"/>.</summary>
[Saved]
public abstract partial class Waiter
{
    internal WaitQueue? Queue;
    internal Waiter? Next;
    internal Waiter? Previous;

    /// <summary>What is waited for.</summary>
    public PollEvents Events { get; set; } = PollEvents.All;

    /// <summary>Whether one wake-up is to reach only one such waiter (EPOLLEXCLUSIVE, futexes, accept).</summary>
    public bool Exclusive { get; set; }

    /// <summary>Something happened. Runs under the kernel lock, must not block and must not change the queue (a woken thread takes its waiters off when it
    /// runs again). False when it was not interested, or had been woken before.</summary>
    public abstract bool OnWake(PollEvents events);

    /// <summary>Takes the waiter off its queue, if it is on one.</summary>
    public void Detach() => Queue?.Remove(this);
}

/// <summary>Events of poll(2) and epoll(7); values are those of POLL* and EPOLL*.</summary>
[Flags]
public enum PollEvents : uint
{
    None = 0,
    POLLIN = 0x1,
    POLLPRI = 0x2,
    POLLOUT = 0x4,
    POLLERR = 0x8,
    POLLHUP = 0x10,
    POLLNVAL = 0x20,
    POLLRDNORM = 0x40,
    POLLRDBAND = 0x80,
    POLLWRNORM = 0x100,
    POLLWRBAND = 0x200,
    POLLMSG = 0x400,
    POLLRDHUP = 0x2000,
    All = 0x0FFFFFFF,
    EPOLLEXCLUSIVE = 1u << 28,
    EPOLLWAKEUP = 1u << 29,
    EPOLLONESHOT = 1u << 30,
    EPOLLET = 1u << 31,
}
