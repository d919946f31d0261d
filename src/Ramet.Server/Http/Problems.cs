using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Ramet.Contracts;

namespace Ramet.Server.Http;

/// <summary>Answers that say what went wrong.</summary>
internal static class Problems
{
    private static readonly object s_noRetry = new();

    /// <summary>Something of the request may have been done: no answer to it has Retry-After, which says that nothing was.</summary>
    public static void ForbidRetry(HttpContext context) => context.Items[s_noRetry] = true;

    /// <summary>Answers with a problem, unless an answer has begun already.</summary>
    public static async Task WriteAsync(HttpContext context, int status, string title, string detail, double retryAfter = 0, string? errno = null)
    {
        var response = context.Response;
        if (response.HasStarted) return;
        var allow = response.Headers.Allow;
        string requestId = RequestId.Of(context);
        response.Clear();
        if (allow.Count > 0) response.Headers.Allow = allow;
        response.Headers["X-Request-Id"] = requestId;
        response.StatusCode = status;
        if (retryAfter > 0 && !context.Items.ContainsKey(s_noRetry)) response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(retryAfter)).ToString(CultureInfo.InvariantCulture);
        if (status == StatusCodes.Status401Unauthorized) response.Headers.WWWAuthenticate = "Bearer realm=\"ramet\"";
        var problem = new Problem { Type = "about:blank", Title = title, Status = status, Detail = detail, Error = detail, RequestId = requestId, Errno = errno };
        await Json.WriteAsync(context, problem, Json.Contracts.Problem, "application/problem+json").ConfigureAwait(false);
    }

    /// <summary>What is said of a status that some part of the framework has set.</summary>
    public static (string Title, string Detail) Describe(HttpContext context, int status) => status switch
    {
        404 => ("Not found", $"There is no {context.Request.Path.Value}. See /docs for what there is."),
        405 => ("Method not allowed", $"{context.Request.Method} means nothing here; Allow names what does. See /docs."),
        413 => ("Too large", "The body is larger than this server takes (limits.body_mb)."),
        415 => ("Unsupported media type", "The body must be JSON: send Content-Type: application/json."),
        _ => ("Error", $"The request was answered with {status}."),
    };
}

/// <summary>Identifies a request in answers and logs.</summary>
internal static class RequestId
{
    private static readonly object s_key = new();

    /// <summary>The id of a request.</summary>
    public static string Of(HttpContext context)
    {
        if (context.Items.TryGetValue(s_key, out object? known)) return (string)known!;
        string id = Guid.CreateVersion7().ToString();
        context.Items[s_key] = id;
        return id;
    }
}
