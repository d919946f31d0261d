using System.ComponentModel;

namespace Ramet.Contracts;

/// <summary>Body of <c>POST /v1/sandboxes</c>.</summary>
public sealed record SandboxBody
{
    /// <summary>The template; null: that of <see cref="Language"/>.</summary>
    [Description("The template to fork. Default: the one of the language.")]
    public string? Template { get; init; }

    /// <summary>The language; null: Python.</summary>
    [Description("The language of its interpreter: python or node.")]
    public string? Language { get; init; }

    /// <summary>Memory limit in MiB; null: the server's default.</summary>
    [Description("Memory limit in MiB: programs and the files that they write.")]
    public int? MemoryMb { get; init; }

    /// <summary>When it ends by itself, seconds from now; null: after five minutes.</summary>
    [Description("When it ends by itself, in seconds from now; PATCH sets it anew. Default: 300.")]
    public double? TimeoutSeconds { get; init; }

    /// <summary>What the caller wants to be noted with it.</summary>
    [Description("Names and values of the caller's own; the list can be filtered by them.")]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>The image of one without an interpreter.</summary>
    [Description("Instead of a template: an image. There is no interpreter in it then: processes and files only.")]
    public string? Image { get; init; }

    /// <summary>The snapshot to go on from.</summary>
    [Description("Instead of a template: the id of a snapshot to go on from.")]
    public string? Snapshot { get; init; }

    /// <summary>Environment variables of the interpreter and of processes.</summary>
    [Description("Environment variables of the interpreter and of all processes.")]
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working directory of the interpreter and of processes.</summary>
    [Description("Working directory of the interpreter and of processes; it must be there.")]
    public string? Cwd { get; init; }

    /// <summary>none or loopback.</summary>
    [Description("none or loopback: programs of the sandbox reach each other, and nothing else. There is no outside network.")]
    public string? Network { get; init; }

    /// <summary>Further limits.</summary>
    [Description("Further limits.")]
    public SandboxLimits? Limits { get; init; }

    /// <summary>Host directories.</summary>
    [Description("Host directories that the server shares (its setting mounts.allow), copied into the sandbox when it is made.")]
    public IReadOnlyList<MountBody>? Mounts { get; init; }

    /// <summary>Bytes that a run or a process may print.</summary>
    [Description("Bytes that a run or a process may print; writing more fails (EPIPE), and a run has exit_code 153. Default: no limit; the last MiB is kept.")]
    public long? MaxOutput { get; init; }

    /// <summary>Pauses it when it was unused for so long.</summary>
    [Description("Pauses it when nobody has used it for this many seconds; the next use resumes it. What programs in it do is no use.")]
    public double? AutoPauseSeconds { get; init; }

    /// <summary>Whether there is a checkpoint before each run.</summary>
    [Description("Makes a checkpoint before each run, named 'before run N'. The oldest of these give way when there are too many.")]
    public bool CheckpointEveryRun { get; init; }
}

/// <summary>Further limits of a sandbox.</summary>
public sealed record SandboxLimits
{
    /// <summary>Processes and threads.</summary>
    [Description("Processes and threads. Default: 1024.")]
    public int? Processes { get; init; }

    /// <summary>Open files.</summary>
    [Description("Open files of all processes together. Default: 65536.")]
    public int? OpenFiles { get; init; }

    /// <summary>Memory and files, MiB.</summary>
    [Description("The same as memory_mb: memory of programs, and the files that they write.")]
    public int? MemoryMb { get; init; }
}

/// <summary>A host directory for a sandbox.</summary>
public sealed record MountBody
{
    /// <summary>The directory of the host.</summary>
    [Description("The directory of the host; an absolute path.")]
    public required string Source { get; init; }

    /// <summary>Where it is to be.</summary>
    [Description("Where it is in the sandbox; an absolute path.")]
    public required string Target { get; init; }

    /// <summary>Whether changes stay in the sandbox: always.</summary>
    [Description("true, which it always is: what the sandbox changes in its copy does not reach the host.")]
    public bool? ReadOnly { get; init; }
}

/// <summary>Body of <c>PATCH /v1/sandboxes/{id}</c>.</summary>
public sealed record SandboxPatch
{
    /// <summary>When it ends by itself, seconds from now.</summary>
    [Description("When it ends by itself, in seconds from now.")]
    public double? TimeoutSeconds { get; init; }

    /// <summary>Replaces what is noted with it.</summary>
    [Description("Replaces what is noted with it.")]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>A sandbox that lives on between requests.</summary>
public sealed record SandboxAnswer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What it was forked from; empty: it was made from an image.</summary>
    public required string Template { get; init; }

    /// <summary>The image of one without an interpreter.</summary>
    public string? Image { get; init; }

    /// <summary><c>running</c> or <c>paused</c>.</summary>
    public required string State { get; init; }

    /// <summary>How many forks and restores it has come through, those of its ancestors included.</summary>
    public required long Generation { get; init; }

    /// <summary>The sandbox that it was forked from, or whose snapshot it goes on from.</summary>
    public string? Parent { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>When it ends by itself; of a paused one: when it is removed.</summary>
    public required DateTimeOffset Expires { get; init; }

    /// <summary>Memory limit, MiB.</summary>
    public required double MemoryMb { get; init; }

    /// <summary>Memory in use, MiB.</summary>
    public required double MemoryUsedMb { get; init; }

    /// <summary>What was noted with it.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }
}

/// <summary>A page of sandboxes.</summary>
public sealed record SandboxList
{
    /// <summary>The oldest first.</summary>
    public required IReadOnlyList<SandboxAnswer> Sandboxes { get; init; }

    /// <summary>What to ask for as <c>cursor</c> to get the next page; null: this is the last.</summary>
    public string? NextCursor { get; init; }
}
