using System.Globalization;
using System.Text.Json;

namespace Ramet.Benchmarks;

/// <summary>What <c>bench fork</c> measures, in microseconds.</summary>
public sealed class ForkReport
{
    /// <summary>To make a fork: VM, memory, kernel state. No code runs in it.</summary>
    public Distribution Fork { get; } = new();

    /// <summary>From the request to the first byte of the guest's own output of print(1+1).</summary>
    public Distribution FirstOutput { get; } = new();

    /// <summary>From the request to the exit code of print(1+1), the fork included.</summary>
    public Distribution Exec { get; } = new();

    /// <summary>The same of a 100x100 float64 product with numpy.</summary>
    public Distribution ExecNumpy { get; } = new();

    /// <summary>zeroboot's spawn, by the same bindings.</summary>
    public Distribution BaselineSpawn { get; } = new();

    private (string Key, string Text, Distribution Times)[] Rows =>
    [
        ("fork_us", "make a fork", Fork),
        ("first_output_us", "fork to first byte of print(1+1)", FirstOutput),
        ("exec_us", "fork + print(1+1) to exit", Exec),
        ("exec_numpy_us", "fork + 100x100 product to exit", ExecNumpy),
        ("baseline_spawn_us", "baseline: spawn of a Linux guest's VM", BaselineSpawn),
    ];

    /// <summary>One object on one line: {"fork_us":{"p50":..,"p99":..,"n":..},...}.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (key, _, times) in Rows)
            {
                json.WriteStartObject(key);
                json.WriteNumber("p50", Math.Round(times.P50, 1));
                json.WriteNumber("p99", Math.Round(times.P99, 1));
                json.WriteNumber("n", times.Count);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>A table, and what was timed.</summary>
    public string ToTable()
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"microseconds",-40}{"p50",10}{"p99",10}{"n",7}");
        foreach (var (_, name, times) in Rows) text.AppendLine(CultureInfo.InvariantCulture, $"{name,-40}{times.P50,10:F0}{times.P99,10:F0}{times.Count,7}");
        return text.AppendLine()
            .AppendLine("Times are the caller's: from the call until the answer is there. An ended sandbox is taken apart in the background,")
            .AppendLine("which is outside; the benchmark waits for it before the next measurement. Every answer was checked.")
            .ToString();
    }
}
