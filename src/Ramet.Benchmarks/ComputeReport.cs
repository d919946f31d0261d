using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Ramet.Benchmarks;

/// <summary>One thing measured on the bare machine and in a sandbox, in milliseconds.</summary>
/// <param name="Key">Its key in JSON.</param>
/// <param name="Text">What it is.</param>
public sealed record Comparison(string Key, string Text)
{
    /// <summary>On the bare machine.</summary>
    public Distribution Bare { get; } = new();

    /// <summary>In a sandbox.</summary>
    public Distribution Sandbox { get; } = new();

    /// <summary>How many times as long the sandbox takes, by the medians.</summary>
    public double Ratio => Sandbox.P50 / Bare.P50;
}

/// <summary>What <c>bench compute</c> measures.</summary>
public sealed class ComputeReport
{
    /// <summary>A loop in Python.</summary>
    public Comparison Loop { get; } = new("loop", "2,000,000 steps of Python");

    /// <summary>A product of matrices.</summary>
    public Comparison Matmul { get; } = new("matmul", "numpy 1000x1000 product");

    /// <summary>Starting and ending Python, without a template.</summary>
    public Comparison ColdStart { get; } = new("cold_start", "python3 -c pass, cold");

    private Comparison[] All => [Loop, Matmul, ColdStart];

    /// <summary>One object on one line: {"loop":{"bare_ms":..,"sandbox_ms":..,"ratio":..,"n":..},...}.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var comparison in All)
            {
                json.WriteStartObject(comparison.Key);
                json.WriteNumber("bare_ms", Math.Round(comparison.Bare.P50, 3));
                json.WriteNumber("sandbox_ms", Math.Round(comparison.Sandbox.P50, 3));
                json.WriteNumber("ratio", Math.Round(comparison.Ratio, 4));
                json.WriteNumber("n", comparison.Sandbox.Count);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>A table.</summary>
    public string ToTable()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"milliseconds (medians)",-30}{"bare",10}{"sandbox",10}{"ratio",8}{"n",6}");
        foreach (var row in All) text.AppendLine(CultureInfo.InvariantCulture, $"{row.Text,-30}{row.Bare.P50,10:F1}{row.Sandbox.P50,10:F1}{row.Ratio,8:F2}{row.Sandbox.Count,6}");
        return text.ToString();
    }
}
