using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

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

/// <summary>Body of <c>POST /v1/sandboxes/{id}/run</c>.</summary>
public sealed record RunBody
{
    /// <summary>The source text.</summary>
    [Description("The code. Names that it defines stay for the next run.")]
    public required string Code { get; init; }

    /// <summary>Wall time in seconds; null: the server's default.</summary>
    [Description("Wall time in seconds; then the code gets KeyboardInterrupt, and the sandbox lives on.")]
    public double? TimeoutSeconds { get; init; }

    /// <summary>Environment variables to set; null values remove.</summary>
    [Description("Environment variables to set, for good; null removes one.")]
    public IReadOnlyDictionary<string, string?>? Env { get; init; }

    /// <summary>Working directory to change to.</summary>
    [Description("Working directory to change to, for good.")]
    public string? Cwd { get; init; }
}

/// <summary>What code in a warm interpreter came to.</summary>
public sealed record RunAnswer
{
    /// <summary>What was printed.</summary>
    public required string Stdout { get; init; }

    /// <summary>What was printed to standard error; tracebacks are there.</summary>
    public required string Stderr { get; init; }

    /// <summary>0; 1 after an exception; 124: time was over; 137: it was killed.</summary>
    public required int ExitCode { get; init; }

    /// <summary>Whether the time limit ended it.</summary>
    public required bool TimedOut { get; init; }

    /// <summary>The repr of the last expression; null: there was none, or it was None.</summary>
    public string? Value { get; init; }

    /// <summary>What the last expression and open figures look like: media type to content; images are in base64.</summary>
    public required IReadOnlyList<JsonElement> Results { get; init; }

    /// <summary>The exception that nothing caught.</summary>
    public RunException? Exception { get; init; }

    /// <summary>How long it took, ms.</summary>
    public required double DurationMs { get; init; }
}

/// <summary>An exception that nothing caught.</summary>
public sealed record RunException
{
    /// <summary>Its class.</summary>
    public required string Type { get; init; }

    /// <summary>Its text.</summary>
    public required string Text { get; init; }

    /// <summary>Where it was thrown, as the language tells it; null: that is not known.</summary>
    public string? Stack { get; init; }
}

/// <summary>The last event of a stream of a run: what it came to, without the output that came before.</summary>
public sealed record RunEnd
{
    /// <summary>As <see cref="RunAnswer.ExitCode"/>.</summary>
    public required int ExitCode { get; init; }

    /// <summary>Whether the time limit ended it.</summary>
    public required bool TimedOut { get; init; }

    /// <summary>As <see cref="RunAnswer.Value"/>.</summary>
    public string? Value { get; init; }

    /// <summary>As <see cref="RunAnswer.Results"/>.</summary>
    public required IReadOnlyList<JsonElement> Results { get; init; }

    /// <summary>As <see cref="RunAnswer.Exception"/>.</summary>
    public RunException? Exception { get; init; }

    /// <summary>How long it took, ms.</summary>
    public required double DurationMs { get; init; }
}

/// <summary>What a runner says of a run.</summary>
public sealed record RunDetails
{
    /// <summary>repr of the last expression.</summary>
    public string? Value { get; init; }

    /// <summary>What it looks like.</summary>
    public IReadOnlyList<JsonElement>? Results { get; init; }

    /// <summary>The exception that nothing caught.</summary>
    public RunException? Exception { get; init; }

    /// <summary>What was wrong with the request itself.</summary>
    public string? Error { get; init; }
}

/// <summary>Size of a terminal's window.</summary>
public sealed record TerminalSize
{
    /// <summary>Lines.</summary>
    public int Rows { get; init; } = 24;

    /// <summary>Characters in a line.</summary>
    [JsonPropertyName("columns")]
    public int Columns { get; init; } = 80;
}

/// <summary>Body of <c>POST /v1/sandboxes/{id}/processes</c>.</summary>
public sealed record ProcessBody
{
    /// <summary>argv.</summary>
    [Description("The program (looked up in PATH) and its arguments.")]
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>A line for /bin/sh.</summary>
    [Description("Instead of command: a line for /bin/sh -c.")]
    public string? Shell { get; init; }

    /// <summary>Environment variables.</summary>
    [Description("Environment variables. PATH and HOME are there anyway.")]
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working directory.</summary>
    [Description("Working directory. Default: the interpreter's.")]
    public string? Cwd { get; init; }

    /// <summary>The user.</summary>
    [Description("USER or USER:GROUP, as names or numbers. Default: root.")]
    public string? User { get; init; }

    /// <summary>Its terminal; null: none.</summary>
    [Description("Gives it a terminal of this size.")]
    public TerminalSize? Tty { get; init; }

    /// <summary>Standard input; null: see <see cref="KeepStdin"/>.</summary>
    [Description("What it reads as standard input, followed by the end of the file.")]
    public string? Stdin { get; init; }

    /// <summary>Whether standard input stays open for more.</summary>
    [Description("Keeps standard input open, for POST .../stdin. A terminal's is always open.")]
    public bool KeepStdin { get; init; }
}

/// <summary>A process that was started through the interface.</summary>
public sealed record ProcessAnswer
{
    /// <summary>Its id in the sandbox.</summary>
    public required int Pid { get; init; }

    /// <summary>argv.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>When it was started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Whether it has a terminal.</summary>
    public required bool Tty { get; init; }

    /// <summary>Whether it runs.</summary>
    public required bool Running { get; init; }

    /// <summary>Exit code, or 128 + signal; null: it runs.</summary>
    public int? ExitCode { get; init; }
}

/// <summary>Processes of a sandbox.</summary>
public sealed record ProcessList
{
    /// <summary>The oldest first.</summary>
    public required IReadOnlyList<ProcessAnswer> Processes { get; init; }
}

/// <summary>Body of <c>POST .../signal</c>.</summary>
public sealed record SignalBody
{
    /// <summary>A name or number.</summary>
    [Description("SIGTERM, TERM or 15. Goes to the process and its group.")]
    public required string Signal { get; init; }
}

/// <summary>A file of a sandbox.</summary>
public sealed record FileAnswer
{
    /// <summary>Where.</summary>
    public required string Path { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>file, directory, symlink, fifo, socket, device or unknown.</summary>
    public required string Type { get; init; }

    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Permission bits in octal, such as 644.</summary>
    public required string Mode { get; init; }

    /// <summary>Owner.</summary>
    public required long Uid { get; init; }

    /// <summary>Group.</summary>
    public required long Gid { get; init; }

    /// <summary>Last change of the content.</summary>
    public required DateTimeOffset Modified { get; init; }

    /// <summary>Where a symbolic link leads.</summary>
    public string? Target { get; init; }
}

/// <summary>Entries of a directory.</summary>
public sealed record FileList
{
    /// <summary>Ordered by name.</summary>
    public required IReadOnlyList<FileAnswer> Entries { get; init; }
}

/// <summary>Body of <c>POST .../files/mkdir</c>.</summary>
public sealed record MakeDirectoryBody
{
    /// <summary>Where.</summary>
    [Description("The directory.")]
    public required string Path { get; init; }

    /// <summary>Whether directories above it are made, and one that is there already is fine.</summary>
    [Description("Makes the directories above it as well, and takes one that is there already.")]
    public bool Parents { get; init; }
}

/// <summary>Body of <c>POST .../files/move</c>.</summary>
public sealed record MoveBody
{
    /// <summary>What.</summary>
    [Description("The file or directory.")]
    public required string From { get; init; }

    /// <summary>Where to.</summary>
    [Description("Its new path; a file that is there is replaced.")]
    public required string To { get; init; }
}

/// <summary>An event of <c>GET .../files/watch</c>.</summary>
public sealed record FileChange
{
    /// <summary>created, modified, removed, moved_from, moved_to, attributes; overflow: some were lost.</summary>
    public required string Kind { get; init; }

    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it is a directory.</summary>
    public required bool IsDirectory { get; init; }
}
