using Ramet.Contracts;
using Ramet.Host;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>
/// Directories of the host in a sandbox: copies, made when it is made. Only those at or below the setting mounts.allow, with all links resolved; what a program changes stays in
/// its sandbox.
/// </summary>
internal sealed class HostDirectories(ILiveSandboxHost host, ServerSettings settings)
{
    private const int MostMounts = 16;
    private const int Piece = 64 << 10;

    /// <summary>Checks what is asked for; gives the directories as they really are.</summary>
    /// <exception cref="ProblemException">Something of it cannot be.</exception>
    public IReadOnlyList<(string Source, string Target)> Check(IReadOnlyList<MountBody>? mounts)
    {
        if (mounts is not { Count: > 0 }) return [];
        if (settings.MountsAllowed.Count == 0)
            throw ProblemException.BadRequest("'mounts': this server shares no host directories (setting mounts.allow). Upload what is needed: PUT /v1/sandboxes/{id}/files/archive takes a whole directory.");
        if (mounts.Count > MostMounts) throw ProblemException.BadRequest($"'mounts' takes up to {MostMounts} directories, not {mounts.Count}.");
        var allowed = settings.MountsAllowed.Select(Resolve).OfType<string>().ToList();
        var found = new List<(string Source, string Target)>();
        foreach (var mount in mounts)
        {
            if (mount is null || mount.Source is not ['/', ..] || mount.Target is not ['/', ..] || (mount.Source + mount.Target).Contains('\0', StringComparison.Ordinal))
                throw ProblemException.BadRequest("'mounts': 'source' and 'target' are absolute paths.");
            if (mount.ReadOnly == false) throw ProblemException.BadRequest("'mounts': a sandbox gets a copy, and what it changes there does not reach the host: leave out \"read_only\": false, and download what is wanted back.");
            // One that is not there, and one that may not be seen, look alike from outside.
            string? real = Resolve(mount.Source);
            if (real is null || !allowed.Exists(top => real == top || top == "/" || real.StartsWith(top + "/", StringComparison.Ordinal)))
                throw ProblemException.BadRequest($"'mounts': '{Json.Shorten(mount.Source)}' is no directory that this server shares (setting mounts.allow).");
            found.Add((real, mount.Target));
        }

        return found;
    }

    /// <summary>Copies them.</summary>
    /// <exception cref="HostedFileException">The sandbox has no room for them.</exception>
    public async Task CopyAsync(string tenant, string id, IReadOnlyList<(string Source, string Target)> mounts, CancellationToken cancellationToken)
    {
        foreach (var (source, target) in mounts)
        {
            var waiting = new Stack<(DirectoryInfo Directory, string Path)>();
            waiting.Push((new DirectoryInfo(source), target.TrimEnd('/')));
            while (waiting.TryPop(out var at))
            {
                await host.MakeDirectoryAsync(tenant, id, at.Path.Length == 0 ? "/" : at.Path, parents: true, cancellationToken).ConfigureAwait(false);
                foreach (var entry in at.Directory.EnumerateFileSystemInfos("*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = true }))
                {
                    string path = $"{at.Path}/{entry.Name}";
                    if (entry.LinkTarget is { } link) await host.MakeSymbolicLinkAsync(tenant, id, path, link, cancellationToken).ConfigureAwait(false);
                    else if (entry is DirectoryInfo directory) waiting.Push((directory, path));
                    else await CopyFileAsync(tenant, id, (FileInfo)entry, path, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task CopyFileAsync(string tenant, string id, FileInfo source, string path, CancellationToken cancellationToken)
    {
        Stream content;
        try
        {
            // Pipes, sockets and devices have no length, and opening one could wait for ever: like an empty file, they are made without being read.
            content = source.Length == 0 ? Stream.Null : new FileStream(source.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone meanwhile, or not for the server to read.
            return;
        }

        await using (content.ConfigureAwait(false))
        {
            var file = await host.OpenWriteAsync(tenant, id, path, (uint)source.UnixFileMode & 0x1FF, cancellationToken).ConfigureAwait(false);
            await using (file.ConfigureAwait(false)) await content.CopyToAsync(file, Piece, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A directory without links on the way to it; null: there is none.</summary>
    private static string? Resolve(string path)
    {
        try
        {
            if (!Directory.Exists(path)) return null;
            using var directory = FileDescriptor.OpenRead(path);
            return new FileInfo($"/proc/self/fd/{directory.Number}").LinkTarget;
        }
        catch (Exception e) when (e is HostException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
