using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;
using Ramet.Server.Keys;
using Ramet.Server.Metrics;

namespace Ramet.Server.Api;

/// <summary>GET /v1/health and /v1/metrics.</summary>
internal sealed class ServerEndpoints(IExecHost host, ServerMetrics metrics, IHostApplicationLifetime lifetime)
{
    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.Get("/v1/health", HealthAsync, new Operation("health", "Whether the server is ready", "Asks for no key. 503 when the server is about to end.") { Answer = typeof(HealthAnswer) });
        routes.Get("/v1/metrics", MetricsAsync, new Operation("metrics", "Metrics", "Counters, gauges and histograms in Prometheus's text format.")
        {
            AnswerMediaType = "text/plain",
            Scope = Scope.Metrics,
        });
    }

    private Task HealthAsync(HttpContext context)
    {
        bool draining = lifetime.ApplicationStopping.IsCancellationRequested;
        if (draining) context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        return Json.WriteAsync(context, new HealthAnswer
        {
            Status = draining ? "draining" : "ok",
            Version = ServerVersion.Text,
            Templates = host.Templates.ToDictionary(
                pair => pair.Key,
                pair => new TemplateHealth { Ready = true, Language = pair.Value.Language, MemoryMb = Math.Round(pair.Value.MemoryBytes / 1048576.0, 1) },
                StringComparer.Ordinal),
        }, Json.Contracts.HealthAnswer);
    }

    private async Task MetricsAsync(HttpContext context)
    {
        context.Response.ContentType = Exposition.ContentType;
        await context.Response.WriteAsync(metrics.Expose(), Encoding.UTF8, context.RequestAborted).ConfigureAwait(false);
    }
}
