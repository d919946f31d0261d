using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ramet.Contracts;

/// <summary>Serialization of all that goes over the wire. Names are snake_case; a member that is not known is an error, not silently dropped.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(ExecBody))]
[JsonSerializable(typeof(ExecAnswer))]
[JsonSerializable(typeof(BatchBody))]
[JsonSerializable(typeof(BatchAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(SandboxBody))]
[JsonSerializable(typeof(SandboxPatch))]
[JsonSerializable(typeof(SandboxAnswer))]
[JsonSerializable(typeof(SandboxList))]
[JsonSerializable(typeof(RunBody))]
[JsonSerializable(typeof(RunAnswer))]
[JsonSerializable(typeof(RunEnd))]
[JsonSerializable(typeof(RunDetails))]
[JsonSerializable(typeof(TerminalSize))]
[JsonSerializable(typeof(ProcessBody))]
[JsonSerializable(typeof(ProcessAnswer))]
[JsonSerializable(typeof(ProcessList))]
[JsonSerializable(typeof(SignalBody))]
[JsonSerializable(typeof(FileAnswer))]
[JsonSerializable(typeof(FileList))]
[JsonSerializable(typeof(FileChange))]
[JsonSerializable(typeof(MakeDirectoryBody))]
[JsonSerializable(typeof(MoveBody))]
[JsonSerializable(typeof(ForkBody))]
[JsonSerializable(typeof(ForkAnswer))]
[JsonSerializable(typeof(SnapshotBody))]
[JsonSerializable(typeof(SnapshotAnswer))]
[JsonSerializable(typeof(SnapshotList))]
[JsonSerializable(typeof(CheckpointBody))]
[JsonSerializable(typeof(CheckpointAnswer))]
[JsonSerializable(typeof(CheckpointList))]
[JsonSerializable(typeof(RewindBody))]
[JsonSerializable(typeof(DiffAnswer))]
[JsonSerializable(typeof(SandboxMetrics))]
[JsonSerializable(typeof(SandboxLogs))]
public sealed partial class ContractsJson : JsonSerializerContext;
