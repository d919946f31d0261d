namespace Ramet.Kernel.Processes;

/// <summary>What prctl(2) and personality(2) set on a process.</summary>
public sealed partial class Process
{
    /// <summary>The thread that made it, or one that has taken its place; null for init's children.</summary>
    internal PosixThread? ParentThread { get; set; }

    /// <summary>personality(2).</summary>
    internal uint Personality { get; set; }

    /// <summary>PR_SET_DUMPABLE.</summary>
    internal int Dumpable { get; set; } = 1;

    /// <summary>/proc/[pid]/oom_score_adj; kept for programs to read back.</summary>
    internal int OomScoreAdjustment { get; set; }

    /// <summary>PR_SET_THP_DISABLE.</summary>
    internal bool HugePagesDisabled { get; set; }

    /// <summary>Commands that membarrier(2) has been registered for.</summary>
    internal MembarrierCommand MembarrierRegistrations { get; set; }

    /// <summary>Clone: what a child has from its parent.</summary>
    internal void InheritAttributes(Process parent)
    {
        Personality = parent.Personality;
        Dumpable = parent.Dumpable;
        OomScoreAdjustment = parent.OomScoreAdjustment;
        HugePagesDisabled = parent.HugePagesDisabled;
        MembarrierRegistrations = parent.MembarrierRegistrations;
    }

    /// <summary>execve: what a new program starts with. Interval timers go on; POSIX timers end.</summary>
    internal void ResetForExec()
    {
        Dumpable = 1;
        MembarrierRegistrations = 0;
        DeletePosixTimers();
    }
}
