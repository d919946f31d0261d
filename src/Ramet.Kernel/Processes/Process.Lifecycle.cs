using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Processes;

/// <summary>The end of a process, stopping and continuing, and what its parent is told.</summary>
public sealed partial class Process
{
    private int _groupExitStatus;
    private int _stopStatus;
    private bool _stopReported = true;
    private bool _continueReported = true;

    internal const int CLD_EXITED = 1;
    internal const int CLD_KILLED = 2;
    internal const int CLD_STOPPED = 5;
    internal const int CLD_CONTINUED = 6;

    private uint _lastUid;

    /// <summary>The real user id: that of the main thread, or the one that it ended with.</summary>
    internal uint Uid => Leader?.Credentials.Uid ?? _lastUid;

    /// <summary>Whether it was a zombie and has been waited for: its id may be another's by now.</summary>
    public bool IsReaped { get; internal set; }

    /// <summary>Most resident memory that was seen at an exec or at the end, KiB (ru_maxrss).</summary>
    internal long PeakResidentKilobytes { get; private set; }

    /// <summary>The same of children that have been waited for.</summary>
    internal long ChildrenPeakKilobytes { get; set; }

    /// <summary>An address space of this process is about to go.</summary>
    internal void NoteResident(long pages) => PeakResidentKilobytes = Math.Max(PeakResidentKilobytes, pages * 4);

    /// <summary>Wait status of a normal end.</summary>
    public static int ExitedStatus(int code) => (code & 0xFF) << 8;

    /// <summary>Wait status of an end by a signal. WCOREDUMP is never set: Linux sets it when a dump was written, and Ramet writes none.</summary>
    public static int KilledStatus(int signal) => signal;

    /// <summary>Ends all threads with this status (exit_group(2), a fatal signal). The first status counts.</summary>
    public void ExitGroup(int status)
    {
        if (IsExiting) return;
        IsExiting = true;
        _groupExitStatus = status;
        foreach (var thread in Threads.ToArray()) thread.RequestExit();
    }

    /// <summary>Ends all threads but one (execve); they are gone when this returns.</summary>
    internal void EndOtherThreads(PosixThread survivor)
    {
        foreach (var thread in Threads.ToArray())
        {
            if (thread != survivor) thread.Exit(0);
        }
    }

    /// <summary>A thread has ended. The last one makes the process a zombie.</summary>
    internal void OnThreadEnded(PosixThread thread, int status)
    {
        EndedThreadsTime += thread.CpuTime;
        _lastUid = thread.Credentials.Uid;
        Threads.Remove(thread);
        NotifyOfParentThread(thread);
        if (Threads.Count > 0) return;
        IsZombie = true;
        Kernel.Processes.AddUnreaped();
        ExitStatus = IsExiting ? _groupExitStatus : status;
        IsExiting = true;
        StopTimers();
        Kernel.OnProcessEnded(this);
        Terminals.Terminal.OnProcessEnded(this);
        HangUpOrphans(this, exiting: this);
        AdoptChildren();
        ExitEvents.Wake();
        if (!HoldForTracer()) NotifyParent(ExitStatus);
    }

    /// <summary>Stops all threads (SIGSTOP and its kin).</summary>
    internal void Stop(int signal)
    {
        if (IsExiting) return;
        IsStopped = true;
        _stopStatus = signal;
        _stopReported = false;
        _continueReported = true;
        foreach (var thread in Threads) thread.Suspend();
        if (Parent is null || (Parent.Handlers[Signal.SIGCHLD].Flags & SignalActionFlags.SA_NOCLDSTOP) != 0)
        {
            Parent?.ChildEvents.Wake(exclusive: int.MaxValue);
            return;
        }

        Parent.SendSignal(ChildInfo(CLD_STOPPED, signal));
        Parent.ChildEvents.Wake(exclusive: int.MaxValue);
    }

    /// <summary>SIGCONT.</summary>
    internal void Continue()
    {
        if (!IsStopped) return;
        IsStopped = false;
        _stopReported = true;
        _continueReported = false;
        foreach (var thread in Threads) thread.Resume();
        if (Parent is null) return;
        if ((Parent.Handlers[Signal.SIGCHLD].Flags & SignalActionFlags.SA_NOCLDSTOP) == 0) Parent.SendSignal(ChildInfo(CLD_CONTINUED, Signal.SIGCONT));
        Parent.ChildEvents.Wake(exclusive: int.MaxValue);
    }

    /// <summary>Whether waitid(2) with WSTOPPED has something to report.</summary>
    internal bool HasUnreportedStop => IsStopped && !_stopReported;

    /// <summary>Whether waitid(2) with WCONTINUED has something to report.</summary>
    internal bool HasUnreportedContinue => !_continueReported;

    /// <summary>The signal that stopped it.</summary>
    internal int StopSignal => _stopStatus;

    /// <summary>The parent has seen the stop.</summary>
    internal void ReportStop() => _stopReported = true;

    /// <summary>The parent has seen the continue.</summary>
    internal void ReportContinue() => _continueReported = true;

    /// <summary>
    /// A thread has ended: threads of processes that it had made may have asked for a signal (PR_SET_PDEATHSIG; the "parent" is the thread, prctl(2)). Another
    /// thread of the process takes its place.
    /// </summary>
    private void NotifyOfParentThread(PosixThread ended)
    {
        foreach (var child in Children.ToArray())
        {
            if (child.ParentThread != ended) continue;
            child.ParentThread = Leader;
            foreach (var thread in child.Threads.ToArray())
            {
                if (thread.ParentDeathSignal == 0) continue;
                child.SendSignal(new SignalInfo { Signal = thread.ParentDeathSignal, Code = SignalInfo.SI_USER, Pid = Pid, Uid = (int)ended.Credentials.Uid });
            }
        }
    }

    private void AdoptChildren()
    {
        if (Children.Count == 0) return;
        var reaper = Parent;
        while (reaper is not null && (!reaper.IsSubreaper || reaper.IsZombie)) reaper = reaper.Parent;
        reaper ??= Kernel.Processes.Init;
        // Process 1 waits for what it adopts at once: there is nothing to add to its list and to take out again.
        bool reaps = reaper == Kernel.Processes.Init;
        foreach (var child in Children)
        {
            child.Parent = reaper;
            child.ParentThread = reaper.Leader;
            if (!reaps || child is not { IsZombie: true, IsHeldByTracer: false }) reaper.Children.Add(child);
        }

        foreach (var child in Children)
        {
            // Its parent was in another group of the session: it may have been what kept the group from being orphaned.
            if (!child.IsZombie && child.ProcessGroup != ProcessGroup && child.Session == Session) child.HangUpOrphans(this, exiting: null);
        }

        var zombies = Children.FindAll(child => child is { IsZombie: true, IsHeldByTracer: false });
        Children.Clear();
        foreach (var zombie in zombies)
        {
            if (reaps) Kernel.Processes.Forget(zombie);
            else zombie.NotifyParent(zombie.ExitStatus);
        }
    }

    private void NotifyParent(int status)
    {
        if (Parent is null) return;
        if (Parent == Kernel.Processes.Init)
        {
            Kernel.Processes.Reap(this);
            return;
        }

        var action = Parent.Handlers[Signal.SIGCHLD];
        bool autoReap = ExitSignal == Signal.SIGCHLD
            && (action.Handler == SignalAction.Ignore || (action.Flags & SignalActionFlags.SA_NOCLDWAIT) != 0);
        var parent = Parent;
        if (ExitSignal != 0 && (!autoReap || action.Handler != SignalAction.Ignore))
        {
            int signal = status & 0x7F;
            var info = ChildInfo(signal == 0 ? CLD_EXITED : CLD_KILLED, signal == 0 ? status >> 8 : signal);
            info.Signal = ExitSignal;
            parent.SendSignal(info);
        }

        if (autoReap) Kernel.Processes.Reap(this);
        parent.ChildEvents.Wake(exclusive: int.MaxValue);
    }

    private SignalInfo ChildInfo(int code, int status) => new()
    {
        Signal = Signal.SIGCHLD,
        Code = code,
        Pid = Pid,
        Uid = (int)Uid,
        Value = (uint)status,
    };
}
