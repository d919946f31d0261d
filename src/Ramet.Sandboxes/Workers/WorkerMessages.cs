using System.Text.Json.Serialization;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>What a worker can be asked to do.</summary>
internal static class WorkerMethod
{
    /// <summary>Take a template over: <see cref="LoadArguments"/>.</summary>
    public const string Load = "load";

    /// <summary>Run code in a fork: <see cref="ExecArguments"/>, <see cref="ExecAnswer"/>.</summary>
    public const string Exec = "exec";

    /// <summary>Counts: <see cref="HostStatistics"/>.</summary>
    public const string Statistics = "statistics";
}

/// <summary>A template, whose memory and state are sealed files of the server's process.</summary>
internal sealed record LoadArguments(string Manifest, string MemoryPath, string StatePath);

/// <summary>Code to run. Blobs: standard input if there is one, then the files' contents.</summary>
internal sealed record ExecArguments(HostedExec Exec, bool HasInput, IReadOnlyList<string> FilePaths);

/// <summary>What came of it. Blobs: stdout and stderr.</summary>
internal sealed record ExecAnswer(SandboxEnd End, int ExitCode, string? Message, long ForkNanoseconds, long ExecNanoseconds);

/// <summary>Why a call failed.</summary>
internal sealed record ErrorAnswer(string Message, string Kind, Abi.Errno Error, string? Path = null);

[JsonSerializable(typeof(LoadArguments))]
[JsonSerializable(typeof(ExecArguments))]
[JsonSerializable(typeof(ExecAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(HostStatistics))]
[JsonSerializable(typeof(System.Text.Json.JsonElement))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class WorkerJson : JsonSerializerContext;
