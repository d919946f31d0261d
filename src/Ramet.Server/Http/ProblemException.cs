namespace Ramet.Server.Http;

/// <summary>A request cannot be done; becomes a problem (RFC 9457).</summary>
/// <param name="status">HTTP status.</param>
/// <param name="title">The kind, in a few words.</param>
/// <param name="detail">What is wrong, and what to do.</param>
/// <param name="retryAfter">After how many seconds it may be tried again; 0: nothing is said of that.</param>
internal sealed class ProblemException(int status, string title, string detail, double retryAfter = 0) : Exception(detail)
{
    public int Status { get; } = status;

    public string Title { get; } = title;

    public double RetryAfter { get; } = retryAfter;

    /// <summary>400.</summary>
    public static ProblemException BadRequest(string detail) => new(400, "The request cannot be used", detail);

    /// <summary>404.</summary>
    public static ProblemException NotFound(string detail) => new(404, "Not found", detail);
}
