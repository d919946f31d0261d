using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Processes;

public sealed partial class Process
{
    /// <summary>Most queued signals (RLIMIT_SIGPENDING).</summary>
    internal int SignalQueueLimit => (int)Math.Min(ResourceLimits.Soft(ResourceLimit.RLIMIT_SIGPENDING), 65536);

    /// <summary>Sends a signal of the kernel's own to the process.</summary>
    public void SendSignal(int signal) => SendSignal(SignalInfo.FromKernel(signal));

    /// <summary>Sends a signal to the process: some thread that does not block it takes it. False when the queue is full.</summary>
    public bool SendSignal(in SignalInfo info)
    {
        if (IsZombie || Threads.Count == 0 || !PrepareSignal(info.Signal, null)) return true;
        bool added = Pending.Add(info, SignalQueueLimit);
        foreach (var thread in Threads)
        {
            if (thread.Notify(info.Signal)) break;
        }

        Kernel.OnSignalQueued(this);
        return added || info.Signal < Signal.SIGRTMIN;
    }

    /// <summary>
    /// What sending does before anything is queued: stop and continue signals cancel each other, SIGCONT continues, and ignored signals vanish. False when
    /// there is nothing to queue.
    /// </summary>
    internal bool PrepareSignal(int signal, PosixThread? target)
    {
        if (Signal.IsStopping(signal)) RemovePending(Signal.Bit(Signal.SIGCONT));
        if (signal == Signal.SIGCONT || signal == Signal.SIGKILL)
        {
            RemovePending(Signal.Stopping);
            if (signal == Signal.SIGCONT) Continue();
            else ResumeForKill();
        }

        ulong handler = Handlers[signal].Handler;
        bool ignored = handler == SignalAction.Ignore || (handler == SignalAction.Default && Signal.IsIgnoredByDefault(signal));
        if (!ignored) return true;
        // Its tracer sees every signal.
        if ((target ?? Leader)?.Trace is not null && signal != Signal.SIGKILL) return true;
        // A blocked signal is kept even if ignored now: its action may change before it is unblocked; and sigtimedwait and signalfd may take it.
        return target is not null ? (target.SignalMask & Signal.Bit(signal)) != 0 : Threads.Exists(thread => (thread.SignalMask & Signal.Bit(signal)) != 0);
    }

    private void RemovePending(ulong set)
    {
        Pending.Remove(set);
        foreach (var thread in Threads) thread.Pending.Remove(set);
    }

    private void ResumeForKill()
    {
        IsStopped = false;
        foreach (var thread in Threads) thread.LeaveTraceStop();
    }
}
