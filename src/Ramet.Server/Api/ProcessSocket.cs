using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>A process on one side, a WebSocket on the other. When the client goes, the process goes on: it can be attached to again.</summary>
internal sealed class ProcessSocket(ILiveSandboxHost host, ProcessInput input, WebSocket socket, string tenant, string id, int pid)
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
                    await input.WriteAsync(tenant, id, pid, buffer.AsMemory(0, received.Count), close: false, stop.Token).ConfigureAwait(false);
                    continue;
                }

                text.Write(buffer, 0, received.Count);
                if (text.Length > LargestText) throw ProblemException.BadRequest("A text message is larger than 4 KiB; input goes in binary messages.");
                if (!received.EndOfMessage) continue;
                await CommandAsync(text.ToArray(), stop.Token).ConfigureAwait(false);
                text.SetLength(0);
            }

        }
        catch (ProblemException e)
        {
            await CloseAsync(WebSocketCloseStatus.PolicyViolation, e.Message).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or Sandboxes.SandboxException)
        {
            // The client or the sandbox has gone.
        }
        finally
        {
            // Whatever it was: output does not go on to somebody whose input nobody takes.
            await stop.CancelAsync().ConfigureAwait(false);
        }
    }

    private Task CommandAsync(byte[] json, CancellationToken cancellationToken)
    {
        var (size, signal) = Read(json);
        if (size is not null) return host.ResizeAsync(tenant, id, pid, ProcessEndpoints.Check(size), cancellationToken);
        if (signal is not null) return host.SignalAsync(tenant, id, pid, ProcessEndpoints.ParseSignal(signal), cancellationToken);
        return input.WriteAsync(tenant, id, pid, default, close: true, cancellationToken);
    }

    /// <summary>What a text message asks for: a size, a signal, or with neither the end of the input.</summary>
    private static (TerminalSize? Size, string? Signal) Read(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new JsonException();
            if (root.TryGetProperty("resize", out var size)) return (size.Deserialize(Json.Contracts.TerminalSize) ?? throw new JsonException(), null);
            if (root.TryGetProperty("signal", out var signal) && signal.ValueKind == JsonValueKind.String) return (null, signal.GetString());
            if (root.TryGetProperty("eof", out var eof) && eof.ValueKind == JsonValueKind.True) return default;
            throw new JsonException();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: half of a surrogate pair, which is JSON and no text.
            throw ProblemException.BadRequest("A text message is {\"resize\": ...}, {\"signal\": \"...\"} or {\"eof\": true}.");
        }
    }

    /// <summary>A reason of a close frame has up to 123 bytes of UTF-8 (RFC 6455, 5.5). It may name what the client has sent.</summary>
    private static string Shorten(string reason)
    {
        const int Most = 123;
        var text = new StringBuilder();
        int bytes = 0;
        foreach (var rune in reason.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > Most) break;
            text.Append(rune.ToString());
        }

        return text.ToString();
    }

    private async Task CloseAsync(WebSocketCloseStatus status, string reason)
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await socket.CloseOutputAsync(status, Shorten(reason), limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has gone.
        }
    }
}
