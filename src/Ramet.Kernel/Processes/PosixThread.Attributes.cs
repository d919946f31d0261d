namespace Ramet.Kernel.Processes;

/// <summary>What prctl(2), sched_setscheduler(2) and their kin set on a thread.</summary>
public sealed partial class PosixThread
{
    private const long DefaultTimerSlack = 50_000;

    /// <summary>Where the kernel writes 0 and wakes a futex when the thread ends (set_tid_address(2)); 0: nowhere.</summary>
    internal ulong ClearChildTid { get; set; }

    /// <summary>struct robust_list_head of the thread (set_robust_list(2)); 0: none.</summary>
    internal ulong RobustList { get; set; }

    /// <summary>PR_SET_PDEATHSIG: signal to the process when the thread that made it ends; 0: none.</summary>
    internal int ParentDeathSignal { get; set; }

    /// <summary>Nice value, -20 to 19.</summary>
    public int Nice { get; internal set; }

    /// <summary>Scheduling policy. Recorded and reported; all threads get equal turns.</summary>
    internal SchedulingPolicy Policy { get; set; }

    /// <summary>Real-time priority, 1 to 99 for SCHED_FIFO and SCHED_RR.</summary>
    internal int RealTimePriority { get; set; }

    /// <summary>SCHED_RESET_ON_FORK.</summary>
    internal bool ResetSchedulingOnFork { get; set; }

    /// <summary>CPUs that it may use, a bit each (sched_setaffinity(2)). Recorded and reported.</summary>
    internal ulong Affinity { get; set; } = ulong.MaxValue;

    /// <summary>ioprio_set(2).</summary>
    internal int IoPriority { get; set; }

    /// <summary>PR_SET_TIMERSLACK, ns.</summary>
    internal long TimerSlack { get; set; } = DefaultTimerSlack;

    /// <summary>securebits (capabilities(7)).</summary>
    internal uint SecureBits { get; set; }

    /// <summary>SECCOMP_MODE_*; 0: not confined.</summary>
    internal int SeccompMode { get; set; }

    /// <summary>Filters, the newest first.</summary>
    internal Seccomp.SeccompFilter? SeccompFilter { get; set; }

    /// <summary>Clone: what a child has from its parent.</summary>
    internal void InheritAttributes(PosixThread parent)
    {
        bool reset = parent.ResetSchedulingOnFork;
        Nice = reset ? Math.Max(parent.Nice, 0) : parent.Nice;
        Policy = reset && parent.Policy is SchedulingPolicy.SCHED_FIFO or SchedulingPolicy.SCHED_RR ? SchedulingPolicy.SCHED_OTHER : parent.Policy;
        RealTimePriority = reset ? 0 : parent.RealTimePriority;
        Affinity = parent.Affinity;
        IoPriority = parent.IoPriority;
        TimerSlack = parent.TimerSlack;
        SecureBits = parent.SecureBits;
        SeccompMode = parent.SeccompMode;
        SeccompFilter = parent.SeccompFilter;
    }

    /// <summary>execve: what a new program starts with.</summary>
    internal void ResetForExec()
    {
        ClearChildTid = 0;
        RobustList = 0;
        SecureBits &= ~SecureBit.KeepCapabilities;
    }
}

/// <summary>SECBIT_* (capabilities(7)).</summary>
internal static class SecureBit
{
    public const uint NoRoot = 1;
    public const uint NoSetUidFixup = 4;
    public const uint KeepCapabilities = 16;

    /// <summary>All bits and their locks.</summary>
    public const uint All = 0xFF;
}
