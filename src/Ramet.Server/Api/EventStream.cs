using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>Server-sent events (the HTML standard's text/event-stream): each has a name and a JSON object.</summary>
internal sealed class EventStream
{
    private static readonly TimeSpan s_keepAlive = TimeSpan.FromSeconds(15);

    private readonly HttpContext _context;
    private readonly TimeProvider _time;
    private readonly Decoder[] _decoders = [Encoding.UTF8.GetDecoder(), Encoding.UTF8.GetDecoder()];

    private EventStream(HttpContext context, TimeProvider time) => (_context, _time) = (context, time);

    /// <summary>The media type.</summary>
    public const string ContentType = "text/event-stream";

    /// <summary>Whether the client asks for events.</summary>
    public static bool IsWanted(HttpRequest request) => request.Headers.Accept.Any(value => value?.Contains(ContentType, StringComparison.OrdinalIgnoreCase) == true);

    /// <summary>Begins the answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="time">Whose timers to use; null: the system's.</param>
    public static async Task<EventStream> BeginAsync(HttpContext context, TimeProvider? time = null)
    {
        context.Response.ContentType = ContentType;
        context.Response.Headers.CacheControl = "no-store";
        // Proxies are not to collect it.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
        // That it has begun is told before anything happens.
        await context.Response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
        return new EventStream(context, time ?? TimeProvider.System);
    }

    /// <summary>Writes an event.</summary>
    public Task WriteAsync<T>(string name, T value, JsonTypeInfo<T> type) => WriteAsync(name, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>Writes a comment: it finds out whether the client is there still.</summary>
    public Task WaitAsync() => SendAsync(": waiting\n\n"u8.ToArray());

    /// <summary>Passes output on until the end, which it returns. Characters are never split. While nothing comes, comments tell the client (and find out) that all is well.</summary>
    /// <param name="events">The output.</param>
    /// <param name="raw">Output goes as bytes, in base64, rather than as text.</param>
    public async Task<HostedEvent> PumpAsync(IAsyncEnumerator<HostedEvent> events, bool raw = false)
    {
        Task<bool>? next = null;
        try
        {
            while (true)
            {
                next ??= events.MoveNextAsync().AsTask();
                // A timer only while there is nothing yet, and it goes with the wait: code may print tens of thousands of times a second.
                if (!next.IsCompleted) await ((Task)next).WaitAsync(s_keepAlive, _time, _context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!next.IsCompleted)
                {
                    _context.RequestAborted.ThrowIfCancellationRequested();
                    await WaitAsync().ConfigureAwait(false);
                    continue;
                }

                bool there = await next.ConfigureAwait(false);
                next = null;
                if (!there) throw new InvalidOperationException("The events had no end.");
                var current = events.Current;
                bool ends = current.Kind == HostedEventKind.End;
                if (raw)
                {
                    if (ends) return current;
                    await WriteAsync(current.Kind == HostedEventKind.Stderr ? "stderr" : "stdout", Encoding.UTF8.GetBytes($"{{\"base64\":\"{Convert.ToBase64String(current.Data.Span)}\"}}")).ConfigureAwait(false);
                    continue;
                }

                for (int i = 0; i < 2; i++)
                {
                    if (ends) await TextAsync(i, default, flush: true).ConfigureAwait(false);
                    else if (i == (int)current.Kind) await TextAsync(i, current.Data, flush: false).ConfigureAwait(false);
                }

                if (ends) return current;
            }
        }
        finally
        {
            // An enumerator must not be disposed while it moves; cancellation has been asked for by then.
            if (next is not null) await next.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    private async Task TextAsync(int stream, ReadOnlyMemory<byte> bytes, bool flush)
    {
        char[] characters = ArrayPool<char>.Shared.Rent(Encoding.UTF8.GetMaxCharCount(bytes.Length + 4));
        try
        {
            int count = _decoders[stream].GetChars(bytes.Span, characters, flush);
            if (count == 0) return;
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            {
                json.WriteStartObject();
                json.WriteString("text", characters.AsSpan(0, count));
                json.WriteEndObject();
            }

            await WriteAsync(stream == 0 ? "stdout" : "stderr", buffer.ToArray()).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<char>.Shared.Return(characters);
        }
    }

    // JSON on one line holds no line ends, so a single data field is enough.
    private Task WriteAsync(string name, byte[] json) => SendAsync([.. Encoding.UTF8.GetBytes($"event: {name}\ndata: "), .. json, (byte)'\n', (byte)'\n']);

    private async Task SendAsync(byte[] bytes)
    {
        await _context.Response.Body.WriteAsync(bytes, _context.RequestAborted).ConfigureAwait(false);
        await _context.Response.Body.FlushAsync(_context.RequestAborted).ConfigureAwait(false);
    }
}
