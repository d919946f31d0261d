using Ramet.Kernel.State;

namespace Ramet.Kernel;

/// <summary>What has happened in a sandbox, for --stats and metrics. Not part of a snapshot: a fork counts from zero.</summary>
[Saved]
public sealed partial class KernelStatistics
{
    /// <summary>System calls served.</summary>
    [NotSaved]
    public long Syscalls { get; internal set; }

    /// <summary>Those of them that were served without an exit, through the mailbox.</summary>
    [NotSaved]
    public long PostedSyscalls { get; internal set; }

    /// <summary>Page faults served.</summary>
    [NotSaved]
    public long PageFaults { get; internal set; }

    /// <summary>Exits of virtual CPUs, of any kind.</summary>
    [NotSaved]
    public long Exits { get; internal set; }

    /// <summary>Signals delivered.</summary>
    [NotSaved]
    public long Signals { get; internal set; }

    /// <summary>Processes killed because the memory limit was reached.</summary>
    [NotSaved]
    public long OutOfMemoryKills { get; internal set; }

    /// <summary>Numbers of system calls that are counted each for itself: 0 up to this, which leaves room above those that Linux has.</summary>
    internal const int CountedNumbers = 1024;

    /// <summary>Calls that Ramet does not have, by number; -1: all that lie outside of what a table of calls may have.</summary>
    [NotSaved]
    public Dictionary<int, long> Absent { get; private set; } = [];
}
