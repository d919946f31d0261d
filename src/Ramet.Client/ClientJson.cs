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
[JsonSerializable(typeof(SandboxAnswer))]
[JsonSerializable(typeof(SandboxList))]
[JsonSerializable(typeof(ForkBody))]
[JsonSerializable(typeof(ForkAnswer))]
[JsonSerializable(typeof(SnapshotBody))]
[JsonSerializable(typeof(CheckpointBody))]
[JsonSerializable(typeof(RewindBody))]
[JsonSerializable(typeof(SnapshotAnswer))]
[JsonSerializable(typeof(SnapshotList))]
[JsonSerializable(typeof(CheckpointAnswer))]
[JsonSerializable(typeof(CheckpointList))]
[JsonSerializable(typeof(DiffAnswer))]
[JsonSerializable(typeof(SandboxMetrics))]
[JsonSerializable(typeof(SandboxLogs))]
[JsonSerializable(typeof(TemplateBody))]
[JsonSerializable(typeof(TemplateAnswer))]
[JsonSerializable(typeof(TemplateList))]
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
internal sealed partial class ClientJson : JsonSerializerContext;

internal sealed record ProblemAnswer(int? Status, string? Title, string? Detail, string? Error, string? RequestId);

internal sealed record TextEvent(string Text);
