using System.Text;
using Ramet.Host;
using Ramet.Kvm;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>
/// How long forks of a template take, next to zeroboot's spawn: made from nothing, and from a pool of machines that were used before. The things compared are measured in turn, so
/// that a change of the machine's load meets all of them; every answer is checked.
/// </summary>
public sealed class ForkBenchmark(SandboxEngine engine, Template template, Template? node = null)
{
    /// <summary>Rounds that are not counted: code is compiled, caches fill.</summary>
    public const int WarmUpRounds = 50;

    private const int Size = 100;

    private static readonly SandboxOptions s_options = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static readonly Check s_print = new("print(1+1)", "2\n");

    private static readonly Check s_log = new("console.log(1+1)", "2\n");

    private static readonly Check s_random = new("import numpy as np\nr = np.random.rand(3)\nprint(r.shape, bool(((0 <= r) & (r < 1)).all()))", "(3,) True\n");

    private static readonly Check s_product = new(
        $"import numpy as np\na = np.arange({Size * Size}.0).reshape({Size}, {Size})\nprint(int((a @ a).sum()))",
        FormattableString.Invariant($"{SumOfProduct()}\n"));

    private Distribution _spareFork = null!, _spareFirstOutput = null!, _spareExec = null!;
    private Distribution _fork = null!, _firstOutput = null!, _exec = null!, _execNumpy = null!, _baseline = null!;
    private Distribution _nodeFirstOutput = null!, _poolNodeFirstOutput = null!;
    private Distribution _poolFork = null!, _poolFirstOutput = null!, _poolExec = null!, _poolRandom = null!, _poolNumpy = null!;

    /// <summary>Measures.</summary>
    /// <param name="runs">Measurements of each thing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BenchmarkException">An answer was wrong.</exception>
    public Report Run(int runs, CancellationToken cancellationToken = default)
    {
        using var baseline = new ZerobootBaseline(engine.Device);
        using var pool = new SandboxPool(engine, template, new SandboxPoolOptions { Minimum = 1, Maximum = 2 });
        using var nodePool = node is null ? null : new SandboxPool(engine, node, new SandboxPoolOptions { Minimum = 1, Maximum = 2 });
        pool.Fill();
        nodePool?.Fill();
        Begin();
        for (int i = 0; i < WarmUpRounds; i++) Round(baseline, pool, nodePool, cancellationToken);
        var report = Begin();
        for (int i = 0; i < runs; i++) Round(baseline, pool, nodePool, cancellationToken);
        var (faults, exits) = CountFaults(() => engine.Fork(template, s_options));
        report.Figure("faults_per_exec", "page faults served by KVM, fork + print(1+1)", faults, "");
        report.Figure("exits_per_exec", "exits to Ramet, fork + print(1+1)", exits, "");
        (faults, exits) = CountFaults(() => pool.Take(s_options));
        report.Figure("pool_faults_per_exec", "page faults served by KVM, from the pool", faults, "");
        report.Figure("pool_exits_per_exec", "exits to Ramet, from the pool", exits, "");
        report.Notes = """
            Times are the caller's: from the call until the answer is there. A fork made from nothing makes a VM; an empty VM is one without memory, made ahead for whoever comes; one from the pool is a machine that was used before and was
            taken back to the template. Taking apart and taking back happen in the background, which is outside; the benchmark waits for it before the next measurement.
            The first byte of print(1+1) is also the first time that the guest leaves the VM. Every answer was checked.

            """;
        return report;
    }

    private Report Begin()
    {
        var report = new Report();
        _fork = report.Times("fork_us", "make a fork");
        _firstOutput = report.Times("first_output_us", "fork to first byte of print(1+1)");
        _exec = report.Times("exec_us", "fork + print(1+1) to exit");
        _execNumpy = report.Times("exec_numpy_us", "fork + 100x100 product to exit");
        _spareFork = report.Times("spare_fork_us", "make a fork on an empty VM that stood ready");
        _spareFirstOutput = report.Times("spare_first_output_us", "empty VM: fork to first byte of print(1+1)");
        _spareExec = report.Times("spare_exec_us", "empty VM: fork + print(1+1) to exit");
        _poolFork = report.Times("pool_fork_us", "take a fork from the pool");
        _poolFirstOutput = report.Times("pool_first_output_us", "pool: fork to first byte of print(1+1)");
        _poolExec = report.Times("pool_exec_us", "pool: fork + print(1+1) to exit");
        _poolRandom = report.Times("pool_random_us", "pool: fork to first byte of numpy's random.rand(3)");
        _poolNumpy = report.Times("pool_product_us", "pool: fork to first byte of 100x100 product");
        _nodeFirstOutput = report.Times("node_first_output_us", "Node: fork to first byte of console.log(1+1)");
        _poolNodeFirstOutput = report.Times("pool_node_first_output_us", "Node, pool: the same");
        _baseline = report.Times("baseline_spawn_us", "baseline: spawn of a Linux guest's VM");
        return report;
    }

    private void Round(ZerobootBaseline baseline, SandboxPool pool, SandboxPool? nodePool, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        long started = HostClock.MonotonicNanoseconds;
        var machine = baseline.Spawn();
        _baseline.Add(Since(started));
        machine.Dispose();

        engine.WaitForTeardown();
        started = HostClock.MonotonicNanoseconds;
        var sandbox = engine.Fork(template, s_options);
        _fork.Add(Since(started));
        sandbox.Dispose();

        var (printed, time) = Execute(null, s_print);
        _exec.Add(time);
        _firstOutput.Add(printed.FirstOutputNanoseconds!.Value / 1000.0);
        _execNumpy.Add(Execute(null, s_product).Microseconds);

        engine.SpareMachineCount = 1;
        ReadySpare();
        started = HostClock.MonotonicNanoseconds;
        sandbox = engine.Fork(template, s_options);
        _spareFork.Add(Since(started));
        sandbox.Dispose();
        ReadySpare();
        (printed, time) = Execute(null, s_print);
        _spareExec.Add(time);
        _spareFirstOutput.Add(printed.FirstOutputNanoseconds!.Value / 1000.0);
        engine.SpareMachineCount = 0;

        (printed, time) = Execute(pool, s_print);
        _poolExec.Add(time);
        _poolFork.Add(printed.ForkNanoseconds / 1000.0);
        _poolFirstOutput.Add(printed.FirstOutputNanoseconds!.Value / 1000.0);
        _poolRandom.Add(Execute(pool, s_random).Result.FirstOutputNanoseconds!.Value / 1000.0);
        _poolNumpy.Add(Execute(pool, s_product).Result.FirstOutputNanoseconds!.Value / 1000.0);
        if (node is null) return;
        _nodeFirstOutput.Add(Execute(null, s_log, node).Result.FirstOutputNanoseconds!.Value / 1000.0);
        _poolNodeFirstOutput.Add(Execute(nodePool, s_log).Result.FirstOutputNanoseconds!.Value / 1000.0);
    }

    private void ReadySpare()
    {
        engine.WaitForTeardown();
        engine.RefillSpareMachines();
    }

    private (ExecResult Result, double Microseconds) Execute(SandboxPool? pool, Check check, Template? other = null)
    {
        engine.WaitForTeardown();
        var request = new ExecRequest { Code = check.Code };
        long started = HostClock.MonotonicNanoseconds;
        var result = pool is null ? engine.Execute(other ?? template, request, s_options) : pool.Execute(request, s_options);
        double time = Since(started);
        check.Verify(result);
        return (result, time);
    }

    /// <summary>The median of KVM's count of page faults, and of exits to Ramet, over some runs.</summary>
    private (double Faults, double Exits) CountFaults(Func<Sandbox> fork)
    {
        var faults = new Distribution();
        var exits = new Distribution();
        for (int i = 0; i < 21; i++)
        {
            engine.WaitForTeardown();
            using var sandbox = fork();
            ulong before = Faults(sandbox);
            sandbox.Execute(new ExecRequest { Code = s_print.Code });
            sandbox.Drive();
            if (Encoding.UTF8.GetString(sandbox.Wait().Stdout) != s_print.Expected) throw new BenchmarkException($"A wrong answer: '{s_print.Code}'");
            faults.Add(Faults(sandbox) - before);
            exits.Add(sandbox.Kernel.Statistics.Exits);
        }

        return (faults.P50, exits.P50);
    }

    private static ulong Faults(Sandbox sandbox) => sandbox.Machine.GetVcpu(0).ReadStatistics().GetValueOrDefault("pf_taken");

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
}
