using System.Formats.Tar;

namespace Ramet.Client;

/// <summary>Unpacks what comes from a sandbox, which is not trusted.</summary>
internal static class Archive
{
    /// <summary>Files and directories go below <paramref name="directory"/>; symbolic links are made when they stay in it; whatever else there may be is left out.</summary>
    public static async Task UnpackAsync(Stream source, string directory, CancellationToken cancellationToken)
    {
        string top = Path.GetFullPath(Directory.CreateDirectory(directory).FullName).TrimEnd(Path.DirectorySeparatorChar);
        var links = new List<(string Path, string Target)>();
        try
        {
            var reader = new TarReader(source, leaveOpen: true);
            await using var disposal = reader.ConfigureAwait(false);
            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                string name = entry.Name.Trim('/');
                if (name.Length == 0 || name == ".") continue;
                string path = Inside(top, name);
                if (entry.EntryType == TarEntryType.Directory)
                {
                    Directory.CreateDirectory(path);
                }
                else if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                    await WriteAsync(path, entry, cancellationToken).ConfigureAwait(false);
                }
                else if (entry.EntryType == TarEntryType.SymbolicLink)
                {
                    links.Add((path, entry.LinkName));
                }
            }
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or EndOfStreamException)
        {
            throw new RametTransportException($"The archive cannot be read: {e.Message}", e);
        }

        // At the end, so that nothing was written through one of them.
        foreach (var (path, target) in links)
        {
            string parent = Path.GetDirectoryName(path)!;
            if (!Stays(top, parent, target) || Path.Exists(path) || new FileInfo(path).LinkTarget is not null) continue;
            Directory.CreateDirectory(parent);
            File.CreateSymbolicLink(path, target);
        }
    }

    // Not through other links: '..' of those leads elsewhere than it seems. So '..' may only come first, and from a directory that is one.
    private static bool Stays(string top, string parent, string target)
    {
        if (Path.IsPathRooted(target)) return false;
        var parts = target.Split('/').Where(part => part is not ("" or ".")).ToList();
        int ups = parts.TakeWhile(part => part == "..").Count();
        if (parts.Skip(ups).Contains("..", StringComparer.Ordinal)) return false;
        int depth = 0;
        for (string directory = parent; directory.Length > top.Length; directory = Path.GetDirectoryName(directory)!, depth++)
        {
            if (new DirectoryInfo(directory).LinkTarget is not null) return false;
        }

        return ups <= depth;
    }

    private static async Task WriteAsync(string path, TarEntry entry, CancellationToken cancellationToken)
    {
        if (new FileInfo(path).LinkTarget is not null) File.Delete(path);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = (entry.Mode & (UnixFileMode)0x1FF) | UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, options);
        await using var disposal = file.ConfigureAwait(false);
        if (entry.DataStream is { } content) await content.CopyToAsync(file, 64 << 10, cancellationToken).ConfigureAwait(false);
    }

    private static string Inside(string top, string name)
    {
        if (name.Contains('\0', StringComparison.Ordinal) || name.Split('/', '\\').Contains("..", StringComparer.Ordinal) || Path.IsPathRooted(name)) throw new RametException($"The archive's entry '{name}' leads out of the directory.");
        string path = top;
        string[] parts = name.Split('/');
        for (int i = 0; i < parts.Length; i++)
        {
            path = Path.Combine(path, parts[i]);
            // A link that was there before may lead elsewhere.
            if (i < parts.Length - 1 && new DirectoryInfo(path).LinkTarget is not null) throw new RametException($"The archive's entry '{name}' leads through a symbolic link.");
        }

        return path;
    }
}
