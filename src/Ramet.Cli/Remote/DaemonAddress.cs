using System.Text.Json;
using Ramet.Cli.Input;
using Ramet.Contracts;

namespace Ramet.Cli.Remote;

/// <summary>Where a daemon is.</summary>
/// <param name="Url">Its URL; for a Unix socket one whose host means nothing.</param>
/// <param name="SocketPath">The Unix socket; null: TCP.</param>
/// <param name="Key">The key to send; null: none.</param>
internal sealed record DaemonAddress(Uri Url, string? SocketPath, string? Key)
{
    private const string UnixPrefix = "unix:";

    /// <summary>The daemon that is meant: --server, RAMET_SERVER, the one that notes itself in the data directory, or what listens where one does by default.</summary>
    public static DaemonAddress Find(string? option, string dataDirectory) =>
        Named(option) ?? Noted(dataDirectory) ?? Parse("127.0.0.1:8080");

    /// <summary>The daemon that was named by an option or a variable; null: none was.</summary>
    public static DaemonAddress? Named(string? option) =>
        option is { Length: > 0 } given ? Parse(given) : Environment.GetEnvironmentVariable("RAMET_SERVER") is { Length: > 0 } variable ? Parse(variable) : null;

    /// <summary>The daemon of this data directory that runs; null: there is none.</summary>
    public static DaemonAddress? Noted(string dataDirectory)
    {
        try
        {
            string path = Path.Combine(dataDirectory, DaemonFile.Name);
            if (!File.Exists(path)) return null;
            var note = JsonSerializer.Deserialize(File.ReadAllBytes(path), ContractsJson.Default.DaemonFile);
            return note is not null && Directory.Exists($"/proc/{note.Pid}") && (!note.NeedsKey || KeyToSend is not null) ? Parse(note.Address) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or UsageException)
        {
            return null;
        }
    }

    private static string? KeyToSend => Environment.GetEnvironmentVariable("RAMET_API_KEY") is { Length: > 0 } key ? key : null;

    private static DaemonAddress Parse(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal)) return new DaemonAddress(new Uri("http://localhost/"), text[UnixPrefix.Length..], KeyToSend);
        string url = text.Contains("://", StringComparison.Ordinal) ? text : $"http://{(text.StartsWith(':') ? "127.0.0.1" : "")}{text}";
        return Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https"
            ? new DaemonAddress(parsed, null, KeyToSend)
            : throw new UsageException($"'{text}' is not the address of a server: write HOST:PORT, a URL, or unix:/PATH.");
    }
}
