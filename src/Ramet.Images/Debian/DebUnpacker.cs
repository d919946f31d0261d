using System.Text;
using Ramet.Images.Archives;

namespace Ramet.Images.Debian;

/// <summary>What a package brought, besides files.</summary>
/// <param name="Control">The members of its control archive by name (control, md5sums, postinst ...).</param>
/// <param name="Paths">All that it put into the tree, as dpkg lists it: absolute, in the order of the archive.</param>
internal sealed record UnpackedPackage(IReadOnlyDictionary<string, byte[]> Control, IReadOnlyList<string> Paths)
{
    /// <summary>A member of the control archive as text (one char a byte); empty when there is none.</summary>
    public string ControlText(string name) => Control.TryGetValue(name, out var bytes) ? Encoding.Latin1.GetString(bytes) : "";
}

/// <summary>Unpacks .deb files into a tree, owners and modes as in the archive. Runs nothing of the package.</summary>
internal sealed class DebUnpacker(ImageTree tree)
{
    // What Debian's own slim container images leave out: nobody reads manuals in a sandbox. Licences stay.
    private static readonly string[] s_left = ["usr/share/man/", "usr/share/info/", "usr/share/groff/", "usr/share/lintian/", "usr/share/linda/", "usr/share/locale/", "usr/share/doc/"];

    private const int MaximumControlMember = 64 << 20;

    /// <summary>Unpacks one package.</summary>
    /// <exception cref="ImageBuildException">dpkg-deb is missing or cannot read the file.</exception>
    public UnpackedPackage Unpack(string path, CancellationToken cancellationToken)
    {
        Dictionary<string, byte[]> control = new(StringComparer.Ordinal);
        ReadTar(path, "--ctrl-tarfile", (entry, content) =>
        {
            if (entry.Type != '0') return;
            if (entry.Size > MaximumControlMember) throw new InvalidDataException($"{entry.Name} is too large.");
            var bytes = new byte[entry.Size];
            content.ReadExactly(bytes);
            control[Normalize(entry.Name)] = bytes;
        }, cancellationToken);
        List<string> paths = [];
        ReadTar(path, "--fsys-tarfile", (entry, content) =>
        {
            var name = Normalize(entry.Name);
            if (IsLeftOut(name)) return;
            TreeEntries.Add(tree, entry, name, Normalize(entry.LinkName), content);
            paths.Add(name.Length == 0 ? "/." : "/" + name);
        }, cancellationToken);
        return new UnpackedPackage(control, paths);
    }

    private static bool IsLeftOut(string name)
    {
        foreach (var prefix in s_left)
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                return !(name.EndsWith("/copyright", StringComparison.Ordinal) || name is "usr/share/locale/locale.alias");
        return false;
    }

    private static string Normalize(string name)
    {
        if (name.StartsWith("./", StringComparison.Ordinal)) name = name[2..];
        return name is "." ? "" : name.Trim('/');
    }

    private static void ReadTar(string path, string option, Action<TarEntry, Stream> onEntry, CancellationToken cancellationToken)
    {
        using var process = Tool.Start("dpkg-deb", [option, path], new Dictionary<string, string>(StringComparer.Ordinal));
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var finished = false;
        try
        {
            using var input = new BufferedStream(process.StandardOutput.BaseStream, 1 << 16);
            using var reader = new TarStreamReader(input);
            while (reader.Next() is { } entry)
            {
                cancellationToken.ThrowIfCancellationRequested();
                onEntry(entry, reader.Content);
            }
            finished = true;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or OverflowException)
        {
            Tool.Kill(process);
            throw Unreadable(path, FirstLine(errors) ?? e.Message, e);
        }
        finally
        {
            if (!finished) Tool.Kill(process);
            process.WaitForExit();
        }
        if (process.ExitCode != 0) throw Unreadable(path, FirstLine(errors) ?? $"exit code {process.ExitCode}", null);
    }

    private static string? FirstLine(Task<string> errors) =>
        errors.GetAwaiter().GetResult().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [var line, ..] ? line : null;

    private static ImageBuildException Unreadable(string path, string reason, Exception? inner) =>
        new($"package {Path.GetFileName(path)} cannot be unpacked: {reason}", inner);
}

/// <summary>Puts entries of tar archives into a tree.</summary>
internal static class TreeEntries
{
    /// <summary>Adds one entry.</summary>
    public static void Add(ImageTree tree, TarEntry entry, string name, string hardLinkTarget, Stream content)
    {
        var (uid, gid, time) = (entry.Uid, entry.Gid, entry.ModifiedNanoseconds);
        TreeNode? node;
        switch (entry.Type)
        {
            case '0':
                node = tree.AddFile(name, content, entry.Size, entry.Permissions, uid, gid, time);
                break;
            case '1':
                if (!tree.AddHardLink(name, hardLinkTarget)) throw new InvalidDataException($"'{name}' is a link to '{hardLinkTarget}', which is not there.");
                return;
            case '2':
                node = tree.AddSymbolicLink(name, entry.LinkName, uid, gid, time);
                break;
            case '3':
            case '4':
                var type = entry.Type == '3' ? ModeBits.CharacterDevice : ModeBits.BlockDevice;
                node = tree.AddSpecial(name, type | entry.Permissions, MakeDevice(entry.DeviceMajor, entry.DeviceMinor), uid, gid, time);
                break;
            case '5':
                // An existing link to a directory stays one, as dpkg has it: that is how merged /usr works.
                node = name.Length == 0 ? tree.Root : tree.AddDirectory(name, entry.Permissions, uid, gid, time);
                if (name.Length == 0) (node.Uid, node.Gid, node.ModifiedNanoseconds) = (uid, gid, time);
                break;
            case '6':
                node = tree.AddSpecial(name, ModeBits.Fifo | entry.Permissions, 0, uid, gid, time);
                break;
            default:
                throw new InvalidDataException($"'{name}' is of the unknown type '{entry.Type}'.");
        }
        foreach (var (key, value) in entry.ExtendedAttributes) node.ExtendedAttributes[key] = value;
    }

    /// <summary>dev_t as Linux gives it to programs: 12 bits of major, 20 of minor (include/linux/kdev_t.h, new_encode_dev), widened as glibc does.</summary>
    public static ulong MakeDevice(uint major, uint minor) =>
        (minor & 0xFFUL) | ((major & 0xFFFUL) << 8) | ((minor & ~0xFFUL) << 12) | ((major & ~0xFFFUL) << 32);
}
