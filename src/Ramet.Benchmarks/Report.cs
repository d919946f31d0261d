using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Benchmarks;

/// <summary>What a benchmark found: named distributions of microseconds and plain figures, as a table and as JSON.</summary>
public sealed class Report
{
    private readonly List<(string Key, string Text, Distribution? Times, double Value, string Unit)> _rows = [];

    /// <summary>What one has to know to read the table; printed below it.</summary>
    public string Notes { get; set; } = "";

    /// <summary>Distributions by key.</summary>
    internal IEnumerable<(string Key, string Text, Distribution Times)> Distributions => _rows.Where(row => row.Times is { Count: > 0 }).Select(row => (row.Key, row.Text, row.Times!));

    /// <summary>A row of times in microseconds, to be added to.</summary>
    public Distribution Times(string key, string text)
    {
        var times = new Distribution();
        _rows.Add((key, text, times, 0, "us"));
        return times;
    }

    /// <summary>A row of one figure.</summary>
    public void Figure(string key, string text, double value, string unit) => _rows.Add((key, text, null, value, unit));

    /// <summary>{"key_us":{"p50":..,"p99":..,"n":..},"figure":..}.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        foreach (var (key, _, times, value, _) in _rows)
        {
            if (times is null) json[key] = Math.Round(value, 3);
            else if (times.Count > 0) json[key] = new JsonObject { ["p50"] = Math.Round(times.P50, 1), ["p99"] = Math.Round(times.P99, 1), ["n"] = times.Count };
        }

        return json;
    }

    /// <summary>A table, and what was timed.</summary>
    public string ToTable()
    {
        var text = new StringBuilder();
        if (_rows.Exists(row => row.Times is not null)) text.AppendLine(CultureInfo.InvariantCulture, $"{"microseconds",-52}{"p50",10}{"p99",10}{"n",7}");
        foreach (var (_, name, times, value, unit) in _rows)
        {
            if (times is null) text.AppendLine(CultureInfo.InvariantCulture, $"{name,-52}{value,10:0.##} {unit}");
            else if (times.Count > 0) text.AppendLine(CultureInfo.InvariantCulture, $"{name,-52}{times.P50,10:F0}{times.P99,10:F0}{times.Count,7}");
        }

        return text.AppendLine().Append(Notes).ToString();
    }
}
