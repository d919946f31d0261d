namespace Ramet.Client;

/// <summary>The base of all errors of this client.</summary>
public class RametException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>The server cannot be reached, or the connection broke before the answer was complete.</summary>
public sealed class RametTransportException(string message, Exception? innerException = null) : RametException(message, innerException);

/// <summary>Code or a command did not end well, and EnsureSuccess was called.</summary>
public sealed class RametCodeException(string message) : RametException(message);

/// <summary>What kind of refusal it is.</summary>
public enum RametError
{
    /// <summary>400 and others below 500: the request cannot be used.</summary>
    BadRequest,

    /// <summary>401: there is no key, or it is not accepted.</summary>
    Unauthenticated,

    /// <summary>403: the key lacks a scope.</summary>
    Forbidden,

    /// <summary>404: no such sandbox, process, file or snapshot; or it is over.</summary>
    NotFound,

    /// <summary>409: not in this state.</summary>
    Conflict,

    /// <summary>413: more than the server takes in one request.</summary>
    TooLarge,

    /// <summary>429: the key does more than it may.</summary>
    RateLimited,

    /// <summary>503: the server is full, or about to end.</summary>
    Unavailable,

    /// <summary>507: the memory of the sandbox is full.</summary>
    StorageFull,

    /// <summary>500 and others: the server failed.</summary>
    Server,
}

/// <summary>The server refused a request (RFC 9457 problem details). <see cref="Exception.Message"/> has all in one line.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="title">The kind of problem in a few words.</param>
/// <param name="detail">What is wrong and what to do.</param>
/// <param name="requestId">Names the request in the server's log.</param>
/// <param name="retryAfter">After which to try again (429 and 503), or null.</param>
public sealed class RametApiException(int status, string title, string detail, string? requestId, TimeSpan? retryAfter)
    : RametException($"{status} {title}: {detail}{(requestId is null ? "" : $" (request {requestId})")}")
{
    /// <summary>The HTTP status.</summary>
    public int Status => status;

    /// <summary>The kind of problem in a few words.</summary>
    public string Title => title;

    /// <summary>What is wrong and what to do.</summary>
    public string Detail => detail;

    /// <summary>Names the request in the server's log.</summary>
    public string? RequestId => requestId;

    /// <summary>After which to try again (429 and 503), or null.</summary>
    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>What kind of refusal it is.</summary>
    public RametError Error => status switch
    {
        401 => RametError.Unauthenticated,
        403 => RametError.Forbidden,
        404 => RametError.NotFound,
        409 => RametError.Conflict,
        413 => RametError.TooLarge,
        429 => RametError.RateLimited,
        503 => RametError.Unavailable,
        507 => RametError.StorageFull,
        >= 500 => RametError.Server,
        _ => RametError.BadRequest,
    };
}
