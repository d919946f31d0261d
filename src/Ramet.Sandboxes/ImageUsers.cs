using System.Globalization;
using System.Text;
using Ramet.Kernel.Platform;

namespace Ramet.Sandboxes;

/// <summary>A user as programs run: ids, supplementary groups, home directory.</summary>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Group id.</param>
/// <param name="Groups">Supplementary groups.</param>
/// <param name="Home">Home directory; null when the user has no entry in /etc/passwd.</param>
public sealed record ImageUser(uint Uid, uint Gid, uint[] Groups, string? Home);

/// <summary>Looks users up in an image's /etc/passwd and /etc/group (passwd(5), group(5)).</summary>
public static class ImageUsers
{
    private const int LargestFile = 1 << 20;

    /// <summary>Resolves USER or USER:GROUP, each a name or a number. A number need not be in the files.</summary>
    /// <exception cref="SandboxException">The image knows no such user or group.</exception>
    public static ImageUser Resolve(IReadOnlyImage image, string text)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(text);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string user = colon < 0 ? text : text[..colon];
        var users = ReadTable(image, "passwd");
        var groups = ReadTable(image, "group");

        bool isNumber = TryParseId(user, out uint uid);
        string[]? entry = users.Find(fields => fields.Length >= 6 && (fields[0] == user || (isNumber && fields[2] == user)));
        if (!isNumber && (entry is null || !TryParseId(entry[2], out uid))) throw new SandboxException($"the image has no user '{user}' in /etc/passwd; a number works without an entry.");
        uint gid = entry is not null && TryParseId(entry[3], out uint primary) ? primary : 0;
        if (colon >= 0)
        {
            string group = text[(colon + 1)..];
            if (!TryParseId(group, out gid)
                && !(groups.Find(fields => fields.Length >= 3 && fields[0] == group) is { } found && TryParseId(found[2], out gid)))
            {
                throw new SandboxException($"the image has no group '{group}' in /etc/group; a number works without an entry.");
            }

            // As setpriv(1) and container runtimes: a group that was named is the only one.
            return new ImageUser(uid, gid, [], entry?[5]);
        }

        uint[] others = entry is null
            ? []
            : [.. groups.Where(fields => fields.Length >= 4 && fields[3].Split(',').Contains(entry[0], StringComparer.Ordinal)).Select(fields => TryParseId(fields[2], out uint id) ? id : gid).Where(id => id != gid).Distinct()];
        return new ImageUser(uid, gid, others, entry?[5]);
    }

    // 2^32 - 1 means "no change" to setuid(2) and its kin.
    private static bool TryParseId(string text, out uint id) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id != uint.MaxValue;

    private static List<string[]> ReadTable(IReadOnlyImage image, string name)
    {
        if (!image.TryLookup(image.Root, "etc", out int etc) || !image.TryLookup(etc, name, out int file)) return [];
        var node = image.GetNode(file);
        const uint S_IFMT = 0xF000, S_IFREG = 0x8000;
        if ((node.Mode & S_IFMT) != S_IFREG || node.Size > LargestFile) return [];
        string text = Encoding.Latin1.GetString(image.ReadData(node.DataOffset, (int)node.Size));
        return [.. text.Split('\n').Where(line => line.Contains(':', StringComparison.Ordinal)).Select(line => line.Split(':'))];
    }
}
