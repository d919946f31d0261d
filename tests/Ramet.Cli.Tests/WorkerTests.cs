using System.Diagnostics;
using System.Text;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Sandboxes.Workers;

namespace Ramet.Cli.Tests;

/// <summary>Sandboxes in worker processes, as the server has them.</summary>
public sealed class WorkerTests : IDisposable
{
    private readonly Cli _cli;
    private readonly SandboxEngine _engine;

    public WorkerTests(Cli cli)
    {
        _cli = cli;
        _engine = new SandboxEngine(cli.Data);
    }

    public void Dispose() => _engine.Dispose();

    [Fact]
    public async Task Code_runs_in_a_worker_with_input_files_and_output_apart()
    {
        await using var host = await StartAsync();
        var result = await RunAsync(host, "a", new HostedExecOf("""
            import sys, os
            print(sys.stdin.read(), open("/tmp/given").read(), os.environ["X"])
            print("err", file=sys.stderr)
            sys.exit(3)
            """)
        { Input = "in"u8.ToArray(), Files = [new HostedFile("/tmp/given", "file"u8.ToArray())] });
        Assert.Equal((3, "in file y\n", "err\n"), (result.ExitCode, Encoding.UTF8.GetString(result.Stdout), Encoding.UTF8.GetString(result.Stderr)));
    }

    [Fact]
    public async Task Each_tenant_has_workers_of_his_own()
    {
        await using var host = await StartAsync();
        foreach (string tenant in (string[])["a", "b", "a", "b", "a"])
        {
            Assert.Equal("2\n", Encoding.UTF8.GetString((await RunAsync(host, tenant, new HostedExecOf("print(1+1)"))).Stdout));
        }

        // Two tenants and a spare.
        await WaitUntilAsync(() => host.WorkerIds.Count == 3);
    }

    [Fact]
    public async Task A_worker_that_dies_takes_its_own_sandboxes_and_nothing_else()
    {
        await using var host = await StartAsync();
        await RunAsync(host, "a", new HostedExecOf("print(1)"));
        int[] beforeB = [.. host.WorkerIds];
        await WaitUntilAsync(() => host.WorkerIds.Count == 2);
        await RunAsync(host, "b", new HostedExecOf("print(1)"));
        await WaitUntilAsync(() => host.WorkerIds.Count == 3);
        var ofA = RunAsync(host, "a", new HostedExecOf("import time; time.sleep(30)"));
        var ofB = RunAsync(host, "b", new HostedExecOf("import time; time.sleep(2); print('alive')"));
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Process.GetProcessById(beforeB[0]).Kill();
        var lost = await Assert.ThrowsAsync<WorkerLostException>(() => ofA);
        Assert.Contains("try again", lost.Message, StringComparison.Ordinal);
        Assert.Equal("alive\n", Encoding.UTF8.GetString((await ofB).Stdout));
        Assert.Equal("2\n", Encoding.UTF8.GetString((await RunAsync(host, "a", new HostedExecOf("print(1+1)"))).Stdout));
        await WaitUntilAsync(() => host.WorkerIds.Count == 3);
    }

    [Fact]
    public async Task A_call_that_is_cancelled_ends_its_sandbox()
    {
        await using var host = await StartAsync();
        using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        long started = Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => host.ExecuteAsync("a", new HostedExecOf("while True: pass").ToExec(), source.Token));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10));
        Assert.Equal("2\n", Encoding.UTF8.GetString((await RunAsync(host, "a", new HostedExecOf("print(1+1)"))).Stdout));
    }

    [Fact]
    public async Task Many_calls_at_once_get_their_own_answers()
    {
        await using var host = await StartAsync();
        var calls = Enumerable.Range(0, 200).Select(i => RunAsync(host, $"tenant {i % 2}", new HostedExecOf($"print({i} * {i})"))).ToArray();
        for (int i = 0; i < calls.Length; i++) Assert.Equal($"{i * i}\n", Encoding.UTF8.GetString((await calls[i]).Stdout));
        Assert.True(host.Statistics.Running == 0);
    }

    [Fact]
    public async Task Workers_end_with_their_server()
    {
        var host = await StartAsync();
        await RunAsync(host, "a", new HostedExecOf("print(1)"));
        int[] pids = [.. host.WorkerIds];
        await host.DisposeAsync();
        Assert.All(pids, pid => Assert.False(Directory.Exists($"/proc/{pid}")));
    }

    private async Task<WorkerSandboxHost> StartAsync()
    {
        var host = new WorkerSandboxHost(_engine, new WorkerOptions
        {
            Command = () => new ProcessStartInfo(_cli.Native, ["worker", "--data-dir", _cli.Data]) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false },
        });
        await host.PrepareAsync("python", TestContext.Current.CancellationToken);
        Assert.Single(host.WorkerIds);
        return host;
    }

    private static Task<HostedExecResult> RunAsync(WorkerSandboxHost host, string tenant, HostedExecOf exec) =>
        host.ExecuteAsync(tenant, exec.ToExec(), TestContext.Current.CancellationToken);

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        for (int i = 0; i < 600 && !condition(); i++) await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.True(condition());
    }

    private sealed record HostedExecOf(string Code)
    {
        public byte[]? Input { get; init; }

        public IReadOnlyList<HostedFile> Files { get; init; } = [];

        public HostedExec ToExec() => new()
        {
            Template = "python",
            Code = Code,
            Input = Input,
            Files = Files,
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["X"] = "y" },
            MemoryBytes = 256 << 20,
            Timeout = TimeSpan.FromSeconds(60),
            MaxOutputBytes = 1 << 20,
        };
    }
}
