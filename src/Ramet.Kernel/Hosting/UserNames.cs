using System.Globalization;
using System.Text;

namespace Ramet.Kernel.Hosting;

/// <summary>Users and groups as a sandbox's own /etc/passwd and /etc/group have them (passwd(5), group(5)).</summary>
internal sealed class UserNames(HostFiles files)
{
    private const int LargestFile = 1 << 20;

    /// <summary>What USER or USER:GROUP means. False: there is no such name.</summary>
    public bool TryResolve(string text, out uint uid, out uint gid, out string home)
    {
        (uid, gid, home) = (0, 0, "/");
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string user = colon < 0 ? text : text[..colon];
        bool isNumber = TryNumber(user, out uid);
        var entry = Find("/etc/passwd", fields => fields.Length >= 6 && (isNumber ? fields[2] == user : fields[0] == user));
        if (entry is not null)
        {
            if (!TryNumber(entry[2], out uid) || !TryNumber(entry[3], out gid)) return false;
            home = entry[5];
        }
        else if (!isNumber)
        {
            return false;
        }

        if (colon < 0) return true;
        string group = text[(colon + 1)..];
        if (TryNumber(group, out gid)) return true;
        return Find("/etc/group", fields => fields.Length >= 3 && fields[0] == group) is { } found && TryNumber(found[2], out gid);
    }

    private string[]? Find(string path, Func<string[], bool> isMeant)
    {
        if (files.OpenRead(path, out var file) != Errno.None) return null;
        using (file)
        {
            byte[] content = new byte[Math.Min(file!.Length, LargestFile)];
            int length = 0;
            while (length < content.Length && file.Read(content.AsSpan(length), out int count) == Errno.None && count > 0) length += count;
            return Encoding.UTF8.GetString(content, 0, length).Split('\n').Select(line => line.Split(':')).FirstOrDefault(isMeant);
        }
    }

    private static bool TryNumber(string text, out uint number) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number != uint.MaxValue;
}
