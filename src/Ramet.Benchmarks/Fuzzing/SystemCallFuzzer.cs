using System.Globalization;
using System.Text;
using Ramet.Host;
using Ramet.Kernel;
using Ramet.Kernel.Files;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks.Fuzzing;

/// <summary>
/// Lets programs make random system calls in sandboxes, one sandbox after the other. A sandbox may die of it. What must not happen: an exception in the kernel, a sandbox
/// that outlives its time limit, and threads, descriptors or virtual machines that are left in the host process.
/// </summary>
public sealed class SystemCallFuzzer(SandboxEngine engine, ImageLayer image)
{
    private const string Path = "/opt/fuzz";
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Longest life of one sandbox: a fresh one now and then meets what only happens at the beginning.</summary>
    public TimeSpan LongestSandbox { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Hears of each failure as it is found.</summary>
    public Action<FuzzFailure>? OnFailure { get; init; }

    /// <summary>Fuzzes for a time.</summary>
    /// <param name="duration">For how long.</param>
    /// <param name="seed">Where it begins.</param>
    /// <param name="cancellationToken">Ends it after the sandbox that runs.</param>
    public FuzzReport Run(TimeSpan duration, ulong seed, CancellationToken cancellationToken = default)
    {
        byte[] program = FuzzProgram.Compile();
        var report = new FuzzReport { Seed = seed };
        // What is made once for all sandboxes is there before the first count.
        RunOne(program, seed, TimeSpan.FromSeconds(1), 2, new FuzzReport());
        var before = Settle(null);
        long started = HostClock.MonotonicNanoseconds;
        var end = duration;
        for (int i = 0; Elapsed(started) < end && !cancellationToken.IsCancellationRequested; i++)
        {
            var left = end - Elapsed(started);
            var time = left < LongestSandbox ? left : LongestSandbox;
            if (RunOne(program, Mix(seed + (ulong)i), time, 1 + (i % 2), report, traced: i % 3 == 2)) continue;
            report.Seconds = Elapsed(started).TotalSeconds;
            return report;
        }

        report.Seconds = Elapsed(started).TotalSeconds;
        if (Settle(before).LeftBehind(before) is { } left2) Fail(report, seed, $"{left2} were left behind.");
        return report;
    }

    /// <summary>One sandbox. False: it is out of control, and so is this process.</summary>
    private bool RunOne(byte[] program, ulong seed, TimeSpan time, int virtualCpus, FuzzReport report, bool traced = false)
    {
        var recent = traced ? new RecentCalls() : null;
        string seconds = Math.Max(1, (long)time.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var main = new MainProgram
        {
            Path = Path,
            Arguments = [Path, "--seed", seed.ToString(CultureInfo.InvariantCulture), "--seconds", seconds],
            Environment = ["PATH=/usr/bin:/bin"],
            Files = [new InjectedFile(Path, program, (Ramet.Abi.InodeMode)0x1ED)],
        };
        var options = new SandboxOptions { Timeout = time + s_grace, VirtualCpus = virtualCpus, MemoryBytes = 192UL << 20, Tracer = recent, MaxOutputBytes = 1 << 20 };
        var sandbox = engine.Start(image, main, options, driven: false);
        sandbox.CloseInput();
        var waiting = Task.Run(sandbox.Wait, CancellationToken.None);
        if (!waiting.Wait(time + s_grace + s_patience, CancellationToken.None))
        {
            // It cannot be taken apart either: the process has to end with it.
            Fail(report, seed, $"The sandbox ignores its time limit of {(time + s_grace).TotalSeconds:F0} s.{sandbox.Kernel.DescribeVirtualCpus()}{Recent(recent)}");
            return false;
        }

        var result = waiting.GetAwaiter().GetResult();
        report.Sandboxes++;
        report.Ends[result.End] = report.Ends.GetValueOrDefault(result.End) + 1;
        report.Calls += sandbox.Kernel.Statistics.Syscalls;
        report.Faults += sandbox.Kernel.Statistics.PageFaults;
        string output = Encoding.UTF8.GetString(result.Stdout);
        if (!output.StartsWith("seed ", StringComparison.Ordinal))
            Fail(report, seed, $"The fuzzer did not start: {result.End}, exit code {result.ExitCode}. {result.Message} {Encoding.UTF8.GetString(result.Stderr)}");
        else if (result.End == SandboxEnd.Failed)
            Fail(report, seed, $"{result.Message}{Recent(recent)}");
        sandbox.Dispose();
        if (Task.Run(engine.WaitForTeardown, CancellationToken.None).Wait(s_patience, CancellationToken.None)) return true;
        Fail(report, seed, $"The sandbox ended ({result.End}), but cannot be taken apart.{sandbox.Kernel.DescribeVirtualCpus()}{Recent(recent)}");
        return false;
    }

    private HostUsage Settle(HostUsage? before)
    {
        engine.WaitForTeardown();
        for (int i = 0; ; i++)
        {
            engine.ReleaseIdleThreads();
            var usage = HostUsage.Count();
            if (before is not null ? usage.LeftBehind(before) is null : usage.Threads <= 1) return usage;
            if (i >= 50) return usage;
            Thread.Sleep(100);
        }
    }

    private void Fail(FuzzReport report, ulong seed, string text)
    {
        var failure = new FuzzFailure(seed, text);
        report.Failures.Add(failure);
        OnFailure?.Invoke(failure);
    }

    private static string Recent(RecentCalls? recent) => recent is null ? "" : "\nThe last calls:\n" + string.Join('\n', recent.All);

    private static TimeSpan Elapsed(long started) => TimeSpan.FromMicroseconds((HostClock.MonotonicNanoseconds - started) / 1000.0);

    private static ulong Mix(ulong value) => unchecked((value ^ (value >> 31)) * 0x9E3779B97F4A7C15UL);
}
