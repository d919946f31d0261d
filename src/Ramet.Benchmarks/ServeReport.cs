using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Ramet.Benchmarks;

/// <summary>What <c>bench serve</c> measures. Times are microseconds.</summary>
public sealed class ServeReport
{
    /// <summary>POST /v1/exec from one client.</summary>
    public Distribution Latency { get; } = new();

    /// <summary>The same while 64 clients ask.</summary>
    public Distribution SaturatedLatency { get; } = new();

    /// <summary>Answers a second to 64 clients.</summary>
    public double Throughput { get; set; }

    /// <summary>From the start of the process to its ready line, ms.</summary>
    public double ReadyMilliseconds { get; set; }

    /// <summary>Resident memory of the server before the first request, MiB.</summary>
    public double IdleMegabytes { get; set; }

    /// <summary>Resident memory after all of them, MiB.</summary>
    public double LoadedMegabytes { get; set; }

    /// <summary>One object on one line.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            Write(json, "exec_us", Latency);
            Write(json, "exec_64_clients_us", SaturatedLatency);
            json.WriteNumber("execs_per_second", Math.Round(Throughput, 1));
            json.WriteNumber("ready_ms", Math.Round(ReadyMilliseconds, 1));
            json.WriteNumber("idle_rss_mb", Math.Round(IdleMegabytes, 1));
            json.WriteNumber("loaded_rss_mb", Math.Round(LoadedMegabytes, 1));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>A table.</summary>
    public string ToTable()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"POST /v1/exec print(1+1), milliseconds",-40}{"p50",10}{"p99",10}{"n",8}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"1 client",-40}{Latency.P50 / 1000,10:F2}{Latency.P99 / 1000,10:F2}{Latency.Count,8}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"64 clients",-40}{SaturatedLatency.P50 / 1000,10:F2}{SaturatedLatency.P99 / 1000,10:F2}{SaturatedLatency.Count,8}");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"answers a second, 64 clients",-40}{Throughput,10:F0}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"start of the process to ready, ms",-40}{ReadyMilliseconds,10:F0}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"resident memory, idle, MiB",-40}{IdleMegabytes,10:F0}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"resident memory, after the load, MiB",-40}{LoadedMegabytes,10:F0}");
        return text.AppendLine().AppendLine("Clients are on the same machine and keep their connections. Every answer was checked.").ToString();
    }

    private static void Write(Utf8JsonWriter json, string name, Distribution times)
    {
        json.WriteStartObject(name);
        json.WriteNumber("p50", Math.Round(times.P50, 1));
        json.WriteNumber("p99", Math.Round(times.P99, 1));
        json.WriteNumber("n", times.Count);
        json.WriteEndObject();
    }
}
