using System.Text;
using Ramet.Host;
using Ramet.Kvm;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>
/// How long forks of a template take, next to zeroboot's spawn. The things compared are measured in turn, so that a change of the machine's load meets all of them; every
/// answer is checked.
/// </summary>
public sealed class ForkBenchmark(SandboxEngine engine, Template template)
{
    /// <summary>Rounds that are not counted: code is compiled, caches fill.</summary>
    public const int WarmUpRounds = 50;

    private const int Size = 100;

    private static readonly SandboxOptions s_options = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static readonly Check s_print = new("print(1+1)", "2\n");

    private static readonly Check s_product = new(
        $"import numpy as np\na = np.arange({Size * Size}.0).reshape({Size}, {Size})\nprint(int((a @ a).sum()))",
        FormattableString.Invariant($"{SumOfProduct()}\n"));

    /// <summary>Measures.</summary>
    /// <param name="runs">Measurements of each thing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BenchmarkException">An answer was wrong.</exception>
    public ForkReport Run(int runs, CancellationToken cancellationToken = default)
    {
        using var baseline = new ZerobootBaseline(engine.Device);
        var warmUp = new ForkReport();
        for (int i = 0; i < WarmUpRounds; i++) Round(baseline, warmUp, cancellationToken);
        var report = new ForkReport();
        for (int i = 0; i < runs; i++) Round(baseline, report, cancellationToken);
        return report;
    }

    private void Round(ZerobootBaseline baseline, ForkReport report, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        long started = HostClock.MonotonicNanoseconds;
        var machine = baseline.Spawn();
        report.BaselineSpawn.Add(Since(started));
        machine.Dispose();

        engine.WaitForTeardown();
        started = HostClock.MonotonicNanoseconds;
        var sandbox = engine.Fork(template, s_options);
        report.Fork.Add(Since(started));
        sandbox.Dispose();

        var (printed, time) = Execute(s_print);
        report.Exec.Add(time);
        report.FirstOutput.Add(printed.FirstOutputNanoseconds!.Value / 1000.0);
        report.ExecNumpy.Add(Execute(s_product).Microseconds);
    }

    private (ExecResult Result, double Microseconds) Execute(Check check)
    {
        engine.WaitForTeardown();
        long started = HostClock.MonotonicNanoseconds;
        var result = engine.Execute(template, new ExecRequest { Code = check.Code }, s_options);
        double time = Since(started);
        check.Verify(result);
        return (result, time);
    }

    private static double Since(long started) => (HostClock.MonotonicNanoseconds - started) / 1000.0;

    /// <summary>The sum of all elements of a @ a, where a[i, k] = 100 i + k: exact in float64, since it is far below 2^53.</summary>
    private static long SumOfProduct()
    {
        long sum = 0;
        for (long k = 0; k < Size; k++)
        {
            long column = 0, row = 0;
            for (long i = 0; i < Size; i++)
            {
                column += (Size * i) + k;
                row += (Size * k) + i;
            }

            sum += column * row;
        }

        return sum;
    }

    private sealed record Check(string Code, string Expected)
    {
        public void Verify(ExecResult result)
        {
            string stdout = Encoding.UTF8.GetString(result.Result.Stdout), stderr = Encoding.UTF8.GetString(result.Result.Stderr);
            if (result.Result.End == SandboxEnd.Exited && result.Result.ExitCode == 0 && stdout == Expected && stderr.Length == 0 && result.FirstOutputNanoseconds is not null) return;
            throw new BenchmarkException(
                $"A wrong answer: '{Code}' ended as {result.Result.End} with exit code {result.Result.ExitCode} and printed '{stdout}' where '{Expected}' is right. {result.Result.Message} {stderr}".TrimEnd());
        }
    }
}
