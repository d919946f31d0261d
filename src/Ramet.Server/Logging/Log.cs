using Microsoft.Extensions.Logging;

namespace Ramet.Server.Logging;

/// <summary>All that the server logs: each line has an event, a sentence, and fields.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Ready on {Listen} after {Ms} ms with templates {Templates}.", EventName = "ready")]
    public static partial void Ready(this ILogger logger, string listen, long ms, string templates);

    [LoggerMessage(2, LogLevel.Information, "Draining: no new connections; running work may go on for {GraceSeconds} s.", EventName = "draining")]
    public static partial void Draining(this ILogger logger, double graceSeconds);

    [LoggerMessage(3, LogLevel.Information, "Stopped.", EventName = "stopped")]
    public static partial void Stopped(this ILogger logger);

    [LoggerMessage(4, LogLevel.Warning, "Development: no keys are asked for. Only this machine can connect ({Listen}).", EventName = "dev")]
    public static partial void Development(this ILogger logger, string listen);

    [LoggerMessage(5, LogLevel.Information, "{Count} keys are accepted, from {Path}.", EventName = "keys")]
    public static partial void KeysLoaded(this ILogger logger, int count, string path);

    [LoggerMessage(6, LogLevel.Error, "Closed, every request is refused: {Reason}", EventName = "keys_closed")]
    public static partial void KeysClosed(this ILogger logger, string reason);

    [LoggerMessage(7, LogLevel.Information, "{Step}.", EventName = "build")]
    public static partial void Building(this ILogger logger, string step);

    [LoggerMessage(8, LogLevel.Debug, "{Method} {Path} {Status} in {Ms} ms, {Tenant} {RequestId}.", EventName = "request")]
    public static partial void Request(this ILogger logger, string method, string path, int status, double ms, string tenant, string requestId);

    [LoggerMessage(9, LogLevel.Error, "{Method} {Path} failed, {RequestId}.", EventName = "failure")]
    public static partial void Failure(this ILogger logger, Exception exception, string method, string path, string requestId);

    [LoggerMessage(10, LogLevel.Warning, "The audit log {Path} cannot be written: {Reason}", EventName = "audit_failed")]
    public static partial void AuditFailed(this ILogger logger, string path, string reason);

    [LoggerMessage(11, LogLevel.Information, "Sandbox {Id} of {Tenant} ended: {Reason}.", EventName = "sandbox_ended")]
    public static partial void SandboxEnded(this ILogger logger, string id, string tenant, string reason);

    [LoggerMessage(13, LogLevel.Warning, "Template '{Template}' is left out: {Reason}", EventName = "template_left_out")]
    public static partial void TemplateLeftOut(this ILogger logger, string template, string reason);

    [LoggerMessage(12, LogLevel.Warning, "The service manager could not be told '{State}': {Reason}", EventName = "notify_failed")]
    public static partial void NotifyFailed(this ILogger logger, string state, string reason);
}
