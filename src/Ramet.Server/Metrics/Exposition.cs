using System.Globalization;
using System.Text;

namespace Ramet.Server.Metrics;

/// <summary>Prometheus's text format, version 0.0.4.</summary>
internal sealed class Exposition
{
    /// <summary>Its media type.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();

    /// <summary>Begins a metric.</summary>
    public Exposition Begin(string name, string type, string help)
    {
        _text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        return this;
    }

    /// <summary>One value.</summary>
    public Exposition Value(string name, double value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        _text.Append(name);
        for (int i = 0; i < labels.Length; i++)
        {
            _text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"").Append(Escape(labels[i].Value)).Append('"');
        }

        if (labels.Length > 0) _text.Append('}');
        _text.Append(' ').Append(Number(value)).Append('\n');
        return this;
    }

    /// <summary>A metric with one value and no labels.</summary>
    public Exposition Single(string name, string type, string help, double value) => Begin(name, type, help).Value(name, value);

    /// <summary>A number as the format has it.</summary>
    public static string Number(double value) => double.IsPositiveInfinity(value) ? "+Inf" : value.ToString("R", CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>Counts values by size.</summary>
/// <param name="bounds">Upper bounds of the buckets, ascending.</param>
internal sealed class BucketCounts(double[] bounds)
{
    private readonly long[] _counts = new long[bounds.Length + 1];
    private readonly Lock _lock = new();
    private double _sum;

    /// <summary>Counts a value.</summary>
    public void Add(double value)
    {
        int bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket]) bucket++;
        lock (_lock)
        {
            _counts[bucket]++;
            _sum += value;
        }
    }

    /// <summary>Writes the histogram.</summary>
    public void WriteTo(Exposition text, string name, string help)
    {
        long[] counts;
        double sum;
        lock (_lock) (counts, sum) = ([.. _counts], _sum);
        text.Begin(name, "histogram", help);
        long total = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            total += counts[i];
            text.Value(name + "_bucket", total, ("le", Exposition.Number(i < bounds.Length ? bounds[i] : double.PositiveInfinity)));
        }

        text.Value(name + "_sum", sum);
        text.Value(name + "_count", total);
    }
}
