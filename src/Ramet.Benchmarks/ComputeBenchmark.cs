using System.Globalization;
using System.Text;
using Ramet.Host;
using Ramet.Images;
using Ramet.Kernel;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>
/// What a sandbox costs a program that computes: the same interpreter, from the same files, on the bare machine and in a sandbox, in turn. Loops and products time themselves with the
/// interpreter's clock, which is checked against the host's; a cold start is timed from outside.
/// </summary>
public sealed class ComputeBenchmark(SandboxEngine engine, Template template, ImageLayer layer, Image image)
{
    private const int WarmUpRounds = 1;

    private const string Versions = "import sys, numpy; print(sys.version.replace('\\n', ''), numpy.__version__)";

    private const string Loop = """
        import time
        def run(n):
            total = 0
            for i in range(n):
                total += i & 7
            return total
        started = time.perf_counter_ns()
        total = run(2000000)
        print(total, time.perf_counter_ns() - started)
        """;

    // The first product makes the library's own buffers; the second is the product.
    private const string Product = """
        import time
        import numpy as np
        a = np.arange(1000000.0).reshape(1000, 1000) % 97
        a @ a
        started = time.perf_counter_ns()
        b = a @ a
        taken = time.perf_counter_ns() - started
        print(int(b.sum()), taken)
        """;

    private static readonly SandboxOptions s_options = new() { MemoryBytes = 1UL << 30, Timeout = TimeSpan.FromMinutes(2) };

    private static readonly string[] s_environment =
        ["PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "OPENBLAS_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1"];

    /// <summary>Measures.</summary>
    /// <param name="runs">Measurements of each thing.</param>
    /// <exception cref="BenchmarkException">An answer was wrong, or the image's files do not run on this machine.</exception>
    public ComputeReport Run(int runs)
    {
        using var bare = new BareInterpreter(engine.DataDirectory, image, Versions, Loop, Product, "pass");
        string onBare = bare.Run(0).Output, inSandbox = RunInFork(Versions).Output;
        if (onBare != inSandbox) throw new BenchmarkException($"The interpreters differ: '{onBare}' on the bare machine, '{inSandbox}' in the sandbox. Build the image anew: ramet image build python");
        var warmUp = new ComputeReport();
        for (int i = 0; i < WarmUpRounds; i++) Round(bare, warmUp);
        var report = new ComputeReport();
        for (int i = 0; i < runs; i++) Round(bare, report);
        return report;
    }

    private void Round(BareInterpreter bare, ComputeReport report)
    {
        Compare(report.Loop, bare.Run(1), RunInFork(Loop), SumOfLoop());
        Compare(report.Matmul, bare.Run(2), RunInFork(Product), SumOfProduct());
        report.ColdStart.Bare.Add(bare.Run(3).Nanoseconds / 1e6);
        report.ColdStart.Sandbox.Add(RunCold() / 1e6);
    }

    private static void Compare(Comparison comparison, (string Output, long Nanoseconds) bare, (string Output, long Nanoseconds) sandbox, long expected)
    {
        comparison.Bare.Add(OwnTime(comparison, bare, expected) / 1e6);
        double own = OwnTime(comparison, sandbox, expected);
        // A fork is there in milliseconds, so what a program measures is most of what the host does. Generous: other programs may have run in between.
        if (own > sandbox.Nanoseconds) throw new BenchmarkException($"The sandbox's clock is wrong: {own / 1e6:F1} ms inside, {sandbox.Nanoseconds / 1e6:F1} ms outside.");
        comparison.Sandbox.Add(own / 1e6);
    }

    /// <summary>The time that a program printed behind its answer.</summary>
    private static double OwnTime(Comparison comparison, (string Output, long Nanoseconds) run, long expected)
    {
        string[] words = run.Output.Split(' ');
        if (words.Length == 2 && words[0] == expected.ToString(CultureInfo.InvariantCulture) && long.TryParse(words[1], CultureInfo.InvariantCulture, out long nanoseconds)) return nanoseconds;
        throw new BenchmarkException($"A wrong answer: {comparison.Text} printed '{run.Output}' where {expected} is right.");
    }

    private (string Output, long Nanoseconds) RunInFork(string code)
    {
        engine.WaitForTeardown();
        long started = HostClock.MonotonicNanoseconds;
        var result = engine.Execute(template, new ExecRequest { Code = code }, s_options).Result;
        long taken = HostClock.MonotonicNanoseconds - started;
        return (Check(result), taken);
    }

    private long RunCold()
    {
        engine.WaitForTeardown();
        long started = HostClock.MonotonicNanoseconds;
        SandboxResult result;
        using (var sandbox = engine.Start(layer, new MainProgram { Path = "/usr/bin/python3", Arguments = ["/usr/bin/python3", "-c", "pass"], Environment = s_environment }, s_options))
        {
            sandbox.CloseInput();
            sandbox.Drive();
            result = sandbox.Wait();
        }

        long taken = HostClock.MonotonicNanoseconds - started;
        if (Check(result).Length != 0) throw new BenchmarkException("A wrong answer: python3 -c pass printed something.");
        return taken;
    }

    private static string Check(SandboxResult result)
    {
        if (result.End == SandboxEnd.Exited && result.ExitCode == 0 && result.Stderr.Length == 0) return Encoding.UTF8.GetString(result.Stdout).Trim();
        throw new BenchmarkException($"A program ended as {result.End} with exit code {result.ExitCode}. {result.Message} {Encoding.UTF8.GetString(result.Stderr)}".TrimEnd());
    }

    private static long SumOfLoop()
    {
        long total = 0;
        for (int i = 0; i < 2_000_000; i++) total += i & 7;
        return total;
    }

    /// <summary>The sum of a @ a, where a[i, k] = (1000 i + k) % 97: exact in float64.</summary>
    private static long SumOfProduct()
    {
        long sum = 0;
        for (int k = 0; k < 1000; k++)
        {
            long column = 0, row = 0;
            for (int i = 0; i < 1000; i++)
            {
                column += ((1000 * i) + k) % 97;
                row += ((1000 * k) + i) % 97;
            }

            sum += column * row;
        }

        return sum;
    }
}
