using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>A process: a thread group with what its threads share. (Being written.)</summary>
[Saved]
public sealed partial class Process
{
    private Process()
    {
    }

    /// <summary>The kernel that it belongs to.</summary>
    public Kernel Kernel { get; private set; } = null!;

    /// <summary>Process id (tgid).</summary>
    public int Pid { get; internal set; }

    /// <summary>Threads, the leader first.</summary>
    public List<PosixThread> Threads { get; private set; } = [];

    /// <summary>rlimits (getrlimit(2)).</summary>
    public ResourceLimitSet ResourceLimits { get; internal set; } = new();
}
