using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>
/// Many forks that are alive at the same time: each has printed i*i and waits for more. They live in several processes, as they do under a server: this process starts them,
/// and they do their part when it says so (<see cref="RunPart"/>).
/// </summary>
public sealed class ScaleBenchmark(Func<int, ProcessStartInfo> startPart, int forksPerProcess)
{
    /// <summary>Measures.</summary>
    /// <param name="forks">How many, all together.</param>
    /// <exception cref="BenchmarkException">An answer was wrong.</exception>
    public Report Run(int forks)
    {
        int processes = Math.Max(1, (forks + forksPerProcess - 1) / forksPerProcess);
        var parts = new List<Process>();
        try
        {
            for (int i = 0; i < processes; i++)
            {
                int share = (forks / processes) + (i < forks % processes ? 1 : 0);
                parts.Add(Process.Start(startPart(share)) ?? throw new BenchmarkException("A process cannot be started."));
            }

            foreach (var part in parts) Expect(part, "ready");
            var before = Memory(parts);
            Tell(parts, "fork", "forked");
            var forked = Memory(parts);
            Tell(parts, "again", "gone");
            var report = new Report();
            double milliseconds = RunAll(parts, report.Times("fork_and_print_us", "each: fork + print(i*i)"));
            var after = Memory(parts);
            Tell(parts, "trim", "trimmed");
            var trimmed = Memory(parts);
            Tell(parts, "again", "gone");
            Tell(parts, "fill", "filled");
            double pooled = RunAll(parts, report.Times("pool_and_print_us", "each: taken from a pool + print(i*i)"));
            report.Figure("forks", "forks alive", forks, "");
            report.Figure("processes", "in processes", processes, "");
            report.Figure("total_ms", "from nothing until all have answered", milliseconds, "ms");
            report.Figure("pooled_total_ms", "from full pools until all have answered", pooled, "ms");
            report.Figure("pss_idle_kb", "PSS of each before any code ran", (forked.Pss - before.Pss) / (double)forks, "KB");
            report.Figure("pss_ran_kb", "PSS of each right after its answer, with its share of the processes' heaps", (after.Pss - before.Pss) / (double)forks, "KB");
            report.Figure("pss_kb", "PSS of each when it waits: pages that are as the template's again are given back", (trimmed.Pss - before.Pss) / (double)forks, "KB");
            report.Figure("kernel_kb", "kernel memory of each (slab, page tables, KVM's)", (trimmed.Kernel - before.Kernel) / (double)forks, "KB");
            report.Notes = "PSS is the sum over the processes (smaps_rollup) less what they had before the first fork; kernel memory is Slab, PageTables, SecPageTables, KernelStack and VmallocUsed of\n/proc/meminfo, of the whole machine. As many processes work at the same time as there are processors; all forks are alive at the end. Every answer was checked.\n";
            return report;
        }
        finally
        {
            foreach (var part in parts)
            {
                part.StandardInput.Close();
                if (!part.WaitForExit(60_000)) part.Kill();
                part.Dispose();
            }
        }
    }

    private static void Tell(IReadOnlyList<Process> parts, string what, string answer)
    {
        foreach (var part in parts) part.StandardInput.WriteLine(what);
        foreach (var part in parts) Expect(part, answer);
    }

    /// <summary>Has all processes run their forks, as many at a time as there are processors. Gives milliseconds.</summary>
    private static double RunAll(IReadOnlyList<Process> parts, Distribution row)
    {
        long started = HostClock.MonotonicNanoseconds;
        var waiting = new System.Collections.Concurrent.ConcurrentQueue<Process>(parts);
        var answers = new System.Collections.Concurrent.ConcurrentQueue<string>();
        Parallel.For(0, Environment.ProcessorCount, _ =>
        {
            while (waiting.TryDequeue(out var part))
            {
                part.StandardInput.WriteLine("run");
                answers.Enqueue(Expect(part, "ran "));
            }
        });
        double milliseconds = (HostClock.MonotonicNanoseconds - started) / 1e6;
        foreach (string answer in answers)
        {
            foreach (var time in JsonNode.Parse(answer)!.AsArray()) row.Add((double)time!);
        }

        return milliseconds;
    }

    /// <summary>The part of one process: told what to do by lines on standard input.</summary>
    public static void RunPart(SandboxEngine engine, Template template, int forks, TextReader input, TextWriter output)
    {
        var live = new List<Sandbox>();
        SandboxPool? pool = null;
        // Compiled for good (the runtime does so after thirty calls, in the background), and the caches are warm: as in a worker that has been there for a while.
        for (int i = 0; i < 60; i++) Answer(() => engine.Fork(template, new SandboxOptions()), i).Sandbox.Dispose();
        engine.WaitForTeardown();
        Thread.Sleep(1000);
        ManagedHeap.GiveBack();
        Say(output, "ready");
        while (input.ReadLine() is { } line)
        {
            switch (line)
            {
                case "fork":
                    for (int i = 0; i < forks; i++) live.Add(engine.Fork(template, new SandboxOptions()));
                    ManagedHeap.GiveBack();
                    Say(output, "forked");
                    break;
                case "again":
                    foreach (var sandbox in live) sandbox.Dispose();
                    live.Clear();
                    engine.WaitForTeardown();
                    Say(output, "gone");
                    break;
                case "run":
                    var times = new JsonArray();
                    for (int i = 0; i < forks; i++)
                    {
                        var (sandbox, time) = Answer(() => pool is null ? engine.Fork(template, new SandboxOptions()) : pool.Take(new SandboxOptions()), i);
                        live.Add(sandbox);
                        times.Add(Math.Round(time, 1));
                    }

                    Say(output, "ran " + times.ToJsonString());
                    break;
                case "fill":
                    pool = new SandboxPool(engine, template, new SandboxPoolOptions { Minimum = forks, Maximum = forks });
                    pool.Fill();
                    if (pool.Count != forks) throw new BenchmarkException($"The pool has {pool.Count} of {forks} sandboxes.");
                    Say(output, "filled");
                    break;
                case "trim":
                    foreach (var sandbox in live) sandbox.Trim();
                    ManagedHeap.GiveBack();
                    Say(output, "trimmed");
                    break;
            }
        }

        foreach (var sandbox in live) sandbox.Dispose();
        engine.WaitForTeardown();
        pool?.Dispose();
        engine.WaitForTeardown();
    }

    private static (Sandbox Sandbox, double Microseconds) Answer(Func<Sandbox> fork, int number)
    {
        long started = HostClock.MonotonicNanoseconds;
        var sandbox = fork();
        string answer = sandbox.RunInSession($"print({number} * {number})");
        double time = (HostClock.MonotonicNanoseconds - started) / 1000.0;
        if (answer != FormattableString.Invariant($"{(long)number * number}\n")) throw new BenchmarkException($"A wrong answer: {number} * {number} is not '{answer}'.");
        return (sandbox, time);
    }

    private static void Say(TextWriter output, string line)
    {
        output.WriteLine(line);
        output.Flush();
    }

    private static string Expect(Process part, string start)
    {
        string line = part.StandardOutput.ReadLine() ?? throw new BenchmarkException("A process of the benchmark has ended: " + part.StandardError.ReadToEnd().Trim());
        return line.StartsWith(start, StringComparison.Ordinal) ? line[start.Length..] : throw new BenchmarkException(line);
    }

    private static (long Pss, long Kernel) Memory(IEnumerable<Process> parts)
    {
        long pss = parts.Sum(part => Field(File.ReadAllText($"/proc/{part.Id}/smaps_rollup"), "Pss:"));
        string all = File.ReadAllText("/proc/meminfo");
        return (pss, Field(all, "Slab:") + Field(all, "PageTables:") + Field(all, "SecPageTables:") + Field(all, "KernelStack:") + Field(all, "VmallocUsed:"));
    }

    private static long Field(string text, string name)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal)) return long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
        }

        return 0;
    }
}
