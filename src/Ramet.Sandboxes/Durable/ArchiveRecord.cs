using System.Text.Json.Serialization;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>What is known of a sandbox that is kept on disk, beside its memory: record.json.</summary>
internal sealed record ArchiveRecord
{
    /// <summary>Version of the format.</summary>
    public int Version { get; init; } = 1;

    /// <summary>Whose it is.</summary>
    public required string Tenant { get; init; }

    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What its maker called it.</summary>
    public string? Name { get; init; }

    /// <summary>Limits and surroundings.</summary>
    public required HostedSandboxSpec Spec { get; init; }

    /// <summary>When the sandbox was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>When it was put here.</summary>
    public required DateTimeOffset Archived { get; init; }

    /// <summary>How long it may live on when it is resumed.</summary>
    public TimeSpan Left { get; init; }

    /// <summary>What it was forked from, or, of a snapshot, the sandbox that it is of.</summary>
    public string? Parent { get; init; }

    /// <summary>How many forks and restores it has come through.</summary>
    public long Generation { get; init; }

    /// <summary>Memory that it used.</summary>
    public ulong UsedBytes { get; init; }

    /// <summary>Bytes on disk.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Whether it was paused because nobody used it: whoever uses it resumes it.</summary>
    public bool IsAutomatic { get; init; }

    /// <summary>Its checkpoints; the n-th is in the file checkpoint-n.</summary>
    public IReadOnlyList<HostedCheckpoint> Checkpoints { get; init; } = [];

    /// <summary>Of a template: version of the kernel's state format.</summary>
    public ulong Schema { get; init; }

    /// <summary>What it had used.</summary>
    public HostedMetrics? Metrics { get; init; }

    /// <summary>What had happened to it.</summary>
    public IReadOnlyList<HostedLogEntry> History { get; init; } = [];
}

[JsonSerializable(typeof(ArchiveRecord))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
internal sealed partial class ArchiveJson : JsonSerializerContext;
