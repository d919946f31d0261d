using System.Text;
using Ramet.Images.Debian;
using Ramet.Images.Format;

namespace Ramet.Images.Building;

/// <summary>
/// Tells whether an image on disk is what a build would make now. 64-bit FNV-1a rather than a cryptographic hash: it guards against
/// forgetting to rebuild, not against an attacker, and it is on the path of every start, where loading a crypto library would cost more than all else.
/// </summary>
internal static class Fingerprint
{
    /// <summary>Raise it when the builder makes other files of the same packages.</summary>
    private const int BuilderVersion = 2;

    /// <summary>The fingerprint of a specification (its text, so that the YAML need not be parsed) and of the builder.</summary>
    public static ulong Compute(string specText, IEnumerable<string> finisherIds)
    {
        var text = $"{BuilderVersion}\n{ImageFormat.Version}\n{HostSystem.Suite}\n{HostSystem.Architecture}\n{string.Join('\n', finisherIds)}\n\n{specText}";
        var hash = 14695981039346656037UL;
        foreach (var b in Encoding.UTF8.GetBytes(text)) hash = (hash ^ b) * 1099511628211UL;
        return hash;
    }
}
