using System.Formats.Tar;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>Directories of a sandbox as tar archives, entry by entry: no archive is ever held in memory or on disk.</summary>
internal sealed class FileArchive(ILiveSandboxHost host, string tenant, string id)
{
    private const int Deepest = 256;

    /// <summary>Writes a directory's content, or one file, as an archive.</summary>
    public async Task WriteAsync(HostedFileInfo top, Stream output, CancellationToken cancellationToken)
    {
        var writer = new TarWriter(output, TarEntryFormat.Pax, leaveOpen: true);
        await using var disposal = writer.ConfigureAwait(false);
        if (top.Type != "directory")
        {
            await WriteEntryAsync(writer, top, top.Path[(top.Path.LastIndexOf('/') + 1)..], cancellationToken).ConfigureAwait(false);
            return;
        }

        var waiting = new Stack<(string Path, string Name)>();
        waiting.Push((top.Path, ""));
        while (waiting.TryPop(out var directory))
        {
            foreach (var entry in await host.ListFilesAsync(tenant, id, directory.Path, cancellationToken).ConfigureAwait(false))
            {
                string name = directory.Name + entry.Path[(entry.Path.LastIndexOf('/') + 1)..];
                await WriteEntryAsync(writer, entry, name, cancellationToken).ConfigureAwait(false);
                if (entry.Type == "directory" && name.Count(c => c == '/') < Deepest) waiting.Push((entry.Path, name + "/"));
            }
        }
    }

    /// <summary>Unpacks an archive into a directory. Names of entries cannot lead out of the sandbox, and links in it do not lead out of it either.</summary>
    public async Task ReadAsync(string directory, Stream input, CancellationToken cancellationToken)
    {
        await host.MakeDirectoryAsync(tenant, id, directory, parents: true, cancellationToken).ConfigureAwait(false);
        string prefix = directory.EndsWith('/') ? directory : directory + "/";
        try
        {
            var guarded = new TarGuardStream(input);
            await using var guarding = guarded.ConfigureAwait(false);
            var reader = new TarReader(guarded, leaveOpen: true);
            await using var disposal = reader.ConfigureAwait(false);
            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
                await ReadEntryAsync(prefix, entry, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or EndOfStreamException or OverflowException)
        {
            throw ProblemException.BadRequest($"The body is not a tar archive: {e.Message}");
        }
    }

    private async Task ReadEntryAsync(string prefix, TarEntry entry, CancellationToken cancellationToken)
    {
        string name = entry.Name.TrimStart('/').TrimEnd('/');
        if (name.Split('/').Contains("..", StringComparer.Ordinal) || name.Contains('\0', StringComparison.Ordinal)) throw ProblemException.BadRequest($"The archive's entry '{Json.Shorten(entry.Name.Replace("\0", "\\0", StringComparison.Ordinal))}' has '..' or a NUL in its name.");
        if (name.Length == 0 || name == ".") return;
        string path = prefix + name;
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                await host.MakeDirectoryAsync(tenant, id, path, parents: true, cancellationToken).ConfigureAwait(false);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                var file = await host.OpenWriteAsync(tenant, id, path, (uint)entry.Mode & 0xFFF, cancellationToken).ConfigureAwait(false);
                await using (file.ConfigureAwait(false))
                {
                    if (entry.DataStream is { } content) await content.CopyToAsync(file, 64 << 10, cancellationToken).ConfigureAwait(false);
                }

                break;
            case TarEntryType.SymbolicLink:
                await host.MakeSymbolicLinkAsync(tenant, id, path, entry.LinkName, cancellationToken).ConfigureAwait(false);
                break;
            default:
                throw ProblemException.BadRequest($"The archive's entry '{Json.Shorten(entry.Name)}' is a {entry.EntryType}; files, directories and symbolic links can be unpacked.");
        }
    }

    private async Task WriteEntryAsync(TarWriter writer, HostedFileInfo file, string name, CancellationToken cancellationToken)
    {
        PaxTarEntry? entry = file.Type switch
        {
            "file" => new PaxTarEntry(TarEntryType.RegularFile, name),
            "directory" => new PaxTarEntry(TarEntryType.Directory, name + "/"),
            "symlink" => new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = file.Target ?? "" },
            // Pipes, sockets and devices are of no use elsewhere.
            _ => null,
        };
        if (entry is null || (entry.EntryType == TarEntryType.SymbolicLink && entry.LinkName.Length == 0)) return;
        entry.Mode = (UnixFileMode)(file.Mode & 0xFFF);
        entry.Uid = (int)file.Uid;
        entry.Gid = (int)file.Gid;
        entry.ModificationTime = file.Modified < DateTimeOffset.UnixEpoch ? DateTimeOffset.UnixEpoch : file.Modified;
        Stream? content = null;
        if (entry.EntryType == TarEntryType.RegularFile)
        {
            try
            {
                var stream = await host.OpenReadAsync(tenant, id, file.Path, cancellationToken).ConfigureAwait(false);
                // The size goes first: a file that grows or shrinks meanwhile is cut, or filled with zeros.
                content = new ExactStream(stream, stream.Length);
            }
            catch (HostedFileException)
            {
                // Removed meanwhile, or nothing that can be read.
                return;
            }
        }

        if (content is not null) entry.DataStream = content;
        try
        {
            await writer.WriteEntryAsync(entry, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (content is not null) await content.DisposeAsync().ConfigureAwait(false);
        }
    }
}
