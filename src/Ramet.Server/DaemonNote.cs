using System.Text.Json;
using Ramet.Contracts;
using Ramet.Server.Http;

namespace Ramet.Server;

/// <summary>The note in the data directory by which commands find the daemon. It goes with the daemon, and one that was killed leaves one whose process is gone.</summary>
internal sealed class DaemonNote : IDisposable
{
    private readonly string _path;
    private readonly byte[] _content;

    private DaemonNote(string path, byte[] content) => (_path, _content) = (path, content);

    /// <summary>Writes it. Null: it cannot be written, which hinders nothing else.</summary>
    public static DaemonNote? Write(string? dataDirectory, string address, bool needsKey)
    {
        if (dataDirectory is null) return null;
        string path = Path.Combine(dataDirectory, DaemonFile.Name), temporary = $"{path}.{Environment.ProcessId}";
        byte[] content = JsonSerializer.SerializeToUtf8Bytes(new DaemonFile { Address = address, Pid = Environment.ProcessId, NeedsKey = needsKey }, Json.Contracts.DaemonFile);
        try
        {
            File.WriteAllBytes(temporary, content);
            File.Move(temporary, path, overwrite: true);
            return new DaemonNote(path, content);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            // Unless another daemon has written its own meanwhile.
            if (File.ReadAllBytes(_path).AsSpan().SequenceEqual(_content)) File.Delete(_path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
        }
    }
}
