using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ramet.Images.Format;

namespace Ramet.Images;

/// <summary>A package in an image.</summary>
public sealed record ImagePackage(string Name, string Version, string Architecture);

/// <summary>What an image is, for people and for starting programs in it: image.json.</summary>
public sealed record ImageManifest
{
    /// <summary>Name of the image.</summary>
    public required string Name { get; init; }

    /// <summary><see cref="Image.Id"/>.</summary>
    public required string Id { get; init; }

    /// <summary>When it was built (UTC).</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Debian suite.</summary>
    public required string Suite { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>All packages.</summary>
    public required IReadOnlyList<ImagePackage> Packages { get; init; }

    /// <summary>Environment of programs.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Directory in which programs start.</summary>
    public required string WorkingDirectory { get; init; }

    /// <summary>Number of files, directories and links.</summary>
    public required int FileCount { get; init; }

    /// <summary>Bytes of the data file.</summary>
    public required long DataLength { get; init; }

    /// <summary>The specification as YAML, from which the image can be built again.</summary>
    public required string Spec { get; init; }

    /// <summary>Fingerprint of specification and builder, in hexadecimal; the image is out of date when it would be another now.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Reads the manifest of an image directory.</summary>
    /// <exception cref="ImageCorruptException">It is missing or damaged.</exception>
    public static ImageManifest Read(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(directory, ImageFormat.ManifestFile)), ManifestJson.Default.ImageManifest)
                ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new ImageCorruptException($"image in {directory} is damaged: its manifest cannot be read: {e.Message}", e);
        }
    }

    internal byte[] ToJson() => [.. JsonSerializer.SerializeToUtf8Bytes(this, s_readable.ImageManifest), (byte)'\n'];

    // The file is read by people and never put into HTML: '+' may stay '+'.
    private static readonly ManifestJson s_readable = new(new JsonSerializerOptions(ManifestJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ImageManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
