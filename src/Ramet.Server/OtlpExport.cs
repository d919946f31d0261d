using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Ramet.Server.Configuration;
using Ramet.Server.Metrics;

namespace Ramet.Server;

/// <summary>Sends metrics to an OpenTelemetry collector. Loaded only when that is asked for.</summary>
internal static class OtlpExport
{
    /// <summary>Starts sending; disposing sends what is left.</summary>
    public static IDisposable Start(ServerSettings settings)
    {
        var endpoint = new Uri(settings.OtlpEndpoint!);
        return Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateDefault().AddService("ramet", serviceVersion: ServerVersion.Text))
            .AddMeter(ServerMetrics.MeterName)
            .AddOtlpExporter((exporter, reader) =>
            {
                // 4318 is the port of OTLP over HTTP, which wants the path of the signal.
                bool http = endpoint.Port == 4318 || endpoint.AbsolutePath.Length > 1;
                exporter.Protocol = http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
                exporter.Endpoint = http && endpoint.AbsolutePath.Length <= 1 ? new Uri(endpoint, "/v1/metrics") : endpoint;
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)(settings.OtlpIntervalSeconds * 1000);
            })
            .Build();
    }
}
