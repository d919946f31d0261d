using System.Text.Json;
using System.Text.Json.Serialization;
using Ramet.Contracts;

namespace Ramet.Client;

/// <summary>Serialization. What a newer server says besides is left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ExecBody))]
[JsonSerializable(typeof(ExecAnswer))]
[JsonSerializable(typeof(BatchBody))]
[JsonSerializable(typeof(BatchAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ProblemAnswer))]
[JsonSerializable(typeof(SandboxOptions))]
[JsonSerializable(typeof(SandboxPatch))]
[JsonSerializable(typeof(SandboxInfo))]
[JsonSerializable(typeof(SandboxPage))]
[JsonSerializable(typeof(ForkBody))]
[JsonSerializable(typeof(NameBody))]
[JsonSerializable(typeof(RewindBody))]
[JsonSerializable(typeof(Snapshot))]
[JsonSerializable(typeof(SnapshotPage))]
[JsonSerializable(typeof(Checkpoint))]
[JsonSerializable(typeof(CheckpointPage))]
[JsonSerializable(typeof(RunBody))]
[JsonSerializable(typeof(RunAnswer))]
[JsonSerializable(typeof(RunEnd))]
[JsonSerializable(typeof(ProcessBody))]
[JsonSerializable(typeof(ProcessAnswer))]
[JsonSerializable(typeof(ProcessList))]
[JsonSerializable(typeof(SignalBody))]
[JsonSerializable(typeof(TerminalSize))]
[JsonSerializable(typeof(FileAnswer))]
[JsonSerializable(typeof(FileList))]
[JsonSerializable(typeof(FileChange))]
[JsonSerializable(typeof(MakeDirectoryBody))]
[JsonSerializable(typeof(MoveBody))]
[JsonSerializable(typeof(TextEvent))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class ClientJson : JsonSerializerContext;

internal sealed record ProblemAnswer(string? Title, string? Detail, string? Error, string? RequestId);

internal sealed record SandboxPage(IReadOnlyList<SandboxInfo> Sandboxes, string? NextCursor);

internal sealed record SnapshotPage(IReadOnlyList<Snapshot> Snapshots);

internal sealed record CheckpointPage(IReadOnlyList<Checkpoint> Checkpoints);

internal sealed record ForkBody(int Count, double? TimeoutSeconds, IReadOnlyDictionary<string, string>? Metadata);

internal sealed record NameBody(string? Name);

internal sealed record RewindBody(string Checkpoint);

internal sealed record TextEvent(string Text);
