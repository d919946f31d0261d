using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ramet.Client;

/// <summary>Requests and answers.</summary>
internal sealed class Transport(HttpClient http, int retries)
{
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(10);

    public HttpClient Http => http;

    public static HttpContent Json<T>(T body, JsonTypeInfo<T> type) =>
        new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };

    public Task<TAnswer> GetAsync<TAnswer>(string path, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken) => ReadAsync(HttpMethod.Get, path, null, answer, cancellationToken);

    public Task<TAnswer> PostAsync<TAnswer>(string path, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken) => ReadAsync(HttpMethod.Post, path, null, answer, cancellationToken);

    public Task<TAnswer> SendAsync<TBody, TAnswer>(HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> type, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken) =>
        ReadAsync(method, path, () => Json(body, type), answer, cancellationToken);

    public async Task<string> GetTextAsync(string path, CancellationToken cancellationToken)
    {
        using var response = await RequestAsync(HttpMethod.Get, path, null, null, cancellationToken).ConfigureAwait(false);
        return await Guard(() => response.Content.ReadAsStringAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A request whose answer says nothing.</summary>
    public async Task DoAsync(HttpMethod method, string path, Func<HttpContent>? body, CancellationToken cancellationToken) =>
        (await RequestAsync(method, path, body, null, cancellationToken).ConfigureAwait(false)).Dispose();

    /// <summary>Server-sent events.</summary>
    public async IAsyncEnumerable<SseItem<string>> EventsAsync(HttpMethod method, string path, Func<HttpContent>? body, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await RequestAsync(method, path, body, "text/event-stream", cancellationToken).ConfigureAwait(false);
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using var disposal = stream.ConfigureAwait(false);
        var events = SseParser.Create(stream).EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using var end = events.ConfigureAwait(false);
        while (await Guard(() => events.MoveNextAsync().AsTask(), cancellationToken).ConfigureAwait(false))
        {
            // What became of it after the answer had begun, such as that the sandbox was paused.
            if (events.Current.EventType == "error") throw ErrorOf(0, Encoding.UTF8.GetBytes(events.Current.Data), null, null);
            yield return events.Current;
        }
    }

    /// <summary>What code prints, and at last what it came to.</summary>
    public async IAsyncEnumerable<(OutputPiece Piece, TEnd? End)> OutputAsync<TEnd>(
        string path, Func<HttpContent> body, JsonTypeInfo<TEnd> type, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TEnd : class
    {
        await foreach (var one in EventsAsync(HttpMethod.Post, path, body, cancellationToken).ConfigureAwait(false))
        {
            if (one.EventType is "stdout" or "stderr") yield return (new OutputPiece(one.EventType == "stderr", JsonSerializer.Deserialize(one.Data, ClientJson.Default.TextEvent)!.Text), null);
            else if (one.EventType == "end") yield return (default, JsonSerializer.Deserialize(one.Data, type));
        }
    }

    /// <summary>A request; the answer is good, and its content is yet to be read.</summary>
    /// <exception cref="RametApiException">The server refuses it.</exception>
    public async Task<HttpResponseMessage> RequestAsync(HttpMethod method, string path, Func<HttpContent>? body, string? accept, CancellationToken cancellationToken, bool repeatable = true)
    {
        for (int attempt = 0; ; attempt++)
        {
            using var request = new HttpRequestMessage(method, path) { Content = body?.Invoke() };
            request.Headers.Accept.ParseAdd(accept ?? "application/json, */*;q=0.5");
            var response = await Guard(() => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken), cancellationToken).ConfigureAwait(false);
            if (response.IsSuccessStatusCode) return response;
            RametApiException error;
            using (response) error = await ErrorAsync(response, cancellationToken).ConfigureAwait(false);
            // 429 and 503 with Retry-After: nothing was done.
            if (attempt >= retries || !repeatable || error.Status is not (429 or 503) || error.RetryAfter is not { } pause) throw error;
            await Task.Delay(pause < s_longestPause ? pause : s_longestPause, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<TAnswer> ReadAsync<TAnswer>(HttpMethod method, string path, Func<HttpContent>? body, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken)
    {
        using var response = await RequestAsync(method, path, body, null, cancellationToken).ConfigureAwait(false);
        byte[] content = await Guard(() => response.Content.ReadAsByteArrayAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        try
        {
            return JsonSerializer.Deserialize(content, answer) ?? throw new RametTransportException("The server answered with nothing.");
        }
        catch (JsonException e)
        {
            throw new RametTransportException($"The server's answer cannot be read; is it a Ramet server of this version? {e.Message}", e);
        }
    }

    private static async Task<RametApiException> ErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] content = await Guard(() => response.Content.ReadAsByteArrayAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        int status = (int)response.StatusCode;
        string? requestId = response.Headers.TryGetValues("X-Request-Id", out var values) ? values.FirstOrDefault() : null;
        return ErrorOf(status, content, requestId, response.Headers.RetryAfter?.Delta);
    }

    /// <summary>The error that a problem document tells of.</summary>
    /// <param name="status">The HTTP status; 0: that of the document.</param>
    /// <param name="content">The document, or what came in its place.</param>
    /// <param name="requestId">Names the request, if the document does not.</param>
    /// <param name="retryAfter">After which to try again.</param>
    private static RametApiException ErrorOf(int status, byte[] content, string? requestId, TimeSpan? retryAfter)
    {
        try
        {
            if (JsonSerializer.Deserialize(content, ClientJson.Default.ProblemAnswer) is { } problem)
            {
                if (status == 0) status = problem.Status ?? 500;
                return new RametApiException(status, problem.Title ?? $"HTTP {status}", problem.Detail ?? problem.Error ?? "", problem.RequestId ?? requestId, retryAfter);
            }
        }
        catch (JsonException)
        {
            // Something between here and the server has answered.
        }

        string text = Encoding.UTF8.GetString(content, 0, Math.Min(content.Length, 500)).Trim();
        return new RametApiException(status, $"HTTP {status}", text, requestId, retryAfter);
    }

    /// <summary>Errors of the connection, as callers see them.</summary>
    internal static async Task<T> Guard<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            throw new RametTransportException($"The server cannot be reached: {e.Message} Is 'ramet serve' running, and RAMET_URL right?", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException && !cancellationToken.IsCancellationRequested)
        {
            throw new RametTransportException($"The connection to the server failed: {e.Message}", e);
        }
    }
}
