using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ramet.Server.Http;

/// <summary>
/// How many connections there may be. The web server's own limit ends what is too much without a word; here it is told why. A connection takes a file descriptor: some are left for the rest
/// of the server, whatever the setting says.
/// </summary>
internal sealed class ConnectionLimit
{
    /// <summary>File descriptors that are not for connections: templates, images, workers' pipes, files that are read for requests.</summary>
    private const int Reserve = 1000;

    /// <summary>How long a refused client may take to read why. It sends a request meanwhile, and closing over what was not read would take the answer away.</summary>
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(2);

    private readonly int _most;
    private readonly byte[] _refusal;
    private int _open;
    private int _refused;

    /// <param name="wanted">What the settings ask for.</param>
    public ConnectionLimit(int wanted)
    {
        _most = Math.Max(1, Math.Min(wanted, DescriptorLimit() - Reserve));
        string detail = FormattableString.Invariant($"The server has as many connections as it may ({_most}, limits.connections and its limit of open files); try again after Retry-After seconds.");
        string body = $$"""{"type":"about:blank","title":"Too many connections","status":503,"detail":"{{detail}}","error":"{{detail}}","request_id":"none"}""";
        _refusal = Encoding.ASCII.GetBytes(FormattableString.Invariant(
            $"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
    }

    /// <summary>Has all connections of a server counted.</summary>
    public void Apply(KestrelServerOptions options) => options.ConfigureEndpointDefaults(listen => listen.Use(next => connection => AcceptAsync(connection, next)));

    private async Task AcceptAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _open) <= _most) await next(connection).ConfigureAwait(false);
            else await RefuseAsync(connection).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private async Task RefuseAsync(ConnectionContext connection)
    {
        const int MostFarewells = Reserve / 2;
        try
        {
            // When very many come at once, not all are told.
            if (Interlocked.Increment(ref _refused) > MostFarewells) return;
            await connection.Transport.Output.WriteAsync(_refusal).ConfigureAwait(false);
            await connection.Transport.Output.CompleteAsync().ConfigureAwait(false);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
            limit.CancelAfter(s_farewell);
            while (true)
            {
                var read = await connection.Transport.Input.ReadAsync(limit.Token).ConfigureAwait(false);
                connection.Transport.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // It has gone, or has had its time.
        }
        finally
        {
            Interlocked.Decrement(ref _refused);
        }
    }

    /// <summary>Most file descriptors of this process. The runtime has raised the soft limit to the hard one at its start.</summary>
    private static int DescriptorLimit()
    {
        const string Name = "Max open files";
        foreach (string line in File.ReadLines("/proc/self/limits"))
        {
            if (!line.StartsWith(Name, StringComparison.Ordinal)) continue;
            return int.TryParse(line.AsSpan(Name.Length).TrimStart().ToString().Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int limit) ? limit : int.MaxValue;
        }

        return int.MaxValue;
    }
}
