namespace Ramet.Benchmarks;

/// <summary>Measured times of one thing.</summary>
public sealed class Distribution
{
    private readonly List<double> _values = [];
    private bool _sorted = true;

    /// <summary>Number of measurements.</summary>
    public int Count => _values.Count;

    /// <summary>The median.</summary>
    public double P50 => Percentile(50);

    /// <summary>The value that 99 of 100 measurements do not exceed.</summary>
    public double P99 => Percentile(99);

    /// <summary>Adds a measurement.</summary>
    public void Add(double value)
    {
        _values.Add(value);
        _sorted = false;
    }

    /// <summary>The smallest measurement that at least this many percent of all do not exceed (nearest rank): always one that was made.</summary>
    /// <exception cref="InvalidOperationException">Nothing was measured.</exception>
    public double Percentile(double percent)
    {
        if (_values.Count == 0) throw new InvalidOperationException("Nothing was measured.");
        if (!_sorted)
        {
            _values.Sort();
            _sorted = true;
        }

        int rank = (int)Math.Ceiling(percent / 100 * _values.Count);
        return _values[Math.Clamp(rank, 1, _values.Count) - 1];
    }
}
