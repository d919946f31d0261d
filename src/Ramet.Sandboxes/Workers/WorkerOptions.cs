using System.Diagnostics;

namespace Ramet.Sandboxes.Workers;

/// <summary>How many workers there are.</summary>
public sealed record WorkerOptions
{
    /// <summary>The command that runs <see cref="WorkerServer"/> with its standard streams.</summary>
    public required Func<ProcessStartInfo> Command { get; init; }

    /// <summary>Sandboxes that run or live in one worker at the same time, before the tenant gets another.</summary>
    public int SandboxesPerWorker { get; init; } = 32;

    /// <summary>Workers that stand ready for tenants who come for the first time.</summary>
    public int Spares { get; init; } = 1;

    /// <summary>All workers together, spares too.</summary>
    public int Maximum { get; init; } = 64;

    /// <summary>A worker that nobody has used for this long ends.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromMinutes(5);
}
