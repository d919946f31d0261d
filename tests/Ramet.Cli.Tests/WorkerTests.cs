using System.Diagnostics;
using System.Text;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Sandboxes.Workers;

namespace Ramet.Cli.Tests;

/// <summary>Sandboxes in worker processes, as the server has them.</summary>
public sealed class WorkerTests(Cli cli) : WorkerTestBase(cli)
{
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

    [Fact]
    public async Task A_live_sandbox_keeps_its_state_from_run_to_run()
    {
        await using var host = await StartAsync();
        var made = await CreateAsync(host, "a");
        Assert.Equal(("", 0), await RunLiveAsync(host, "a", made.Id, "x = 20"));
        Assert.Equal(("42\n", 0), await RunLiveAsync(host, "a", made.Id, "print(x * 2 + 2)"));
        Assert.Equal("a", Assert.Single(await host.ListAsync("a", Token)).Tenant);
        Assert.Empty(await host.ListAsync("b", Token));
        Assert.Equal(made.Id, Assert.Single(await host.ListAsync(null, Token)).Id);
        await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync("b", made.Id, Token));
        var updated = await host.UpdateAsync("a", made.Id, TimeSpan.FromHours(1), new Dictionary<string, string>(StringComparer.Ordinal) { ["k"] = "v" }, Token);
        Assert.Equal("v", updated.Metadata["k"]);
        Assert.True(updated.Expires > made.Expires);
        Assert.Equal(1, host.Statistics.Live);
        Assert.Contains("42", Encoding.UTF8.GetString(await host.LogAsync("a", made.Id, Token)), StringComparison.Ordinal);
        await host.DeleteAsync("a", made.Id, Token);
        Assert.Empty(await host.ListAsync("a", Token));
        var gone = await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync("a", made.Id, Token));
        Assert.Contains("deleted", gone.Message, StringComparison.Ordinal);
        Assert.Equal(0, host.Statistics.Live);
    }

    [Fact]
    public async Task A_sandbox_whose_time_is_over_is_gone_with_that_reason()
    {
        await using var host = await StartAsync();
        var made = await CreateAsync(host, "a", TimeSpan.FromMilliseconds(300));
        await WaitUntilAsync(() => host.Statistics.Live == 0);
        var gone = await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync("a", made.Id, Token));
        Assert.Contains("its time was over", gone.Message, StringComparison.Ordinal);
        // Others learn nothing.
        Assert.Null((await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync("b", made.Id, Token))).Reason);
    }

    [Fact]
    public async Task A_process_reads_its_input_and_its_output_can_be_watched_twice()
    {
        await using var host = await StartAsync();
        string id = (await CreateAsync(host, "a")).Id;
        var process = await host.StartProcessAsync("a", id, Program("cat; echo err >&2; exit 7"), Token);
        byte[] input = new byte[300_000];
        new Random(1).NextBytes(input);
        await host.WriteInputAsync("a", id, process.Pid, input, close: true, Token);
        for (int i = 0; i < 2; i++)
        {
            var (stdout, stderr, end) = await CollectAsync(host.AttachAsync("a", id, process.Pid, Token));
            Assert.Equal(input, stdout);
            Assert.Equal("err\n", Encoding.UTF8.GetString(stderr));
            Assert.Equal(7, end.ExitCode);
        }

        await host.WaitProcessAsync("a", id, process.Pid, Token);
        Assert.Equal(7, Assert.Single(await host.ListProcessesAsync("a", id, Token)).ExitCode);
        var sleeper = await host.StartProcessAsync("a", id, Program("sleep 100"), Token);
        Assert.True(await host.SignalAsync("a", id, sleeper.Pid, 15, Token));
        await host.WaitProcessAsync("a", id, sleeper.Pid, Token);
        await Assert.ThrowsAsync<ProcessGoneException>(() => host.WaitProcessAsync("a", id, 9999, Token));
    }

    [Fact]
    public async Task A_watcher_who_leaves_lets_go_of_the_program()
    {
        await using var host = await StartAsync();
        string id = (await CreateAsync(host, "a")).Id;
        var process = await host.StartProcessAsync("a", id, Program("dd if=/dev/zero bs=1M count=8 2>/dev/null"), Token);
        await foreach (var first in host.AttachAsync("a", id, process.Pid, Token))
        {
            Assert.Equal(HostedEventKind.Stdout, first.Kind);
            break;
        }

        // Nobody looks: it is not held up any more.
        await host.WaitProcessAsync("a", id, process.Pid, Token).WaitAsync(TimeSpan.FromSeconds(30), Token);
    }

    [Fact]
    public async Task Code_whose_caller_leaves_is_interrupted_and_the_interpreter_lives_on()
    {
        await using var host = await StartAsync();
        string id = (await CreateAsync(host, "a")).Id;
        await RunLiveAsync(host, "a", id, "x = 5");
        using var source = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var next in host.RunAsync("a", id, new HostedRun("print('begun')\nwhile True: pass", TimeSpan.FromSeconds(60), null, null), source.Token))
            {
                Assert.Equal("begun\n", Encoding.UTF8.GetString(next.Data.Span));
                source.CancelAfter(50);
            }
        });
        Assert.Equal(("5\n", 0), await RunLiveAsync(host, "a", id, "print(x)"));
    }

    [Fact]
    public async Task Files_go_up_and_down_in_pieces()
    {
        await using var host = await StartAsync();
        string id = (await CreateAsync(host, "a")).Id;
        byte[] content = new byte[3_000_001];
        new Random(2).NextBytes(content);
        await using (var up = await host.OpenWriteAsync("a", id, "/data/dir/file", 0x180, Token)) await up.WriteAsync(content, Token);
        await using (var down = await host.OpenReadAsync("a", id, "/data/dir/file", Token))
        {
            Assert.Equal(content.Length, down.Length);
            using var copy = new MemoryStream();
            await down.CopyToAsync(copy, Token);
            Assert.Equal(content, copy.ToArray());
        }

        var (output, _) = await RunLiveAsync(host, "a", id, "import hashlib; print(hashlib.sha256(open('/data/dir/file','rb').read()).hexdigest())");
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content)), output.Trim());
        Assert.Equal((0x180u, "file"), await host.StatFileAsync("a", id, "/data/dir/file", followLinks: true, Token) is var file ? (file.Mode & 0xFFF, file.Type) : default);
        await host.MoveFileAsync("a", id, "/data/dir/file", "/data/other", Token);
        await host.MakeSymbolicLinkAsync("a", id, "/data/link", "other", Token);
        await host.MakeDirectoryAsync("a", id, "/data/p/q", parents: true, Token);
        Assert.Equal(["dir", "link", "other", "p"], (await host.ListFilesAsync("a", id, "/data", Token)).Select(entry => Path.GetFileName(entry.Path)).Order(StringComparer.Ordinal));
        await host.RemoveFileAsync("a", id, "/data", recursive: true, Token);
        var missing = await Assert.ThrowsAsync<HostedFileException>(() => host.OpenReadAsync("a", id, "/data/other", Token));
        Assert.Equal(("/data/other", Abi.Errno.ENOENT), (missing.Path, missing.Error));
    }

    [Fact]
    public async Task Live_sandboxes_fill_a_worker_and_keep_it()
    {
        await using var host = await StartAsync(options => options with { SandboxesPerWorker = 2, Spares = 0, IdleTime = TimeSpan.FromSeconds(1) }, workers: 0);
        string[] ids = [.. await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ => (await CreateAsync(host, "a")).Id))];
        // One more that was held up in its start may have no sandbox: it goes soon.
        await WaitUntilAsync(() => host.WorkerIds.Count == 2);
        await Task.Delay(3500, Token);
        foreach (string id in ids) Assert.Equal(("1\n", 0), await RunLiveAsync(host, "a", id, "print(1)"));
        foreach (string id in ids) await host.DeleteAsync("a", id, Token);
        await WaitUntilAsync(() => host.WorkerIds.Count == 0);
    }

    [Fact]
    public async Task When_all_workers_are_taken_an_idle_one_gives_way_and_else_the_caller_is_told()
    {
        await using var host = await StartAsync(options => options with { Maximum = 1, Spares = 0 }, workers: 0);
        Assert.Equal("2\n", Encoding.UTF8.GetString((await RunAsync(host, "a", new HostedExecOf("print(1+1)"))).Stdout));
        Assert.Equal("2\n", Encoding.UTF8.GetString((await RunAsync(host, "b", new HostedExecOf("print(1+1)"))).Stdout));
        await CreateAsync(host, "b");
        await Assert.ThrowsAsync<WorkersBusyException>(() => RunAsync(host, "a", new HostedExecOf("print(1+1)")));
    }

    [Fact]
    public async Task The_death_of_a_worker_ends_what_runs_there_and_later_calls_say_why()
    {
        await using var host = await StartAsync();
        int worker = Assert.Single(host.WorkerIds);
        var ofA = await CreateAsync(host, "a");
        var ofB = await CreateAsync(host, "b");
        var process = await host.StartProcessAsync("a", ofA.Id, Program("sleep 100"), Token);
        var watching = CollectAsync(host.AttachAsync("a", ofA.Id, process.Pid, Token));
        var running = RunLiveAsync(host, "a", ofA.Id, "import time; time.sleep(100)");
        var waiting = host.WaitProcessAsync("a", ofA.Id, process.Pid, Token);
        var reader = await host.OpenReadAsync("a", ofA.Id, "/etc/passwd", Token);
        await Task.Delay(300, Token);
        Process.GetProcessById(worker).Kill();
        await Assert.ThrowsAsync<WorkerLostException>(() => watching);
        await Assert.ThrowsAsync<WorkerLostException>(() => running);
        await Assert.ThrowsAsync<WorkerLostException>(() => waiting);
        await Assert.ThrowsAsync<WorkerLostException>(() => reader.CopyToAsync(Stream.Null, Token));
        await reader.DisposeAsync();
        var gone = await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync("a", ofA.Id, Token));
        Assert.Contains("ended unexpectedly", gone.Message, StringComparison.Ordinal);
        Assert.Equal(("1\n", 0), await RunLiveAsync(host, "b", ofB.Id, "print(1)"));
        Assert.Equal(ofB.Id, Assert.Single(await host.ListAsync(null, Token)).Id);
        Assert.Equal(("1\n", 0), await RunLiveAsync(host, "a", (await CreateAsync(host, "a")).Id, "print(1)"));
    }
}
