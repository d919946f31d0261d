using System.Formats.Tar;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Ramet.Contracts;

namespace Ramet.Client;

/// <summary>Files of a sandbox. A relative path begins in the interpreter's working directory. A path that is not there is a <see cref="RametApiException"/> with status 404.</summary>
public sealed class Files
{
    private const int Piece = 64 << 10;

    private readonly Sandbox _sandbox;

    internal Files(Sandbox sandbox) => _sandbox = sandbox;

    private Transport Transport => _sandbox.Client.Transport;

    /// <summary>A file's content.</summary>
    public async Task<byte[]> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        using var response = await GetAsync("/content", path, cancellationToken).ConfigureAwait(false);
        return await Transport.Guard(() => response.Content.ReadAsByteArrayAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A file's content as text (UTF-8).</summary>
    public async Task<string> ReadTextAsync(string path, CancellationToken cancellationToken = default) => Encoding.UTF8.GetString(await ReadAsync(path, cancellationToken).ConfigureAwait(false));

    /// <summary>A file's content as a stream, which is to be disposed of.</summary>
    public async Task<Stream> OpenAsync(string path, CancellationToken cancellationToken = default) =>
        await (await GetAsync("/content", path, cancellationToken).ConfigureAwait(false)).Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Writes a file; directories that are missing are made.</summary>
    /// <param name="path">Where.</param>
    /// <param name="content">Its content, as UTF-8.</param>
    /// <param name="mode">Permissions; null: 644 for a new file.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task WriteAsync(string path, string content, UnixFileMode? mode = null, CancellationToken cancellationToken = default) =>
        PutAsync("/content", path, mode, () => new ByteArrayContent(Encoding.UTF8.GetBytes(content)), repeatable: true, cancellationToken);

    /// <summary>Writes a file of bytes.</summary>
    public Task WriteAsync(string path, ReadOnlyMemory<byte> content, UnixFileMode? mode = null, CancellationToken cancellationToken = default) =>
        PutAsync("/content", path, mode, () => new ReadOnlyMemoryContent(content), repeatable: true, cancellationToken);

    /// <summary>Writes a file from a stream, which is never held as a whole.</summary>
    public Task WriteAsync(string path, Stream content, UnixFileMode? mode = null, CancellationToken cancellationToken = default) =>
        PutAsync("/content", path, mode, () => new StreamContent(content, Piece), repeatable: false, cancellationToken);

    /// <summary>Entries of a directory, ordered by name.</summary>
    public async Task<IReadOnlyList<FileAnswer>> ListAsync(string path = ".", CancellationToken cancellationToken = default) =>
        (await Transport.GetAsync(await PathAsync("", path, cancellationToken).ConfigureAwait(false), ClientJson.Default.FileList, cancellationToken).ConfigureAwait(false)).Entries;

    /// <summary>Type, size, mode, owner, time.</summary>
    /// <param name="path">Which.</param>
    /// <param name="follow">False: what a symbolic link itself is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<FileAnswer> StatAsync(string path, bool follow = true, CancellationToken cancellationToken = default) =>
        await Transport.GetAsync(await PathAsync("/stat", path, cancellationToken).ConfigureAwait(false) + (follow ? "" : "&follow=false"), ClientJson.Default.FileAnswer, cancellationToken).ConfigureAwait(false);

    /// <summary>Whether there is something of this name.</summary>
    public async Task<bool> ExistsAsync(string path, CancellationToken cancellationToken = default)
    {
        try
        {
            await StatAsync(path, cancellationToken: cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RametApiException e) when (e.Status == 404)
        {
            return false;
        }
    }

    /// <summary>Makes a directory; with <paramref name="parents"/> also those above it, and one that is there already is fine.</summary>
    public Task MakeDirectoryAsync(string path, bool parents = true, CancellationToken cancellationToken = default) =>
        DoAsync("/mkdir", () => Transport.Json(new MakeDirectoryBody { Path = path, Parents = parents }, ClientJson.Default.MakeDirectoryBody), cancellationToken);

    /// <summary>Moves or renames; a file that is there is replaced.</summary>
    public Task MoveAsync(string from, string to, CancellationToken cancellationToken = default) =>
        DoAsync("/move", () => Transport.Json(new MoveBody { From = from, To = to }, ClientJson.Default.MoveBody), cancellationToken);

    /// <summary>Removes a file or an empty directory; with <paramref name="recursive"/> also all below it.</summary>
    public async Task RemoveAsync(string path, bool recursive = false, CancellationToken cancellationToken = default) =>
        await Transport.DoAsync(HttpMethod.Delete, await PathAsync("", path, cancellationToken).ConfigureAwait(false) + (recursive ? "&recursive=true" : ""), null, cancellationToken).ConfigureAwait(false);

    /// <summary>Copies a file, or the content of a directory, from this machine into the sandbox. Streamed, whatever its size.</summary>
    public async Task UploadAsync(string local, string remote, CancellationToken cancellationToken = default)
    {
        if (Directory.Exists(local))
        {
            await PutAsync("/archive", remote, null, () => new DirectoryContent(local), repeatable: true, cancellationToken).ConfigureAwait(false);
            return;
        }

        var file = new FileStream(local, FileMode.Open, FileAccess.Read, FileShare.Read, Piece, useAsync: true);
        await using var disposal = file.ConfigureAwait(false);
        var mode = OperatingSystem.IsWindows() ? (UnixFileMode?)null : File.GetUnixFileMode(file.SafeFileHandle) & (UnixFileMode)0x1FF;
        await WriteAsync(remote, file, mode, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Copies a file, or the content of a directory, from the sandbox to this machine. Nothing is written outside <paramref name="local"/>.</summary>
    /// <exception cref="RametException">The sandbox has made an archive that leads elsewhere.</exception>
    public async Task DownloadAsync(string remote, string local, CancellationToken cancellationToken = default)
    {
        bool directory = (await StatAsync(remote, cancellationToken: cancellationToken).ConfigureAwait(false)).Type == "directory";
        using var response = await GetAsync(directory ? "/archive" : "/content", remote, cancellationToken).ConfigureAwait(false);
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using var disposal = stream.ConfigureAwait(false);
        if (directory)
        {
            await Archive.UnpackAsync(stream, local, cancellationToken).ConfigureAwait(false);
            return;
        }

        var file = File.Create(local);
        await using var close = file.ConfigureAwait(false);
        await stream.CopyToAsync(file, Piece, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Changes in a directory as they happen, without end: leave the loop, or cancel. They are watched from when the loop begins.</summary>
    public async IAsyncEnumerable<FileChange> WatchAsync(string path = ".", bool recursive = false, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string target = await PathAsync("/watch", path, cancellationToken).ConfigureAwait(false) + (recursive ? "&recursive=true" : "");
        await foreach (var one in Transport.EventsAsync(HttpMethod.Get, target, null, cancellationToken).ConfigureAwait(false))
        {
            if (one.EventType == "change") yield return JsonSerializer.Deserialize(one.Data, ClientJson.Default.FileChange)!;
        }
    }

    private Task<string> PathAsync(string what, string path, CancellationToken cancellationToken) => _sandbox.PathAsync($"/files{what}?path={Uri.EscapeDataString(path)}", cancellationToken);

    private async Task<HttpResponseMessage> GetAsync(string what, string path, CancellationToken cancellationToken) =>
        await Transport.RequestAsync(HttpMethod.Get, await PathAsync(what, path, cancellationToken).ConfigureAwait(false), null, "*/*", cancellationToken).ConfigureAwait(false);

    private async Task PutAsync(string what, string path, UnixFileMode? mode, Func<HttpContent> content, bool repeatable, CancellationToken cancellationToken)
    {
        string target = await PathAsync(what, path, cancellationToken).ConfigureAwait(false) + (mode is { } bits ? $"&mode={Convert.ToString((int)bits, 8)}" : "");
        (await Transport.RequestAsync(HttpMethod.Put, target, content, null, cancellationToken, repeatable).ConfigureAwait(false)).Dispose();
    }

    private async Task DoAsync(string what, Func<HttpContent> body, CancellationToken cancellationToken) =>
        await Transport.DoAsync(HttpMethod.Post, await _sandbox.PathAsync("/files" + what, cancellationToken).ConfigureAwait(false), body, cancellationToken).ConfigureAwait(false);

    /// <summary>A directory as a tar archive, written while it is sent.</summary>
    private sealed class DirectoryContent(string directory) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
            TarFile.CreateFromDirectoryAsync(directory, stream, includeBaseDirectory: false, cancellationToken);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
