using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Ramet.Host;

namespace Ramet.Server.Logging;

/// <summary>
/// Who did what: a JSON line for each request that was let in, or refused for want of a key. Written in the background and in batches of whole
/// lines; at 64 MiB the file is moved to NAME.1, so that it takes a bounded place.
/// </summary>
internal sealed class AuditLog : IAsyncDisposable
{
    private const long LargestFile = 64L << 20;
    private const int LargestBatch = 1 << 20;

    private readonly Channel<byte[]> _lines = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(4096) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    private readonly string? _path;
    private readonly ILogger _logger;
    private readonly Task _writing;

    /// <param name="path">The file; null: nothing is written.</param>
    /// <param name="logger">Told when the file cannot be written.</param>
    public AuditLog(string? path, ILogger logger)
    {
        _path = path;
        _logger = logger;
        _writing = path is null ? Task.CompletedTask : Task.Run(WriteAsync);
    }

    /// <summary>Notes a request. When the disk is slow, requests wait for it: none goes unnoted.</summary>
    public async ValueTask AddAsync(string requestId, string? keyId, string? remote, string method, string path, int status, double milliseconds)
    {
        if (_path is null) return;
        using var buffer = new MemoryStream(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", TimeProvider.System.GetUtcNow());
            json.WriteString("request_id", requestId);
            json.WriteString("key", keyId);
            json.WriteString("remote", remote);
            json.WriteString("method", method);
            json.WriteString("path", path);
            json.WriteNumber("status", status);
            json.WriteNumber("ms", Math.Round(milliseconds, 3));
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        await _lines.Writer.WriteAsync(buffer.ToArray()).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing.ConfigureAwait(false);
    }

    private async Task WriteAsync()
    {
        var batch = new ArrayBufferWriter<byte>();
        string? problem = null;
        while (await _lines.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            batch.ResetWrittenCount();
            // A batch that failed may have left half a line behind.
            if (problem is not null) batch.Write("\n"u8);
            while (batch.WrittenCount < LargestBatch && _lines.Reader.TryRead(out byte[]? line)) batch.Write(line);
            try
            {
                Append(batch.WrittenSpan);
                problem = null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or HostException)
            {
                // The lines of this batch are lost; the server's log says so, once.
                if (problem != e.Message) _logger.AuditFailed(_path!, e.Message);
                problem = e.Message;
            }
        }
    }

    /// <summary>Opened for each batch, and written in one piece: another server may write to the same file, and anybody may move it away.</summary>
    private void Append(ReadOnlySpan<byte> lines)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path!))!);
        using var file = FileDescriptor.OpenAppend(_path!, (uint)(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        file.WriteAll(lines);
        if (file.GetLength() > LargestFile) File.Move(_path!, _path + ".1", overwrite: true);
    }
}
