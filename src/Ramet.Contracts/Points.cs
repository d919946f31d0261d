using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Ramet.Contracts;

/// <summary>Body of <c>POST /v1/sandboxes/{id}/fork</c>.</summary>
public sealed record ForkBody
{
    /// <summary>How many children.</summary>
    [Description("How many children: 1 to 64. Default: 1.")]
    public int? Count { get; init; }

    /// <summary>When they end by themselves, seconds from now; null: after as long as the parent was given.</summary>
    [Description("When they end by themselves, in seconds from now. Default: after as long as the parent was given.")]
    public double? TimeoutSeconds { get; init; }

    /// <summary>What is noted with them; null: what is noted with the parent.</summary>
    [Description("What is noted with them. Default: what is noted with the parent.")]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Children of a sandbox.</summary>
public sealed record ForkAnswer
{
    /// <summary>The children.</summary>
    public required IReadOnlyList<SandboxAnswer> Sandboxes { get; init; }
}

/// <summary>Body of <c>POST /v1/sandboxes/{id}/snapshots</c>.</summary>
public sealed record SnapshotBody
{
    /// <summary>What it is called.</summary>
    [Description("What it is called, for people.")]
    public string? Name { get; init; }

    /// <summary>Whether all of its memory is in it.</summary>
    [Description("Keeps all memory, also what is the template's: to be moved to another machine, or past a new build of the template.")]
    public bool Whole { get; init; }
}

/// <summary>A sandbox's state on disk.</summary>
public sealed record SnapshotAnswer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What it is called.</summary>
    public string? Name { get; init; }

    /// <summary>The template below it; empty: it was made from an image.</summary>
    public required string Template { get; init; }

    /// <summary>The image of one without an interpreter.</summary>
    public string? Image { get; init; }

    /// <summary>The sandbox that it is of; null: it came from elsewhere.</summary>
    public string? Sandbox { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Bytes on disk.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>What was noted with the sandbox.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }
}

/// <summary>A page of snapshots.</summary>
public sealed record SnapshotList
{
    /// <summary>The oldest first.</summary>
    public required IReadOnlyList<SnapshotAnswer> Snapshots { get; init; }

    /// <summary>What to ask for as <c>cursor</c> to get the next page; null: this is the last.</summary>
    public string? NextCursor { get; init; }
}

/// <summary>Body of <c>POST /v1/sandboxes/{id}/checkpoints</c>.</summary>
public sealed record CheckpointBody
{
    /// <summary>What it is called.</summary>
    [Description("What it is called; it can be named instead of its id.")]
    public string? Name { get; init; }
}

/// <summary>A point of a sandbox that it can go back to.</summary>
public sealed record CheckpointAnswer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What it is called.</summary>
    public string? Name { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Bytes that it takes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Whether it was made by itself, before a run.</summary>
    public required bool Automatic { get; init; }
}

/// <summary>Checkpoints of a sandbox.</summary>
public sealed record CheckpointList
{
    /// <summary>The oldest first.</summary>
    public required IReadOnlyList<CheckpointAnswer> Checkpoints { get; init; }
}

/// <summary>Body of <c>POST /v1/sandboxes/{id}/rewind</c>.</summary>
public sealed record RewindBody
{
    /// <summary>The checkpoint.</summary>
    [Description("Id or name of the checkpoint.")]
    public required string Checkpoint { get; init; }
}

/// <summary>What differs between two points of a sandbox.</summary>
public sealed record DiffAnswer
{
    /// <summary>Files, by path.</summary>
    public required IReadOnlyList<FileDifference> Files { get; init; }

    /// <summary>Whether more files differ than are listed.</summary>
    public required bool Truncated { get; init; }

    /// <summary>Processes.</summary>
    public required ProcessDifference Processes { get; init; }

    /// <summary>Memory.</summary>
    public required MemoryDifference Memory { get; init; }
}

/// <summary>A file that differs.</summary>
public sealed record FileDifference
{
    /// <summary>Where.</summary>
    public required string Path { get; init; }

    /// <summary>added, changed or removed.</summary>
    public required string Change { get; init; }

    /// <summary>file, directory, symlink, fifo, socket, device or unknown.</summary>
    public required string Kind { get; init; }

    /// <summary>Bytes at the first point; null: it was not there.</summary>
    public long? SizeBefore { get; init; }

    /// <summary>Bytes at the second point; null: it is not there.</summary>
    public long? SizeAfter { get; init; }

    /// <summary>What it held, in base64; null: not asked for, no regular file, or larger than a MiB.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public byte[]? ContentBefore { get; init; }

    /// <summary>What it holds, in base64; null: as above.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public byte[]? ContentAfter { get; init; }
}

/// <summary>Processes that differ.</summary>
public sealed record ProcessDifference
{
    /// <summary>Run at the second point alone.</summary>
    public required IReadOnlyList<ProcessName> Started { get; init; }

    /// <summary>Ran at the first point alone.</summary>
    public required IReadOnlyList<ProcessName> Ended { get; init; }
}

/// <summary>A process.</summary>
public sealed record ProcessName
{
    /// <summary>Its id.</summary>
    public required int Pid { get; init; }

    /// <summary>argv.</summary>
    public required IReadOnlyList<string> Command { get; init; }
}

/// <summary>Memory that differs.</summary>
public sealed record MemoryDifference
{
    /// <summary>Pages of 4 KiB that differ.</summary>
    public required long PagesChanged { get; init; }

    /// <summary>Memory in use at the first point.</summary>
    public required long BytesBefore { get; init; }

    /// <summary>The same at the second.</summary>
    public required long BytesAfter { get; init; }
}

/// <summary>What a sandbox has used.</summary>
public sealed record SandboxMetrics
{
    /// <summary>CPU time of all its processes, ms.</summary>
    public required double CpuMs { get; init; }

    /// <summary>Memory in use: programs, page tables, and files that they wrote.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>The limit of that.</summary>
    public required long MemoryLimitBytes { get; init; }

    /// <summary>Pages of 4 KiB that are its own rather than shared with its template or parent.</summary>
    public required long PagesWritten { get; init; }

    /// <summary>System calls.</summary>
    public required long SystemCalls { get; init; }

    /// <summary>Page faults that its kernel served.</summary>
    public required long PageFaults { get; init; }

    /// <summary>Processes that run.</summary>
    public required int Processes { get; init; }

    /// <summary>Threads of these.</summary>
    public required int Threads { get; init; }

    /// <summary>Open files.</summary>
    public required int OpenFiles { get; init; }

    /// <summary>Bytes that were printed.</summary>
    public required long OutputBytes { get; init; }

    /// <summary>Pieces of code that were run in the interpreter.</summary>
    public required long Runs { get; init; }
}

/// <summary>What happened to a sandbox.</summary>
public sealed record SandboxLogs
{
    /// <summary>The last 256 things that happened, the oldest first.</summary>
    public required IReadOnlyList<LogEntry> Events { get; init; }

    /// <summary>The last of what its interpreter printed, up to about 1 MiB, also between runs. Empty while it is paused.</summary>
    public required string Output { get; init; }
}

/// <summary>Something that happened.</summary>
public sealed record LogEntry
{
    /// <summary>When.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>created, forked, restored, run, process, paused, resumed, fork, checkpoint, rewound or snapshot.</summary>
    public required string Event { get; init; }

    /// <summary>More of it.</summary>
    public required string Text { get; init; }
}

/// <summary>Body of <c>POST /v1/templates</c>.</summary>
public sealed record TemplateBody
{
    /// <summary>What it is called.</summary>
    [Description("What it is called: letters, digits, '-', '_' and '.'. One of the key's own of this name is replaced.")]
    public required string Name { get; init; }

    /// <summary>The sandbox.</summary>
    [Description("The sandbox that it is made of; its interpreter must be waiting for code. It goes on.")]
    public required string Sandbox { get; init; }
}

/// <summary>A template.</summary>
public sealed record TemplateAnswer
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The language that its interpreter runs; null: that of <see cref="From"/>.</summary>
    public string? Language { get; init; }

    /// <summary>The template below it; null: it is the server's.</summary>
    public string? From { get; init; }

    /// <summary>The sandbox that it was made of.</summary>
    public string? Sandbox { get; init; }

    /// <summary>When it was made; null: it is the server's.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>Bytes on disk.</summary>
    public long? SizeBytes { get; init; }

    /// <summary>How long it took to make, when it has just been made.</summary>
    public double? BuildMs { get; init; }
}

/// <summary>Templates that a key can use.</summary>
public sealed record TemplateList
{
    /// <summary>The server's first, then the key's own.</summary>
    public required IReadOnlyList<TemplateAnswer> Templates { get; init; }
}
