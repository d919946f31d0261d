using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Ramet.Images;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Durable;
using Ramet.Sandboxes.Hosting;
using Ramet.Sandboxes.Workers;
using Ramet.Server.Keys;
using Ramet.Server.Logging;
using Ramet.Server.Metrics;
using Ramet.Server.Scheduling;

namespace Ramet.Server.Http;

/// <summary>An endpoint asks for a key with this scope.</summary>
/// <param name="Name">The scope.</param>
internal sealed record RequiredScope(string Name);

/// <summary>Who makes a request.</summary>
/// <param name="Id">The key's id: the tenant.</param>
internal sealed record Caller(string Id)
{
    private static readonly object s_key = new();

    /// <summary>The caller of a request that was let in.</summary>
    public static Caller Of(HttpContext context) => (Caller)context.Items[s_key]!;

    /// <summary>Notes it.</summary>
    public void SetOn(HttpContext context) => context.Items[s_key] = this;
}

/// <summary>What every request goes through: keys, limits, errors, counts, logs.</summary>
internal sealed class Gatekeeper(KeyRing? ring, KeyLimiter limiter, ServerMetrics metrics, AuditLog audit, ILogger logger)
{
    private const string DevelopmentTenant = "dev";

    /// <summary>The middleware. Comes after routing.</summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        long started = Stopwatch.GetTimestamp();
        string requestId = RequestId.Of(context);
        context.Response.Headers["X-Request-Id"] = requestId;
        Caller? caller = null;
        bool entered = false;
        try
        {
            if (ring is null) CheckHost(context);
            if (context.GetEndpoint()?.Metadata.GetMetadata<RequiredScope>() is { } scope)
            {
                caller = Authenticate(context, scope.Name);
                caller.SetOn(context);
                entered = Enter(caller);
            }

            await next(context).ConfigureAwait(false);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null })
            {
                var (title, detail) = Problems.Describe(context, context.Response.StatusCode);
                await Problems.WriteAsync(context, context.Response.StatusCode, title, detail).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for the answer.
            if (!context.Response.HasStarted) context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
#pragma warning disable CA1031 // The last place where a request can be answered.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            await AnswerAsync(context, exception).ConfigureAwait(false);
        }
        finally
        {
            if (entered) limiter.Leave(caller!.Id);
            await NoteAsync(context, caller, requestId, Stopwatch.GetElapsedTime(started)).ConfigureAwait(false);
        }
    }

    private Caller Authenticate(HttpContext context, string scope)
    {
        if (ring is null) return new Caller(DevelopmentTenant);
        string? presented = Presented(context.Request);
        if (presented is null) throw new ProblemException(401, "No key", "Send a key: Authorization: Bearer rmt_live_..., or X-API-Key. Make one on the server with: ramet key create");
        var key = ring.Find(presented) ?? throw new ProblemException(
            401, "The key is not accepted", ring.Problem is null ? "The key is unknown, has expired or was revoked." : "The server has no usable keys and is closed; its log says why.");
        if (!key.Scopes.Contains(scope, StringComparer.Ordinal)) throw new ProblemException(403, "The key does not allow this", $"This key lacks the scope '{scope}'; it has: {string.Join(", ", key.Scopes)}.");
        return new Caller(key.Id);
    }

    private static string? Presented(HttpRequest request)
    {
        const string Bearer = "Bearer ";
        if (request.Headers.Authorization is [{ } header] && header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)) return header[Bearer.Length..].Trim();
        return request.Headers["X-API-Key"] is [{ Length: > 0 } key] ? key : null;
    }

    private bool Enter(Caller caller)
    {
        if (limiter.TryEnter(caller.Id, out double retryAfter)) return true;
        throw retryAfter > 0
            ? new ProblemException(429, "Too many requests", "The key makes more requests a second than it may (keys.rate_per_second); try again after Retry-After seconds.", retryAfter)
            : new ProblemException(429, "Too many requests", "The key has too many requests under way (keys.concurrency); wait for some of them to end.", 1);
    }

    /// <summary>Without keys, a web page that a user of this machine looks at must not reach the server by a name of its own.</summary>
    private static void CheckHost(HttpContext context)
    {
        string host = context.Request.Host.Host;
        if (host is "" or "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address))) return;
        throw new ProblemException(421, "Not this host", "In development the server answers to localhost and 127.0.0.1 only.");
    }

    private async Task AnswerAsync(HttpContext context, Exception exception)
    {
        if (context.Response.HasStarted)
        {
            if (exception is not (IOException or OperationCanceledException)) logger.Failure(exception, context.Request.Method, context.Request.Path, RequestId.Of(context));
            context.Abort();
            return;
        }

        var (status, title, detail, retryAfter) = exception switch
        {
            ProblemException e => (e.Status, e.Title, e.Message, e.RetryAfter),
            BadHttpRequestException { StatusCode: 413 } => (413, "Too large", "The body is larger than this server takes (limits.body_mb). Send less, or upload files to a sandbox.", 0),
            BadHttpRequestException e => (e.StatusCode, "The request cannot be used", e.Message, 0),
            SandboxGoneException e => (404, "Not found", e.Message, 0),
            ProcessGoneException e => (404, "Not found", e.Message, 0),
            CheckpointGoneException e => (404, "Not found", e.Message, 0),
            SnapshotGoneException e => (404, "Not found", e.Message, 0),
            ImageNotFoundException e => (400, "There is no such image", e.Message, 0),
            SandboxConflictException e => (409, "Not in this state", e.Message, 0),
            HostedFileException e => (FileErrors.StatusOf(e.Error), "A file cannot be used", FileErrors.Explain(e.Path, e.Error), 0),
            SandboxStorageException { IsFull: true } e => (507, "The server's disk is full", e.Message, 0),
            SandboxStorageException e => (500, "The sandbox cannot be kept", e.Message, 0),
            // No Retry-After: that says that nothing was done, and what ran in it may have had effects, or may be what brought it down.
            WorkerLostException e => (503, "The worker has ended", e.Message, 0),
            WorkersBusyException e => (503, "Too many workers", e.Message, 5),
            SandboxException { Error: Abi.Errno.None } e => (400, "The sandbox cannot be made", e.Message.Replace("(--memory)", "(memory_mb)", StringComparison.Ordinal), 0),
            SandboxException e => (400, "The program cannot be started", e.Message, 0),
            ObjectDisposedException => (503, "The server is about to end", "Try again later.", 1),
            _ => (500, "Internal error", "Something went wrong in the server; its log says more under this request_id.", 0.0),
        };
        // The cause says where on the server.
        if (status == 500 || exception is SandboxStorageException) logger.Failure((exception as SandboxStorageException)?.Cause ?? exception, context.Request.Method, context.Request.Path, RequestId.Of(context));
        try
        {
            string? errno = exception is SandboxException { Error: not Abi.Errno.None } failed ? failed.Error.ToString() : null;
            await Problems.WriteAsync(context, status, title, detail, retryAfter, errno).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Nobody waits for the answer.
        }
    }

    private async ValueTask NoteAsync(HttpContext context, Caller? caller, string requestId, TimeSpan time)
    {
        int status = context.Response.StatusCode;
        string route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        metrics.OnRequest(route, status);
        if (logger.IsEnabled(LogLevel.Debug)) logger.Request(context.Request.Method, context.Request.Path, status, Math.Round(time.TotalMilliseconds, 3), caller?.Id ?? "-", requestId);
        if (caller is not null || status is 401 or 403)
        {
            await audit.AddAsync(requestId, caller?.Id, context.Connection.RemoteIpAddress?.ToString(), context.Request.Method, context.Request.Path.Value ?? "", status, time.TotalMilliseconds)
                .ConfigureAwait(false);
        }
    }
}
