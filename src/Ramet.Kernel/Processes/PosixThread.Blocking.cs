using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Processes;

/// <summary>
/// Blocking. A handler that has to wait registers what it waits for with <see cref="WaitOn"/>, may set a deadline with <see cref="WaitUntil"/>, and returns
/// <see cref="Block"/>. When one of these happens, or a signal comes, the same handler runs again from the start with the same arguments and <see cref="Resuming"/>
/// true: it tries again and either has a result or blocks again. Progress that must survive lives in
/// <see cref="Progress"/> and <see cref="ResumeState"/>.
/// </summary>
public sealed partial class PosixThread
{
    private List<ThreadWaiter> _waiters = [];
    private ThreadTimer? _timer;
    private int _pollWaiters;

    /// <summary>No deadline.</summary>
    public const long Never = long.MaxValue;

    /// <summary>Whether the current handler runs again after having blocked.</summary>
    public bool Resuming { get; internal set; }

    /// <summary>For the handler: how far it has come (bytes written ...). 0 at the first run of a call.</summary>
    public long Progress { get; set; }

    /// <summary>For the handler: saved state of the call. Null at the first run of a call.</summary>
    public object? ResumeState { get; set; }

    /// <summary>When the call gives up waiting (<c>Kernel.MonotonicNow</c>, ns); <see cref="Never"/> at the first run of a call.</summary>
    public long Deadline { get; private set; } = Never;

    /// <summary>Whether the deadline has passed.</summary>
    public bool TimedOut => Deadline != Never && Kernel.MonotonicNow >= Deadline;

    /// <summary>Also wait on this queue.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="events">The events that end the wait.</param>
    /// <param name="exclusive">Whether one wake-up is to reach only one such thread.</param>
    public void WaitOn(WaitQueue queue, PollEvents events = PollEvents.All, bool exclusive = false)
    {
        var waiter = new ThreadWaiter(this) { Events = events, Exclusive = exclusive };
        queue.Add(waiter);
        _waiters.Add(waiter);
    }

    /// <summary>
    /// Also wait on this queue, for poll and select, which may name one file thousands of times: a queue is waited on once. False over <see cref="Kernel.MaximumPollWaiters"/>.
    /// </summary>
    internal bool TryPollOn(WaitQueue queue, PollEvents events)
    {
        // The kernel lock is held since the call began to register, so what this thread has put on the queue is its last.
        if (queue.Last is ThreadWaiter last && last.Waiting == this)
        {
            last.Events |= events;
            return true;
        }

        if (Kernel.PollWaiters >= Kernel.MaximumPollWaiters) return false;
        Kernel.PollWaiters++;
        _pollWaiters++;
        WaitOn(queue, events);
        return true;
    }

    /// <summary>Also wait on this waiter's queue (a waiter that carries data: a futex with its bit set).</summary>
    public void WaitOn(WaitQueue queue, ThreadWaiter waiter)
    {
        queue.Add(waiter);
        _waiters.Add(waiter);
    }

    /// <summary>End the wait at this time at the latest. The first call of a system call decides; later ones, when it is resumed, change nothing.</summary>
    /// <param name="deadline"><c>Kernel.MonotonicNow</c> in ns, or <see cref="Never"/>.</param>
    public void WaitUntil(long deadline)
    {
        if (Deadline == Never) Deadline = deadline;
    }

    /// <summary>Sets the deadline of the current call anew (a terminal's time between two bytes).</summary>
    internal void RestartDeadline(long deadline) => Deadline = deadline;

    /// <summary>
    /// The thread waits. Returned by a handler at once. When a signal is pending the thread does not wait: the result is then what
    /// <paramref name="restart"/> makes of the call, so a handler that has partial results checks <see cref="SignalPending"/> first.
    /// </summary>
    public SyscallResult Block(RestartKind restart = RestartKind.ERESTARTSYS)
    {
        if (SignalPending)
        {
            StopWaiting();
            return SyscallResult.Restart(restart);
        }

        if (Deadline != Never) Kernel.Timers.Set(_timer ??= new ThreadTimer(this), Deadline);
        State = ThreadState.Blocked;
        return SyscallResult.Blocked;
    }

    /// <summary>Waits on one queue: the common case of <see cref="WaitOn(WaitQueue, PollEvents, bool)"/> and <see cref="Block"/>.</summary>
    public SyscallResult BlockOn(WaitQueue queue, PollEvents events = PollEvents.All, RestartKind restart = RestartKind.ERESTARTSYS)
    {
        WaitOn(queue, events);
        return Block(restart);
    }

    /// <summary>Makes a blocked thread ready to run its handler again. False when it was not blocked.</summary>
    public bool Wake()
    {
        if (State != ThreadState.Blocked) return false;
        State = ThreadState.Runnable;
        Kernel.Scheduler.Enqueue(this);
        return true;
    }

    /// <summary>Takes the thread off all queues: before its handler runs again, or because it will not.</summary>
    internal void StopWaiting()
    {
        _uninterruptible = false;
        foreach (var waiter in _waiters) waiter.Detach();
        _waiters.Clear();
        Kernel.PollWaiters -= _pollWaiters;
        _pollWaiters = 0;
        _uninterruptible = false;
        if (_timer is not null) Kernel.Timers.Cancel(_timer);
    }

    /// <summary>The thread ends in a call: an end of a FIFO that it has been opening counts as open, and nobody else will close it.</summary>
    private void ReleaseResumeState()
    {
        var state = ResumeState;
        ResumeState = null;
        if (InSyscall && state is Files.FileDescription opening) opening.Release(Kernel);
    }

    /// <summary>Forgets the state of the last call: a new one begins.</summary>
    internal void BeginSyscall()
    {
        Resuming = false;
        Progress = 0;
        ResumeState = null;
        Deadline = Never;
    }
}
