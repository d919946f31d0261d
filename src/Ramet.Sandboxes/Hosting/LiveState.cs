namespace Ramet.Sandboxes.Hosting;

/// <summary>What the host of a live sandbox knows of it and its kernel does not, at one moment: part of its snapshots.</summary>
public sealed record LiveState
{
    /// <summary>Whether an interpreter waits for code in it.</summary>
    public required bool HasInterpreter { get; init; }

    /// <summary>Processes that were started from outside.</summary>
    public required IReadOnlyList<LiveProcessState> Processes { get; init; }

    /// <summary>The last number that was given to an output stream.</summary>
    public required int LastStream { get; init; }

    /// <summary>Whether the interpreter executes code, whose end nobody will wait for.</summary>
    public required bool IsBusy { get; init; }

    /// <summary>What is kept of the interpreter's output.</summary>
    public required IReadOnlyList<LiveOutput> Output { get; init; }

    /// <summary>CPU time that was used before it was made, ns.</summary>
    public required long CpuBefore { get; init; }

    /// <summary>Counts of earlier machines.</summary>
    public required HostedMetrics Counted { get; init; }

    /// <summary>What has happened.</summary>
    public required IReadOnlyList<HostedLogEntry> History { get; init; }
}

/// <summary>A process that was started from outside.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="Program">What it is.</param>
/// <param name="OutputStream">Number of its standard output; that of its standard error is the next.</param>
/// <param name="Started">When.</param>
/// <param name="ExitCode">How it ended; null: it runs.</param>
/// <param name="Output">What is kept of its output.</param>
public sealed record LiveProcessState(int Pid, HostedProgram Program, int OutputStream, DateTimeOffset Started, int? ExitCode, IReadOnlyList<LiveOutput> Output);

/// <summary>Bytes of output.</summary>
/// <param name="Kind">Of which stream.</param>
/// <param name="Data">The bytes.</param>
public sealed record LiveOutput(HostedEventKind Kind, byte[] Data);
