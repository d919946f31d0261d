using System.Diagnostics;
using System.Text;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Sandboxes.Workers;

namespace Ramet.Cli.Tests;

/// <summary>Workers for a test, and what is done with them in few words.</summary>
public abstract class WorkerTestBase : IDisposable
{
    private readonly Cli _cli;
    private readonly TemporaryData _data;
    private readonly SandboxEngine _engine;

    protected WorkerTestBase(Cli cli)
    {
        _cli = cli;
        // A directory of its own: this process's build of Ramet is another than the command's, and so are its templates.
        _data = cli.CopyData(withTemplate: false);
        _engine = new SandboxEngine(_data.Path);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _data.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    protected static HostedProgram Program(string line) => new(["/bin/sh", "-c", line], [], null, null, null);

    protected static Task<HostedSandbox> CreateAsync(WorkerSandboxHost host, string tenant, TimeSpan? timeout = null) =>
        host.CreateAsync(tenant, new HostedSandboxSpec("python", 256 << 20, timeout ?? TimeSpan.FromMinutes(5), new Dictionary<string, string>(StringComparer.Ordinal)), Token);

    protected static async Task<(string Stdout, int ExitCode)> RunLiveAsync(WorkerSandboxHost host, string tenant, string id, string code)
    {
        var (stdout, _, end) = await CollectAsync(host.RunAsync(tenant, id, new HostedRun(code, TimeSpan.FromSeconds(120), null, null), Token));
        return (Encoding.UTF8.GetString(stdout), end.ExitCode);
    }

    protected static async Task<(byte[] Stdout, byte[] Stderr, HostedEvent End)> CollectAsync(IAsyncEnumerable<HostedEvent> events)
    {
        using MemoryStream stdout = new(), stderr = new();
        HostedEvent? end = null;
        await foreach (var next in events)
        {
            Assert.Null(end);
            if (next.Kind == HostedEventKind.Stdout) stdout.Write(next.Data.Span);
            else if (next.Kind == HostedEventKind.Stderr) stderr.Write(next.Data.Span);
            else end = next;
        }

        return (stdout.ToArray(), stderr.ToArray(), Assert.IsType<HostedEvent>(end));
    }

    protected async Task<WorkerSandboxHost> StartAsync(Func<WorkerOptions, WorkerOptions>? change = null, int workers = 1)
    {
        var host = new WorkerSandboxHost(_engine, (change ?? (options => options))(new WorkerOptions
        {
            Command = () => new ProcessStartInfo(_cli.Native, ["worker", "--data-dir", _data.Path]) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false },
        }));
        await host.PrepareAsync("python", TestContext.Current.CancellationToken);
        Assert.Equal(workers, host.WorkerIds.Count);
        return host;
    }

    protected static Task<HostedExecResult> RunAsync(WorkerSandboxHost host, string tenant, HostedExecOf exec) =>
        host.ExecuteAsync(tenant, exec.ToExec(), TestContext.Current.CancellationToken);

    protected static async Task WaitUntilAsync(Func<bool> condition)
    {
        for (int i = 0; i < 600 && !condition(); i++) await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.True(condition());
    }

    protected sealed record HostedExecOf(string Code)
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
