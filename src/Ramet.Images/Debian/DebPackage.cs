namespace Ramet.Images.Debian;

/// <summary>A package that apt chose.</summary>
/// <param name="Name">Package name.</param>
/// <param name="Version">Version, with its epoch.</param>
/// <param name="Architecture">amd64, all ...</param>
/// <param name="FileName">Name of the .deb in apt's archive directory.</param>
/// <param name="Size">Bytes of the .deb.</param>
/// <param name="Uri">Where it comes from.</param>
internal sealed record DebPackage(string Name, string Version, string Architecture, string FileName, long Size, string Uri)
{
    /// <summary>SHA-256 of the .deb from the signed package list, in lower-case hexadecimal; empty when the list has none.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>The .deb on disk.</summary>
    public string Path { get; init; } = "";
}
