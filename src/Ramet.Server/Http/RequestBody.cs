using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ramet.Server.Http;

/// <summary>Bodies of requests that are not taken, or not to their end.</summary>
internal static class RequestBody
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>The web server's limit of a body's size, which it keeps by cutting the connection: most clients would see that instead of an answer. It is ours to keep from here on.</summary>
    public static long TakeOverLimit(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is not { IsReadOnly: false, MaxRequestBodySize: { } limit } feature) return long.MaxValue;
        feature.MaxRequestBodySize = null;
        return limit;
    }

    /// <summary>Reads over what is left of a body, within bounds, so that the client comes to read the answer: most send all before they do.</summary>
    /// <param name="context">The request.</param>
    /// <param name="most">Bytes; no more than this.</param>
    public static async Task ReadOverAsync(HttpContext context, long most)
    {
        var reader = context.Request.BodyReader;
        using var time = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        time.CancelAfter(s_patience);
        try
        {
            while (most > 0)
            {
                var read = await reader.ReadAsync(time.Token).ConfigureAwait(false);
                most -= read.Buffer.Length;
                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) break;
            }
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // It sends slowly: the answer comes now, seen or not.
        }
    }

    /// <summary>Has a body used by something that may fail halfway.</summary>
    public static async Task UseAsync(HttpContext context, Func<Stream, Task> use)
    {
        TakeOverLimit(context);
        try
        {
            await use(context.Request.Body).ConfigureAwait(false);
        }
        catch (Exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            await ReadOverAsync(context, long.MaxValue).ConfigureAwait(false);
            throw;
        }
    }
}
