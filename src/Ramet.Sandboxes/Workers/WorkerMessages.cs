using System.Text.Json.Serialization;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>What a worker can be asked to do.</summary>
internal static class WorkerMethod
{
    /// <summary>Take a template over: <see cref="LoadArguments"/>.</summary>
    public const string Load = "load";

    /// <summary>Let go of a template: <see cref="UnloadArguments"/>.</summary>
    public const string Unload = "unload";

    /// <summary>Run code in a fork: <see cref="ExecArguments"/>, <see cref="ExecAnswer"/>.</summary>
    public const string Exec = "exec";

    /// <summary>Counts: <see cref="HostStatistics"/>.</summary>
    public const string Statistics = "statistics";
}

/// <summary>What a worker can be asked to do with live sandboxes: <see cref="LiveArguments"/>, <see cref="LiveAnswer"/>. They do what <see cref="ISandboxHost"/>'s methods do.</summary>
internal static class LiveMethod
{
    public const string Create = "create";
    public const string List = "list";
    public const string Get = "get";
    public const string Update = "update";
    public const string Delete = "delete";
    public const string Log = "log";

    /// <summary>Answers when a sandbox has ended, with the reason.</summary>
    public const string WaitEnd = "wait-end";

    /// <summary>Events.</summary>
    public const string Run = "run";

    public const string StartProcess = "start-process";
    public const string ListProcesses = "list-processes";

    /// <summary>Events.</summary>
    public const string Attach = "attach";

    public const string WaitProcess = "wait-process";
    public const string WriteInput = "write-input";
    public const string Signal = "signal";
    public const string Resize = "resize";
    public const string Stat = "stat";
    public const string ListFiles = "list-files";

    /// <summary>Events: a change's kind as details, its path as bytes, and whether it is a directory's as a number.</summary>
    public const string WatchFiles = "watch";

    public const string MakeDirectory = "mkdir";
    public const string MakeSymbolicLink = "symlink";
    public const string Move = "move";
    public const string Remove = "remove";

    /// <summary>Opens a file: answers with a handle, to be given back with <see cref="Close"/>.</summary>
    public const string OpenRead = "open-read";

    /// <summary>As <see cref="OpenRead"/>.</summary>
    public const string OpenWrite = "open-write";

    /// <summary>The next bytes of a handle; none: the end.</summary>
    public const string Read = "read";

    public const string Write = "write";
    public const string Close = "close";
    public const string Fork = "fork";
    public const string Checkpoint = "checkpoint";
    public const string ListCheckpoints = "list-checkpoints";
    public const string DeleteCheckpoint = "delete-checkpoint";
    public const string Rewind = "rewind";
    public const string Diff = "diff";
    public const string Metrics = "metrics";
    public const string History = "history";
    public const string Note = "note";

    /// <summary>Answers with a handle to read the capture from.</summary>
    public const string Capture = "capture";

    /// <summary>Events: code in a fork of its own.</summary>
    public const string ExecStream = "exec-stream";

    /// <summary>After a capture that holds.</summary>
    public const string Release = "release";

    /// <summary>Answers with a template's manifest as reason, and a handle to read its file from.</summary>
    public const string Freeze = "freeze";

    /// <summary>Answers with a handle to write what is to be restored to.</summary>
    public const string Receive = "receive";

    /// <summary>Makes a sandbox of what was written to a handle, which is closed.</summary>
    public const string Restore = "restore";

    /// <summary>Makes a checkpoint of it.</summary>
    public const string AddCheckpoint = "add-checkpoint";
}

/// <summary>Arguments of a <see cref="LiveMethod"/>; each uses some of them. Bytes go as a blob.</summary>
internal sealed record LiveArguments
{
    public string Id { get; init; } = "";

    public HostedSandboxSpec? Spec { get; init; }

    public TimeSpan? Timeout { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    public HostedRun? Run { get; init; }

    public HostedProgram? Program { get; init; }

    public HostedTerminalSize? Size { get; init; }

    public int Pid { get; init; }

    /// <summary>Signal, or how many bytes.</summary>
    public int Number { get; init; }

    /// <summary>Close, follow links, parents, recursive.</summary>
    public bool Flag { get; init; }

    public uint? Mode { get; init; }

    public string Path { get; init; } = "";

    /// <summary>Target of a link, new name.</summary>
    public string Other { get; init; } = "";

    public uint Handle { get; init; }

    public HostedExec? Exec { get; init; }

    public HostedCapture? Capture { get; init; }

    public HostedRestore? Restore { get; init; }

    public HostedCheckpoint? Checkpoint { get; init; }
}

/// <summary>Answer of a <see cref="LiveMethod"/>; each fills some of it. Bytes go as a blob.</summary>
internal sealed record LiveAnswer
{
    public HostedSandbox? Sandbox { get; init; }

    public IReadOnlyList<HostedSandbox>? Sandboxes { get; init; }

    public HostedProcess? Process { get; init; }

    public IReadOnlyList<HostedProcess>? Processes { get; init; }

    public HostedFileInfo? File { get; init; }

    public IReadOnlyList<HostedFileInfo>? Files { get; init; }

    public bool Flag { get; init; }

    public uint Handle { get; init; }

    public long Length { get; init; }

    public string? Reason { get; init; }

    public HostedCheckpoint? Checkpoint { get; init; }

    public IReadOnlyList<HostedCheckpoint>? Checkpoints { get; init; }

    public HostedDiff? Diff { get; init; }

    public HostedMetrics? Metrics { get; init; }

    public IReadOnlyList<HostedLogEntry>? History { get; init; }
}

/// <summary>A <see cref="HostedEvent"/>; its bytes are the blob.</summary>
internal sealed record EventMessage(HostedEventKind Kind, int ExitCode, string? Details, bool TimedOut);

/// <summary>A template, whose memory and state (and, if there are, parts of the image in large pages) are sealed files of the server's process. So many machines are to stand ready at once.</summary>
internal sealed record LoadArguments(string Manifest, string MemoryPath, string StatePath, string? LargePagesPath, int Machines);

/// <summary>A template that is not needed any more.</summary>
internal sealed record UnloadArguments(string Name);

/// <summary>Code to run. Blobs: standard input if there is one, then the files' contents.</summary>
internal sealed record ExecArguments(HostedExec Exec, bool HasInput, IReadOnlyList<string> FilePaths);

/// <summary>What came of it. Blobs: stdout and stderr.</summary>
internal sealed record ExecAnswer(SandboxEnd End, int ExitCode, string? Message, long ForkNanoseconds, long ExecNanoseconds);

/// <summary>Why a call failed.</summary>
internal sealed record ErrorAnswer(string Message, string Kind, Abi.Errno Error, string? Path = null, string? Reason = null);

[JsonSerializable(typeof(LoadArguments))]
[JsonSerializable(typeof(UnloadArguments))]
[JsonSerializable(typeof(ExecArguments))]
[JsonSerializable(typeof(ExecAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(HostStatistics))]
[JsonSerializable(typeof(LiveArguments))]
[JsonSerializable(typeof(LiveAnswer))]
[JsonSerializable(typeof(EventMessage))]
[JsonSerializable(typeof(HostedExecEnd))]
[JsonSerializable(typeof(System.Text.Json.JsonElement))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class WorkerJson : JsonSerializerContext;
