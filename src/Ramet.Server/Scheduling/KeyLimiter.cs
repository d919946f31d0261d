using System.Collections.Concurrent;
using System.Diagnostics;

namespace Ramet.Server.Scheduling;

/// <summary>How many requests each key makes, in a second and at the same time.</summary>
/// <param name="rate">Requests a second; 0: no limit.</param>
/// <param name="burst">Requests at once after a pause.</param>
/// <param name="concurrency">Requests under way at the same time.</param>
internal sealed class KeyLimiter(double rate, int burst, int concurrency)
{
    private readonly ConcurrentDictionary<string, Usage> _usage = new(StringComparer.Ordinal);

    /// <summary>Admits a request, which ends with <see cref="Leave"/>. Else says after how many seconds to try again; 0 when it is not the rate, but too much under way.</summary>
    public bool TryEnter(string key, out double retryAfter)
    {
        retryAfter = 0;
        var usage = _usage.GetOrAdd(key, static (_, burst) => new Usage { Tokens = burst, At = Stopwatch.GetTimestamp() }, burst);
        lock (usage)
        {
            if (usage.UnderWay >= concurrency) return false;
            if (rate > 0)
            {
                long now = Stopwatch.GetTimestamp();
                usage.Tokens = Math.Min(burst, usage.Tokens + (Stopwatch.GetElapsedTime(usage.At, now).TotalSeconds * rate));
                usage.At = now;
                if (usage.Tokens < 1)
                {
                    retryAfter = (1 - usage.Tokens) / rate;
                    return false;
                }

                usage.Tokens--;
            }

            usage.UnderWay++;
            return true;
        }
    }

    /// <summary>An admitted request has ended.</summary>
    public void Leave(string key)
    {
        if (!_usage.TryGetValue(key, out var usage)) return;
        lock (usage) usage.UnderWay--;
    }

    private sealed class Usage
    {
        public double Tokens { get; set; }

        public long At { get; set; }

        public int UnderWay { get; set; }
    }
}
