namespace Ramet.Kernel.Processes;

/// <summary>Birth, suspension and end of a thread.</summary>
public sealed partial class PosixThread
{
    private bool _uninterruptible;

    /// <summary>Whether the thread ends as soon as it would run (its process ends).</summary>
    internal bool ExitRequested { get; private set; }

    /// <summary>Where the parent of a vfork waits until this thread calls execve or ends; null: nobody does.</summary>
    internal WaitQueue? VforkDone { get; set; }

    /// <summary>Whether a system call has begun and not ended: the handler runs again when the thread does.</summary>
    internal bool InSyscall { get; set; }

    /// <summary>Number of that system call.</summary>
    internal int SyscallNumber { get; set; }

    /// <summary>A restart code (<see cref="Syscalls.RestartKind"/>) that the last call returned and that is not settled yet; 0: none.</summary>
    internal int RestartCode { get; set; }

    /// <summary>The last exception that became a signal, for its frame: vector.</summary>
    internal ulong LastFaultVector { get; set; }

    /// <inheritdoc cref="LastFaultVector"/>
    internal ulong LastFaultError { get; set; }

    /// <inheritdoc cref="LastFaultVector"/>
    internal ulong LastFaultAddress { get; set; }

    /// <summary>CPU time used, ns.</summary>
    public long CpuTime { get; internal set; }

    /// <summary>When it started (<c>Kernel.MonotonicNow</c>, ns).</summary>
    public long StartTime { get; private set; }

    internal static PosixThread Create(Kernel kernel, Process process, int tid)
    {
        var thread = new PosixThread
        {
            Kernel = kernel,
            Process = process,
            Tid = tid,
            Uts = kernel.Uts,
            StartTime = kernel.MonotonicNow,
        };
        process.Threads.Add(thread);
        kernel.Processes.Add(thread);
        return thread;
    }

    /// <summary>
    /// The thread waits and only SIGKILL interrupts (vfork). Otherwise as <see cref="Block"/>.
    /// </summary>
    internal Syscalls.SyscallResult BlockUninterruptible(WaitQueue queue)
    {
        if (IsDying) return Syscalls.SyscallResult.Restart(Syscalls.RestartKind.ERESTARTNOINTR);
        WaitOn(queue);
        _uninterruptible = true;
        State = ThreadState.Blocked;
        return Syscalls.SyscallResult.Blocked;
    }

    /// <summary>The process ends: so will this thread, at the latest when it would run user code again.</summary>
    internal void RequestExit()
    {
        if (State == ThreadState.Dead) return;
        ExitRequested = true;
        if (State == ThreadState.Blocked)
        {
            Wake();
        }
        else if (State == ThreadState.Stopped)
        {
            if (Trace is not null) Trace.Stop = Tracing.TraceStop.None;
            State = ThreadState.Runnable;
            Kernel.Scheduler.Enqueue(this);
        }
        else
        {
            Kernel.Scheduler.Interrupt(this);
        }
    }

    /// <summary>Job control: the thread stops before it runs user code again. A blocked one stays blocked and stops when woken.</summary>
    internal void Suspend()
    {
        if (Trace is null)
        {
            Kernel.Scheduler.Interrupt(this);
            return;
        }

        // Its tracer waits for it to stop, wherever it is.
        Trace.GroupStopSeen = false;
        if (!IsInTraceStop) InterruptForTrace();
    }

    /// <summary>Job control: the thread goes on.</summary>
    internal void Resume()
    {
        if (Trace is not null)
        {
            Trace.GroupStopSeen = false;
            // A tracer that seized it is told that the stop is over.
            Trace.TrapRequested |= Trace.IsSeized;
            if (IsInTraceStop) return;
        }

        if (State != ThreadState.Stopped) return;
        State = ThreadState.Runnable;
        Kernel.Scheduler.Enqueue(this);
    }

    /// <summary>The thread ends (exit(2)).</summary>
    /// <param name="status">Wait status, which counts if it is the last thread.</param>
    internal void Exit(int status)
    {
        if (State == ThreadState.Dead) return;
        StopWaiting();
        Kernel.Scheduler.Remove(this);
        State = ThreadState.Dead;
        ReleaseResumeState();
        EndTracing(status);
        ReleaseUserState();
        Process.NoteResident(Memory.ResidentPages);
        Memory.RemoveUser();
        Files.Release(Process);
        Kernel.Processes.Remove(this);
        Process.OnThreadEnded(this, status);
    }

    /// <summary>
    /// What the kernel keeps in the program's memory for a thread is settled when it ends or executes another program: robust mutexes, the thread id word that
    /// pthread_join waits on, and a parent in vfork.
    /// </summary>
    internal void ReleaseUserState()
    {
        ExitRobustList();
        ClearChildTidAndWake();
        var waiting = VforkDone;
        VforkDone = null;
        waiting?.Wake();
    }
}
