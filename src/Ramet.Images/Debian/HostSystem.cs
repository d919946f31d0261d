using System.Runtime.InteropServices;

namespace Ramet.Images.Debian;

/// <summary>What the machine says of itself.</summary>
internal static class HostSystem
{
    /// <summary>Code name of the installed distribution (os-release(5), VERSION_CODENAME); bookworm when it does not say.</summary>
    public static string Suite { get; } = ReadCodename() ?? "bookworm";

    /// <summary>Debian's name of the processor architecture.</summary>
    public static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    /// <summary>The multiarch triplet (https://wiki.debian.org/Multiarch/Tuples).</summary>
    public static string MultiarchTuple => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu";

    private static string? ReadCodename()
    {
        try
        {
            const string Key = "VERSION_CODENAME=";
            return File.ReadLines("/etc/os-release").FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal))?[Key.Length..].Trim('"', '\'') is { Length: > 0 } name ? name : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
