using System.Text.Json.Serialization;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>What is known of a template without loading it.</summary>
public sealed record TemplateManifest
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The language that its runner executes.</summary>
    public required string Runtime { get; init; }

    /// <summary>The image that it was made from.</summary>
    public required string Image { get; init; }

    /// <summary>Digest of that image.</summary>
    public required string ImageId { get; init; }

    /// <summary>Digest of everything that it was made from (image, runner, Ramet's own state format): when it changes the template is rebuilt.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>When it was built.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Guest-physical bytes that a fork maps.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Bytes of them that are on disk: that are not zero, or differ from the template below (<see cref="FromId"/>).</summary>
    public required long UsedBytes { get; init; }

    /// <summary>Bytes of kernel state.</summary>
    public required long StateBytes { get; init; }

    /// <summary>Tells one build from another of the same inputs: their memory differs. Snapshots of sandboxes name the template that they lie over by it.</summary>
    public required string Id { get; init; }

    /// <summary>Ranges of image data that forks reach from the start: address and length in guest-physical bytes.</summary>
    public required IReadOnlyList<MemoryRange> ImageRanges { get; init; }

    /// <summary>2 MiB pieces of image data that its programs have mapped as large pages: guest-physical addresses.</summary>
    public IReadOnlyList<ulong> LargeImagePages { get; init; } = [];

    /// <summary>Ranges of RAM that runs of typical code write: they are backed by the host in advance, before code runs.</summary>
    public required IReadOnlyList<MemoryRange> HotRanges { get; init; }

    /// <summary>The template that it was built on, with the script beside the manifest; null: it is a built-in one.</summary>
    public string? From { get; init; }

    /// <summary><see cref="Id"/> of the build of <see cref="From"/> that its snapshot lies over, from which only what differs is on disk; null: its snapshot is whole.</summary>
    public string? FromId { get; init; }

    /// <summary>How long the build took, ms.</summary>
    public required long BuildMilliseconds { get; init; }

    /// <summary>As on disk: indented JSON.</summary>
    public string ToJson() => System.Text.Json.JsonSerializer.Serialize(this, TemplateJson.Default.TemplateManifest);
}

/// <summary>A range of guest-physical memory.</summary>
/// <param name="Address">Guest-physical address.</param>
/// <param name="Length">Bytes.</param>
public sealed record MemoryRange(ulong Address, ulong Length);

/// <summary>A template that is loaded: sealed memory and kernel state, from which sandboxes are forked.</summary>
public sealed class Template : IDisposable
{
    internal Template(TemplateManifest manifest, MemoryTemplate memory, ReadOnlyMemory<byte> state, ImageLayer image)
    {
        Manifest = manifest;
        Memory = memory;
        State = state;
        Image = image;
    }

    /// <summary>What it is.</summary>
    public TemplateManifest Manifest { get; }

    /// <summary>The frozen memory.</summary>
    internal MemoryTemplate Memory { get; }

    /// <summary>The frozen kernel.</summary>
    internal ReadOnlyMemory<byte> State { get; }

    /// <summary>Its strings, once for all that is loaded from it.</summary>
    internal Kernel.State.StateStrings Strings { get; } = new();

    /// <summary>The image below it.</summary>
    internal ImageLayer Image { get; }

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();
}

[JsonSerializable(typeof(TemplateManifest))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class TemplateJson : JsonSerializerContext;
