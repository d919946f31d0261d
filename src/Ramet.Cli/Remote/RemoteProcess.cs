using System.Net.Http;
using System.Net.WebSockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Cli.Remote;

/// <summary>A process of a sandbox whose standard streams, or terminal, are this process's: over WebSocket, byte for byte.</summary>
internal sealed class RemoteProcess(Daemon daemon, string path, bool terminal) : IDisposable
{
    /// <summary>The exit code of a program that has printed more than it may.</summary>
    public const int CutOffCode = 153;

    private const int SIGWINCH = 28;

    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _sending = new(1, 1);

    /// <summary>What it may print, bytes. With the first byte beyond it is over here, with exit code 153; whoever has set this ends the process.</summary>
    public long MaxOutput { get; init; } = long.MaxValue;

    /// <summary>Whether it has printed more than that.</summary>
    public bool IsCutOff { get; private set; }

    /// <summary>Passes everything on until the process ends; gives its exit code.</summary>
    /// <param name="passInput">Whether stdin is passed on. Else it reads the end of the file.</param>
    /// <param name="interruption">Signals of this process are passed on.</param>
    public int Run(bool passInput, Interruption interruption)
    {
        var address = new UriBuilder(new Uri(daemon.Address.Url, path)) { Scheme = daemon.Address.Url.Scheme == "https" ? "wss" : "ws" }.Uri;
        if (daemon.Address.Key is { } key) _socket.Options.SetRequestHeader("Authorization", $"Bearer {key}");
        try
        {
            using var invoker = new HttpMessageInvoker(daemon.Handler, disposeHandler: false);
            _socket.ConnectAsync(address, invoker, CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (WebSocketException e)
        {
            throw daemon.Unreachable(e);
        }

        using var raw = terminal ? RawTerminal.TryOpen(0) : null;
        using var resized = raw is null ? null : PosixSignalRegistration.Create((PosixSignal)SIGWINCH, _ => SendText(SizeMessage()));
        using var signalled = interruption.Token.UnsafeRegister(_ => SendText($"{{\"signal\":\"{interruption.ExitCode - 128}\"}}"), null);
        if (passInput) new Thread(Pump) { IsBackground = true, Name = "ramet stdin" }.Start();
        return ReceiveAsync().GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _sending.Dispose();
    }

    private static string SizeMessage()
    {
        var size = TerminalSession.Size();
        return $"{{\"resize\":{{\"rows\":{size.Rows},\"columns\":{size.Columns}}}}}";
    }

    private async Task<int> ReceiveAsync()
    {
        byte[] buffer = new byte[65536];
        int filled = 0;
        long left = MaxOutput;
        while (true)
        {
            ValueWebSocketReceiveResult received;
            try
            {
                received = await _socket.ReceiveAsync(buffer.AsMemory(filled), CancellationToken.None).ConfigureAwait(false);
            }
            catch (WebSocketException e)
            {
                throw new SandboxException($"The connection to the server broke: {e.Message} The process may go on there.");
            }

            if (received.MessageType == WebSocketMessageType.Close) throw new SandboxException(_socket.CloseStatusDescription is { Length: > 0 } why ? why : "The server has ended the connection.");
            filled += received.Count;
            if (received.MessageType == WebSocketMessageType.Binary)
            {
                // The first byte of a message says which stream it is; pieces of a message that is larger than the buffer go on.
                int count = (int)Math.Min(filled - 1, left);
                if (count > 0) StandardStream.Write(buffer[0] == 2 ? 2 : 1, buffer.AsSpan(1, count));
                IsCutOff = count < filled - 1;
                if (IsCutOff) return CutOffCode;
                left -= count;
                filled = received.EndOfMessage ? 0 : 1;
                continue;
            }

            if (!received.EndOfMessage) continue;
            using var message = JsonDocument.Parse(buffer.AsMemory(0, filled));
            return message.RootElement.GetProperty("exit_code").GetInt32();
        }
    }

    private void Pump()
    {
        var buffer = new byte[32768];
        try
        {
            for (int count; (count = StandardStream.ReadInput(buffer)) > 0;) Send(buffer.AsMemory(0, count), WebSocketMessageType.Binary);
        }
        catch (HostException e)
        {
            Message.Write(e.Message);
        }

        SendText("{\"eof\":true}");
    }

    private void SendText(string text) => Send(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text);

    private void Send(ReadOnlyMemory<byte> bytes, WebSocketMessageType type)
    {
        try
        {
            _sending.Wait();
            try
            {
                _socket.SendAsync(bytes, type, endOfMessage: true, CancellationToken.None).AsTask().GetAwaiter().GetResult();
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The process has ended.
        }
    }
}
