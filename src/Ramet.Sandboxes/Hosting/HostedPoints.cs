namespace Ramet.Sandboxes.Hosting;

/// <summary>A point of a sandbox that it can go back to.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">What its maker called it; null: nothing.</param>
/// <param name="Created">When.</param>
/// <param name="MemoryBytes">Bytes that it takes.</param>
/// <param name="IsAutomatic">Whether it was made by itself, before a run: it gives way to others.</param>
public sealed record HostedCheckpoint(string Id, string? Name, DateTimeOffset Created, long MemoryBytes, bool IsAutomatic);

/// <summary>What differs between two points of a sandbox.</summary>
/// <param name="Files">Files, by path.</param>
/// <param name="IsCutOff">Whether more files differ than are listed.</param>
/// <param name="Started">Processes that run at the second point and did not at the first.</param>
/// <param name="Ended">Processes that ran at the first point and do not at the second.</param>
/// <param name="PagesChanged">Pages of RAM that differ.</param>
/// <param name="BytesBefore">RAM in use at the first point.</param>
/// <param name="BytesAfter">The same at the second.</param>
public sealed record HostedDiff(
    IReadOnlyList<HostedFileDifference> Files, bool IsCutOff, IReadOnlyList<HostedProcessName> Started, IReadOnlyList<HostedProcessName> Ended, long PagesChanged, ulong BytesBefore, ulong BytesAfter);

/// <summary>A process of a sandbox, whoever started it.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="Command">argv.</param>
public sealed record HostedProcessName(int Pid, IReadOnlyList<string> Command);

/// <summary>A file that differs.</summary>
/// <param name="Path">Where.</param>
/// <param name="Change">added, changed or removed.</param>
/// <param name="Kind">file, directory, symlink, ...: as it is at the second point, or was.</param>
/// <param name="SizeBefore">Bytes; null: it was not there.</param>
/// <param name="SizeAfter">Bytes; null: it is not there.</param>
/// <param name="ContentBefore">What it held; null: it is no regular file, too large, or not wanted.</param>
/// <param name="ContentAfter">The same now.</param>
public sealed record HostedFileDifference(string Path, string Change, string Kind, long? SizeBefore, long? SizeAfter, byte[]? ContentBefore, byte[]? ContentAfter);

/// <summary>What a sandbox has used.</summary>
public sealed record HostedMetrics
{
    /// <summary>CPU time, ms.</summary>
    public double CpuMilliseconds { get; init; }

    /// <summary>Memory in use, bytes: programs, page tables, and files of the writable layer.</summary>
    public ulong MemoryBytes { get; init; }

    /// <summary>Its limit.</summary>
    public ulong MemoryLimitBytes { get; init; }

    /// <summary>Pages of 4 KiB that are its own, rather than shared with its template or parent.</summary>
    public long PagesWritten { get; init; }

    /// <summary>System calls.</summary>
    public long SystemCalls { get; init; }

    /// <summary>Page faults that the kernel served.</summary>
    public long PageFaults { get; init; }

    /// <summary>Processes that run.</summary>
    public int Processes { get; init; }

    /// <summary>Threads of these.</summary>
    public int Threads { get; init; }

    /// <summary>Open files.</summary>
    public int OpenFiles { get; init; }

    /// <summary>Bytes that were printed.</summary>
    public long OutputBytes { get; init; }

    /// <summary>Pieces of code that were run.</summary>
    public long Runs { get; init; }
}

/// <summary>Something that happened to a sandbox.</summary>
/// <param name="Time">When.</param>
/// <param name="Event">created, forked, restored, run, process, paused, resumed, checkpoint, rewound, snapshot.</param>
/// <param name="Text">More of it.</param>
public sealed record HostedLogEntry(DateTimeOffset Time, string Event, string Text);

/// <summary>The sandbox is in a state in which this cannot be done; the message says what to do.</summary>
/// <param name="message">For the user.</param>
public sealed class SandboxConflictException(string message) : SandboxException(message);

/// <summary>The sandbox has no such checkpoint.</summary>
/// <param name="checkpoint">What was asked for.</param>
public sealed class CheckpointGoneException(string checkpoint) : SandboxException($"The sandbox has no checkpoint '{checkpoint}'; it may have given way to later ones.")
{
    /// <summary>What was asked for.</summary>
    public string Checkpoint { get; } = checkpoint;
}
