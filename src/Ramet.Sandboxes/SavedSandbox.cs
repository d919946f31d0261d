using System.Text.Json.Serialization;

namespace Ramet.Sandboxes;

/// <summary>What is known of a saved sandbox without loading it: the head of its file, as JSON.</summary>
public sealed record SavedSandbox
{
    /// <summary>Version of the kernel's state format: another version of Ramet cannot read it.</summary>
    public required ulong Schema { get; init; }

    /// <summary>When it was saved.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Name of the template that it lies over; null when it holds all of its memory itself.</summary>
    public string? Template { get; init; }

    /// <summary><see cref="TemplateManifest.Id"/> of that template.</summary>
    public string? TemplateId { get; init; }

    /// <summary>Name of the image that its files are of.</summary>
    public required string Image { get; init; }

    /// <summary>Digest of that image.</summary>
    public required string ImageId { get; init; }

    /// <summary>Features of the CPU that its programs have seen: they may be using any of them.</summary>
    public required string CpuFlags { get; init; }

    /// <summary>Bytes of a thread's extended state, and which components it has (XCR0).</summary>
    public required int XStateSize { get; init; }

    /// <inheritdoc cref="XStateSize"/>
    public required ulong XStateMask { get; init; }

    /// <summary>Bytes of RAM.</summary>
    public required ulong MemorySize { get; init; }

    /// <summary>Pages that the file holds.</summary>
    public required IReadOnlyList<MemoryRange> Ranges { get; init; }

    /// <summary>Ranges of the image that its page tables reach.</summary>
    public required IReadOnlyList<MemoryRange> ImageRanges { get; init; }

    /// <summary>Memory limit, bytes.</summary>
    public required ulong MemoryBytes { get; init; }

    /// <summary>Limit of output, bytes.</summary>
    public required long MaxOutputBytes { get; init; }

    /// <summary>Limit of processes and threads.</summary>
    public required int MaxThreads { get; init; }

    /// <summary>Limit of open files.</summary>
    public required int MaxOpenFiles { get; init; }

    /// <summary>Virtual CPUs.</summary>
    public required int VirtualCpus { get; init; }

    /// <summary>What its host knew of it, for one that lives on between calls; null: it was saved by somebody who talks to its standard streams.</summary>
    public Hosting.LiveState? Live { get; init; }

    internal SandboxOptions ToOptions() => new()
    {
        MemoryBytes = MemoryBytes,
        MaxOutputBytes = MaxOutputBytes,
        MaxThreads = MaxThreads,
        MaxOpenFiles = MaxOpenFiles,
        VirtualCpus = VirtualCpus,
    };
}

[JsonSerializable(typeof(SavedSandbox))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class SavedSandboxJson : JsonSerializerContext;
