using Ramet.Kernel.Signals;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>A process: a thread group with what its threads share.</summary>
[Saved]
public sealed partial class Process
{
    private Process()
    {
    }

    internal Process(Kernel kernel, int pid)
    {
        Kernel = kernel;
        Pid = pid;
        StartTime = kernel.MonotonicNow;
    }

    /// <summary>The kernel that it belongs to.</summary>
    public Kernel Kernel { get; private set; } = null!;

    /// <summary>Process id (tgid).</summary>
    public int Pid { get; internal set; }

    /// <summary>Threads that live, the leader first (until it ends).</summary>
    public List<PosixThread> Threads { get; private set; } = [];

    /// <summary>The parent; null for the sandbox's init.</summary>
    public Process? Parent { get; internal set; }

    /// <summary>Children that have not been waited for.</summary>
    public List<Process> Children { get; private set; } = [];

    /// <summary>Process group.</summary>
    public int ProcessGroup { get; internal set; }

    /// <summary>Session.</summary>
    public int Session { get; internal set; }

    /// <summary>The controlling terminal; null: none.</summary>
    internal Terminals.Terminal? ControllingTerminal { get; set; }

    /// <summary>The foreground group of the controlling terminal at the time when that hung up; 0: none.</summary>
    internal int LostForegroundGroup { get; set; }

    /// <summary>Whether execve has happened since fork (setpgid refuses then).</summary>
    public bool HasExecuted { get; internal set; }

    /// <summary>PR_SET_CHILD_SUBREAPER.</summary>
    public bool IsSubreaper { get; set; }

    /// <summary>Signal to the parent at the end; 0: none.</summary>
    public int ExitSignal { get; internal set; } = Signal.SIGCHLD;

    /// <summary>rlimits (getrlimit(2)).</summary>
    public ResourceLimitSet ResourceLimits { get; internal set; } = new();

    /// <summary>Signal handlers.</summary>
    public SignalHandlers Handlers { get; internal set; } = new();

    /// <summary>Signals sent to the process as a whole.</summary>
    public PendingSignals Pending { get; private set; } = new();

    /// <summary>Where wait4 waits for children to change.</summary>
    public WaitQueue ChildEvents { get; private set; } = new();

    /// <summary>Where signalfds wait for signals.</summary>
    public WaitQueue SignalEvents { get; private set; } = new();

    /// <summary>Where pidfds wait for the end of this process.</summary>
    public WaitQueue ExitEvents { get; private set; } = new();

    /// <summary>Wait status once it has ended (wait(2)).</summary>
    public int ExitStatus { get; private set; }

    /// <summary>Whether all threads have ended.</summary>
    public bool IsZombie { get; private set; }

    /// <summary>Whether it is stopped by job control.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Whether it is ending: threads that are still there get no further.</summary>
    public bool IsExiting { get; private set; }

    /// <summary>When it started (<c>Kernel.MonotonicNow</c>, ns).</summary>
    public long StartTime { get; private set; }

    /// <summary>CPU time of threads that have ended, ns.</summary>
    public long EndedThreadsTime { get; private set; }

    /// <summary>CPU time of children that have been waited for, ns.</summary>
    public long ChildrenTime { get; internal set; }

    /// <summary>CPU time of all threads, ns.</summary>
    public long CpuTime
    {
        get
        {
            long time = EndedThreadsTime;
            foreach (var thread in Threads) time += thread.CpuTime;
            return time;
        }
    }

    /// <summary>The main thread while it lives, else any; null for init and zombies.</summary>
    public PosixThread? Leader => Threads.Count > 0 ? Threads[0] : null;
}
