using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>How many forks that run code a machine does when all its cores have nothing else to do: one caller for each core, from a pool.</summary>
public sealed class ThroughputBenchmark(SandboxEngine engine, Template template)
{
    private static readonly SandboxOptions s_options = new() { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>Measures.</summary>
    /// <param name="duration">For how long.</param>
    /// <exception cref="BenchmarkException">An answer was wrong.</exception>
    public Report Run(TimeSpan duration)
    {
        int callers = Environment.ProcessorCount;
        using var pool = new SandboxPool(engine, template, new SandboxPoolOptions { Minimum = callers * 2, Maximum = callers * 4 });
        pool.Fill();
        Load(pool, callers, TimeSpan.FromSeconds(1));
        long before = pool.Misses;
        long started = HostClock.MonotonicNanoseconds;
        var times = Load(pool, callers, duration);
        double seconds = (HostClock.MonotonicNanoseconds - started) / 1e9;
        var report = new Report();
        var row = report.Times("exec_us", "fork + print(i*i) to exit");
        foreach (double time in times.SelectMany(list => list)) row.Add(time);
        report.Figure("execs_per_second", "forks that ran and answered, each second", row.Count / seconds, "1/s");
        report.Figure("forked_on_demand", "of these not from the pool", pool.Misses - before, "");
        report.Figure("seconds", "measured for", seconds, "s");
        report.Figure("callers", "callers at the same time", callers, "");
        report.Notes = "Each caller sends the next program when it has the answer to the one before; machines are taken back to the template meanwhile, on the same cores.\nEvery answer was checked.\n";
        return report;
    }

    private static List<double>[] Load(SandboxPool pool, int callers, TimeSpan duration)
    {
        long end = HostClock.MonotonicNanoseconds + (duration.Ticks * 100);
        var times = new List<double>[callers];
        var failures = new Exception?[callers];
        var threads = new Thread[callers];
        for (int i = 0; i < callers; i++)
        {
            int caller = i;
            times[i] = [];
            threads[i] = new Thread(() =>
            {
                try
                {
                    for (int n = 0; HostClock.MonotonicNanoseconds < end; n++)
                    {
                        var check = new Check($"print({n} * {n})", $"{(long)n * n}\n");
                        long started = HostClock.MonotonicNanoseconds;
                        var result = pool.Execute(new ExecRequest { Code = check.Code }, s_options);
                        times[caller].Add((HostClock.MonotonicNanoseconds - started) / 1000.0);
                        check.Verify(result);
                    }
                }
#pragma warning disable CA1031 // Thrown again by the caller's thread.
                catch (Exception exception)
#pragma warning restore CA1031
                {
                    failures[caller] = exception;
                }
            });
            threads[i].Start();
        }

        foreach (var thread in threads) thread.Join();
        if (failures.FirstOrDefault(failure => failure is not null) is { } first) throw new BenchmarkException(first.Message);
        return times;
    }
}
