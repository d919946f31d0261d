using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>A process on one side, a WebSocket on the other. When the client goes, the process goes on: it can be attached to again.</summary>
internal sealed class ProcessSocket(ILiveSandboxHost host, WebSocket socket, string tenant, string id, int pid)
{
    private const int LargestText = 4096;
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(5);

    /// <summary>Passes everything on until the process or the client ends it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var receiving = ReceiveAsync(stop);
        try
        {
            await SendAsync(stop.Token).ConfigureAwait(false);
            await CloseAsync(WebSocketCloseStatus.NormalClosure, "the process has ended").ConfigureAwait(false);
            // To end the receiving is to cut the connection: the client is to have its time to read the rest and to say goodbye.
            await Task.WhenAny(receiving, Task.Delay(s_closing, CancellationToken.None)).ConfigureAwait(false);
        }
        catch (Sandboxes.SandboxException e)
        {
            // The sandbox has gone, or was paused: the client is told.
            await CloseAsync(WebSocketCloseStatus.EndpointUnavailable, e.Message).ConfigureAwait(false);
            await Task.WhenAny(receiving, Task.Delay(s_closing, CancellationToken.None)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException)
        {
            // The client has gone, or was told why.
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await receiving.ConfigureAwait(false);
            if (socket.State == WebSocketState.CloseReceived) await CloseAsync(WebSocketCloseStatus.NormalClosure, "").ConfigureAwait(false);
        }
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        await foreach (var next in host.AttachAsync(tenant, id, pid, cancellationToken).ConfigureAwait(false))
        {
            if (next.Kind == HostedEventKind.End)
            {
                byte[] text = Encoding.UTF8.GetBytes($"{{\"exit_code\":{next.ExitCode.ToString(System.Globalization.CultureInfo.InvariantCulture)}}}");
                await socket.SendAsync(text, WebSocketMessageType.Text, endOfMessage: true, cancellationToken).ConfigureAwait(false);
                return;
            }

            byte[] message = [next.Kind == HostedEventKind.Stderr ? (byte)2 : (byte)1, .. next.Data.Span];
            await socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ReceiveAsync(CancellationTokenSource stop)
    {
        var buffer = new byte[16384];
        using var text = new MemoryStream();
        try
        {
            while (true)
            {
                var received = await socket.ReceiveAsync(buffer.AsMemory(), stop.Token).ConfigureAwait(false);
                if (received.MessageType == WebSocketMessageType.Close) break;
                if (received.MessageType == WebSocketMessageType.Binary)
                {
                    await host.WriteInputAsync(tenant, id, pid, buffer.AsMemory(0, received.Count), close: false, stop.Token).ConfigureAwait(false);
                    continue;
                }

                text.Write(buffer, 0, received.Count);
                if (text.Length > LargestText) throw ProblemException.BadRequest("A text message is larger than 4 KiB; input goes in binary messages.");
                if (!received.EndOfMessage) continue;
                await CommandAsync(text.ToArray(), stop.Token).ConfigureAwait(false);
                text.SetLength(0);
            }

            await stop.CancelAsync().ConfigureAwait(false);
        }
        catch (ProblemException e)
        {
            await CloseAsync(WebSocketCloseStatus.PolicyViolation, e.Message).ConfigureAwait(false);
            await stop.CancelAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or Sandboxes.SandboxException)
        {
            await stop.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task CommandAsync(byte[] json, CancellationToken cancellationToken)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new JsonException();
            if (root.TryGetProperty("resize", out var size))
                await host.ResizeAsync(tenant, id, pid, ProcessEndpoints.Check(size.Deserialize(Json.Contracts.TerminalSize) ?? throw new JsonException()), cancellationToken).ConfigureAwait(false);
            else if (root.TryGetProperty("signal", out var signal) && signal.ValueKind == JsonValueKind.String)
                await host.SignalAsync(tenant, id, pid, ProcessEndpoints.ParseSignal(signal.GetString()!), cancellationToken).ConfigureAwait(false);
            else if (root.TryGetProperty("eof", out var eof) && eof.ValueKind == JsonValueKind.True)
                await host.WriteInputAsync(tenant, id, pid, default, close: true, cancellationToken).ConfigureAwait(false);
            else throw new JsonException();
        }
        catch (JsonException)
        {
            throw ProblemException.BadRequest("A text message is {\"resize\": ...}, {\"signal\": \"...\"} or {\"eof\": true}.");
        }
    }

    private async Task CloseAsync(WebSocketCloseStatus status, string reason)
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            // A reason of a close frame has up to 123 bytes (RFC 6455, 5.5).
            await socket.CloseOutputAsync(status, reason.Length <= 120 ? reason : reason[..120], limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has gone.
        }
    }
}
