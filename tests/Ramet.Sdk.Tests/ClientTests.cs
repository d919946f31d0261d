using Ramet.Client;
using Ramet.Contracts;

namespace Ramet.Sdk.Tests;

/// <summary>The C# SDK.</summary>
public sealed class ClientTests(Daemon daemon) : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(1);

    private readonly RametClient _client = new(new RametClientOptions { Url = daemon.Address });

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Code_runs_in_a_fork_of_its_own_with_input_arguments_environment_and_files()
    {
        var result = await _client.ExecAsync("import sys\nprint(1 + 1)\nprint('e', file=sys.stderr)");
        Assert.Equal(("2", "2\n", "e\n", 0, true), (result.ToString(), result.Stdout, result.Stderr, result.ExitCode, result.IsSuccess));
        Assert.True(result.Answer.TotalTimeMs > 0);
        result = await _client.ExecAsync("import sys, os\nprint(input(), sys.argv[1:], os.environ['WHO'], open('a/b').read())", new ExecOptions
        {
            Stdin = "in",
            Args = ["ö"],
            Env = new Dictionary<string, string?> { ["WHO"] = "me" },
            Files = new Dictionary<string, FileContent> { ["a/b"] = FileContent.FromText("text") },
        });
        Assert.Equal("in ['ö'] me text", result.EnsureSuccess().ToString());
        result = await _client.ExecAsync("print('so far', flush=True)\nwhile True: pass", new ExecOptions { Timeout = TimeSpan.FromSeconds(2) });
        Assert.Equal((true, 124, "so far\n"), (result.TimedOut, result.ExitCode, result.Stdout));
        Assert.Throws<RametCodeException>(() => result.EnsureSuccess());
        Assert.Equal(new byte[] { 255, 10 }, (await _client.ExecAsync("import os; os.write(1, b'\\xff\\n')")).StdoutBytes);
    }

    [Fact]
    public async Task Output_of_a_fork_is_told_as_it_is_printed_and_what_throws_then_ends_it()
    {
        var pieces = new List<OutputPiece>();
        var result = await _client.ExecAsync("import sys, time\nprint('é', flush=True)\ntime.sleep(0.3)\nprint(2)\nprint('e', file=sys.stderr)\nsys.exit(3)", pieces.Add);
        Assert.Equal(("é\n2\n", "e\n", 3), (result.Stdout, result.Stderr, result.ExitCode));
        Assert.Equal("é\n2\n", string.Concat(pieces.Where(piece => !piece.IsError).Select(piece => piece.Text)));
        Assert.True(pieces.Count >= 3);
        await Assert.ThrowsAsync<InvalidOperationException>(() => _client.ExecAsync("print(1, flush=True)\nwhile True: pass", _ => throw new InvalidOperationException(), new ExecOptions { Timeout = TimeSpan.FromMinutes(10) }));
    }

    [Fact]
    public async Task A_template_is_made_of_a_sandbox_listed_used_and_removed()
    {
        await using var sandbox = new Sandbox(_client);
        await sandbox.RunAsync("shared = 40");
        var made = await sandbox.SaveTemplateAsync("csharp-sdk");
        Assert.Equal(("csharp-sdk", "python", sandbox.Id), (made.Name, made.From, made.Sandbox));
        Assert.Equal("42", (await _client.ExecAsync("print(shared + 2)", new ExecOptions { Template = "csharp-sdk" })).ToString());
        Assert.Superset(new HashSet<string> { "python", "node", "csharp-sdk" }, (await _client.TemplatesAsync()).Select(template => template.Name).ToHashSet());
        await _client.DeleteTemplateAsync("csharp-sdk");
        Assert.Equal(404, (int)(await Assert.ThrowsAsync<RametApiException>(() => _client.DeleteTemplateAsync("csharp-sdk"))).Status);
    }

    [Fact]
    public async Task A_batch_keeps_its_order()
    {
        var results = await _client.ExecBatchAsync(Enumerable.Range(0, 10).Select(n => $"print({n} ** 2)"));
        Assert.Equal(Enumerable.Range(0, 10).Select(n => $"{n * n}"), results.Select(one => one.ToString()));
    }

    [Fact]
    public async Task Names_stay_values_exceptions_and_images_are_told()
    {
        await using var sandbox = new Sandbox(_client);
        Assert.Null(sandbox.Id);
        Assert.Equal("2", (await sandbox.RunAsync("print(1 + 1)")).ToString());
        await sandbox.RunAsync("x = 40");
        Assert.Equal("42", (await sandbox.RunAsync("x + 2")).Value);
        var failed = await sandbox.RunAsync("raise ValueError('no')");
        Assert.Equal(("ValueError", "no"), (failed.Exception!.Type, failed.Exception.Text));
        Assert.Contains("Traceback", failed.Exception.Stack, StringComparison.Ordinal);
        Assert.Contains("ValueError: no", Assert.Throws<RametCodeException>(() => failed.EnsureSuccess()).Message, StringComparison.Ordinal);
        var shown = await sandbox.RunAsync("class T:\n    def _repr_html_(self): return '<b>'\n    def _repr_png_(self): return b'\\x89PNG'\nT()");
        Assert.Equal("<b>", shown.Results[0].GetProperty("text/html").GetString());
        Assert.Equal("\x89PNG"u8.Length - 1, Assert.Single(shown.Images).Length);
        Assert.True((await sandbox.RunAsync("while True: pass", new RunOptions { Timeout = TimeSpan.FromSeconds(0.5) })).TimedOut);
        Assert.Equal("('b', '/tmp', 40)", (await sandbox.RunAsync("import os; (os.environ['A'], os.getcwd(), x)", new RunOptions { Env = new Dictionary<string, string?> { ["A"] = "b" }, Cwd = "/tmp" })).Value);
        await sandbox.RunAsync("print('in the log')");
        Assert.Contains("in the log", (await sandbox.LogsAsync()).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_is_streamed_and_cancelling_interrupts_the_code()
    {
        await using var sandbox = new Sandbox(_client);
        var pieces = new List<OutputPiece>();
        var result = await sandbox.RunAsync("import sys, time\nprint('é', flush=True); time.sleep(0.3); print(2)\nprint('e', file=sys.stderr)\n'end'", onOutput: pieces.Add);
        Assert.Equal(("é\n2\n", "e\n", "'end'"), (result.Stdout, result.Stderr, result.Value));
        Assert.True(pieces.Count >= 3);
        string streamed = "";
        await foreach (var piece in sandbox.RunStreamingAsync("for i in range(3): print(i)")) streamed += piece.Text;
        Assert.Equal("0\n1\n2\n", streamed);

        await sandbox.RunAsync("x = 1");
        const string Loop = "x += 1\nprint('go', flush=True)\nwhile True: pass";
        var forever = new RunOptions { Timeout = TimeSpan.FromMinutes(10) };
        using (var stop = new CancellationTokenSource())
        {
            var running = sandbox.RunAsync("x += 1\nopen('/tmp/begun', 'w').close()\nwhile True: pass", forever, cancellationToken: stop.Token);
            await UntilAsync(async () => running.IsCompleted || await sandbox.Files.ExistsAsync("/tmp/begun"));
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() => sandbox.RunAsync(Loop, forever, _ => throw new InvalidOperationException()));
        await foreach (var piece in sandbox.RunStreamingAsync(Loop, forever)) break;
        using var patience = new CancellationTokenSource(s_long);
        Assert.Equal("4", (await sandbox.RunAsync("x", cancellationToken: patience.Token)).Value);
    }

    [Fact]
    public async Task A_streamed_run_whose_sandbox_is_paused_says_so()
    {
        await using var sandbox = new Sandbox(_client);
        Task? pausing = null;
        const string Code = "print('begun', flush=True)\nwhile True: pass";
        var error = await Assert.ThrowsAsync<RametApiException>(() => sandbox.RunAsync(Code, new RunOptions { Timeout = TimeSpan.FromSeconds(250) }, _ => pausing = sandbox.PauseAsync()));
        Assert.Equal((409, RametError.Conflict), (error.Status, error.Error));
        Assert.Contains("paused", error.Detail, StringComparison.Ordinal);
        Assert.False(string.IsNullOrEmpty(error.RequestId));
        await pausing!;
    }

    [Fact]
    public async Task Sandboxes_are_found_extended_listed_and_ended()
    {
        string tag = Guid.NewGuid().ToString("n");
        var metadata = new Dictionary<string, string> { ["tag"] = tag };
        await using var one = await _client.CreateSandboxAsync(new SandboxOptions { Metadata = metadata, MemoryMb = 100 });
        await using var two = await _client.CreateSandboxAsync(new SandboxOptions { Metadata = metadata, TimeoutSeconds = 60 });
        var ids = new List<string>();
        await foreach (var info in _client.SandboxesAsync(metadata, pageSize: 1)) ids.Add(info.Id);
        Assert.Equal([one.Id!, two.Id!], ids);
        var before = await one.GetInfoAsync();
        Assert.Equal((100, "python", "running"), (before.MemoryMb, before.Template, before.State));
        Assert.True((await two.ExtendAsync(TimeSpan.FromSeconds(1000))).Expires > before.Expires);
        Assert.Equal("b", (await two.SetMetadataAsync(new Dictionary<string, string> { ["a"] = "b" })).Metadata!["a"]);
        var again = await _client.ConnectAsync(one.Id!);
        await one.RunAsync("v = 'kept'");
        Assert.Equal("'kept'", (await again.RunAsync("v")).Value);
        await one.DisposeAsync();
        var error = await Assert.ThrowsAsync<RametApiException>(() => again.GetInfoAsync());
        Assert.Equal((404, RametError.NotFound), (error.Status, error.Error));
        await again.DisposeAsync();
    }

    [Fact]
    public async Task Commands_are_run_fed_attached_to_and_signalled()
    {
        await using var sandbox = new Sandbox(_client);
        var options = new CommandOptions { Env = new Dictionary<string, string> { ["WHO"] = "ö" }, Cwd = "/tmp", User = "nobody", Stdin = "in\n" };
        var result = await sandbox.Commands.RunAsync("id -un; pwd; echo $WHO; cat; echo err >&2; exit 3", options);
        Assert.Equal(("nobody\n/tmp\nö\nin\n", "err\n", 3), (result.Stdout, result.Stderr, result.ExitCode));
        Assert.Throws<RametCodeException>(() => result.EnsureSuccess());
        Assert.Equal("a b", (await sandbox.Commands.RunAsync(["echo", "a b"])).ToString());
        result = await sandbox.Commands.RunAsync("echo begun; sleep 100", new CommandOptions { Timeout = TimeSpan.FromSeconds(2) });
        Assert.Equal((true, 124, "begun\n"), (result.TimedOut, result.ExitCode, result.Stdout));

        var cat = await sandbox.Commands.StartAsync(["cat"], new CommandOptions { KeepStdin = true });
        await cat.WriteAsync("one\n");
        var again = await sandbox.Commands.AttachAsync(cat.Pid);
        await again.WriteAsync("two\n"u8.ToArray());
        await again.CloseInputAsync();
        Assert.Equal("one\ntwo\n", (await cat.WaitAsync()).Stdout);
        string kept = "";
        await foreach (var piece in again.OutputAsync()) kept += piece.Text;
        Assert.Equal("one\ntwo\n", kept);
        Assert.Contains(await sandbox.Commands.ListAsync(), one => one.Pid == cat.Pid && !one.Running);

        var shell = await sandbox.Commands.StartAsync(["/bin/sh"], new CommandOptions { Tty = new TerminalSize { Rows = 30, Columns = 100 } });
        await shell.ResizeAsync(41, 123);
        await shell.WriteAsync("test -t 0 && stty size; exit 4\n");
        result = await shell.WaitAsync();
        Assert.Equal(4, result.ExitCode);
        Assert.Contains("41 123", result.Stdout, StringComparison.Ordinal);

        var sleep = await sandbox.Commands.StartAsync("sleep 100");
        Assert.True(await sleep.KillAsync("TERM"));
        Assert.Equal(143, (await sleep.WaitAsync()).ExitCode);
        Assert.False(await sleep.KillAsync());
        using (var stop = new CancellationTokenSource())
        {
            const string Line = "echo begun; sleep 1000";
            async Task<bool> IsRunningAsync() => (await sandbox.Commands.ListAsync()).Any(one => one.Running && one.Command[^1] == Line);
            var begun = new TaskCompletionSource();
            var running = sandbox.Commands.RunAsync(Line, onOutput: _ => begun.TrySetResult(), cancellationToken: stop.Token);
            await Task.WhenAny(begun.Task, running);
            Assert.True(await IsRunningAsync());
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
            // A signal has been sent to it: it ends in a moment.
            await UntilAsync(async () => !await IsRunningAsync());
        }
    }

    [Fact]
    public async Task Files_and_folders_go_both_ways_and_nothing_leads_outside()
    {
        using var work = new Workplace();
        await using var sandbox = new Sandbox(_client, new SandboxOptions { MemoryMb = 192 });
        var files = sandbox.Files;
        await files.WriteAsync("d/a b&c.txt", "hallå", (UnixFileMode)0x1ED);
        Assert.Equal("hallå", await files.ReadTextAsync("d/a b&c.txt"));
        var stat = await files.StatAsync("d/a b&c.txt");
        Assert.Equal(("file", 6, "755"), (stat.Type, stat.Size, stat.Mode));
        await files.MakeDirectoryAsync("d/x/y");
        await files.MoveAsync("d/a b&c.txt", "d/x/moved");
        Assert.Equal(["moved", "y"], (await files.ListAsync("d/x")).Select(one => one.Name));
        Assert.Equal(409, (await Assert.ThrowsAsync<RametApiException>(() => files.RemoveAsync("d"))).Status);
        await files.RemoveAsync("d", recursive: true);
        Assert.False(await files.ExistsAsync("d"));

        Directory.CreateDirectory(work["up/sub/empty"]);
        byte[] bytes = new byte[3_000_000];
        Random.Shared.NextBytes(bytes);
        await File.WriteAllBytesAsync(work["up/sub/bytes"], bytes);
        File.CreateSymbolicLink(work["up/link"], "sub/bytes");
        await files.UploadAsync(work["up"], "/srv/up");
        await files.UploadAsync(work["up/sub/bytes"], "/srv/one");
        (await sandbox.Commands.RunAsync("cmp /srv/up/link /srv/one; ln -s /etc/passwd /srv/up/outside; ln -s ../../.. /srv/up/sub/above; ln -s . /srv/up/sub/self; ln -s self/../.. /srv/up/sub/sly; mkfifo /srv/up/pipe")).EnsureSuccess();
        await files.DownloadAsync("/srv/up", work["down"]);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(work["down/link"]));
        Assert.Equal(["link", "sub"], Directory.GetFileSystemEntries(work["down"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(["bytes", "empty", "self"], Directory.GetFileSystemEntries(work["down/sub"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        await files.DownloadAsync("/srv/one", work["one"]);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(work["one"]));

        using (var stream = new MemoryStream(bytes)) await files.WriteAsync("/tmp/stream", stream);
        await using (var opened = await files.OpenAsync("/tmp/stream"))
        {
            var first = new byte[10];
            await opened.ReadExactlyAsync(first);
            Assert.Equal(bytes[..10], first);
        }

        var error = await Assert.ThrowsAsync<RametApiException>(() => files.WriteAsync("/tmp/huge", new byte[250 << 20]));
        Assert.Equal(RametError.StorageFull, error.Error);
    }

    [Fact]
    public async Task Changes_are_told_as_they_happen()
    {
        await using var sandbox = new Sandbox(_client);
        await sandbox.Files.MakeDirectoryAsync("w/deep");
        using var limit = new CancellationTokenSource(s_long);
        await using var changes = sandbox.Files.WatchAsync("w", recursive: true, limit.Token).GetAsyncEnumerator(limit.Token);
        var next = changes.MoveNextAsync();
        // Until it watches nothing is told: so it happens again and again.
        int n = 0;
        while (!next.IsCompleted)
        {
            await sandbox.Files.WriteAsync($"w/deep/{n++}", "x");
            await Task.Delay(50);
        }

        Assert.True(await next);
        Assert.StartsWith("w/deep/", changes.Current.Path, StringComparison.Ordinal);
        // It watches now, so that of this one all is told.
        await sandbox.Files.WriteAsync("w/deep/last", "x");
        while (changes.Current.Path != "w/deep/last") Assert.True(await changes.MoveNextAsync());
        Assert.Equal("created", changes.Current.Kind);
    }

    [Fact]
    public async Task Errors_say_what_to_do_and_name_the_request()
    {
        var error = await Assert.ThrowsAsync<RametApiException>(() => _client.ExecAsync("1", new ExecOptions { Language = "pyhton" }));
        Assert.Equal((400, RametError.BadRequest), (error.Status, error.Error));
        Assert.Contains("python", error.Detail, StringComparison.Ordinal);
        Assert.Contains(error.RequestId!, error.Message, StringComparison.Ordinal);
        using var nobody = new RametClient(new RametClientOptions { Url = new Uri("http://127.0.0.1:9") });
        Assert.Contains("ramet serve", (await Assert.ThrowsAsync<RametTransportException>(() => nobody.HealthAsync())).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new RametClient(new RametClientOptions { Url = new Uri("ftp://x") }));
    }

    [Fact]
    public async Task Sandboxes_are_forked_paused_saved_rewound_and_compared()
    {
        await using var parent = new Sandbox(_client, new SandboxOptions { Env = new Dictionary<string, string> { ["WHO"] = "me" }, Cwd = "/tmp" });
        Assert.Equal("('me', '/tmp')", (await parent.RunAsync("import os; x = 1; (os.environ['WHO'], os.getcwd())")).Value);
        var forks = await parent.ForkAsync(2);
        await forks[0].RunAsync("x = 5");
        Assert.Equal(("5", "1", "1"), ((await forks[0].RunAsync("x")).Value, (await forks[1].RunAsync("x")).Value, (await parent.RunAsync("x")).Value));
        Assert.Equal(parent.Id, (await forks[0].GetInfoAsync()).Parent);
        foreach (var fork in forks) await fork.DisposeAsync();
        Assert.Equal("paused", (await parent.PauseAsync()).State);
        Assert.Equal("running", (await parent.ResumeAsync()).State);
        var moment = await parent.CheckpointAsync("before");
        await parent.RunAsync("x = 2; open('/tmp/g', 'w').write('two')");
        var diff = await parent.DiffAsync(from: moment.Id, content: true);
        Assert.Contains(diff.Files, one => one.Path == "/tmp/g" && one.Change == "added" && one.ContentAfter!.AsSpan().SequenceEqual("two"u8));
        await parent.RewindAsync(moment.Id);
        Assert.Equal("1", (await parent.RunAsync("x")).Value);
        Assert.Equal("before", Assert.Single(await parent.CheckpointsAsync()).Name);
        await parent.DeleteCheckpointAsync(moment.Id);
        var saved = await parent.SnapshotAsync("prepared");
        await using (var again = new Sandbox(_client, new SandboxOptions { Snapshot = saved.Id })) Assert.Equal("1", (await again.RunAsync("x")).Value);
        Assert.Contains(await _client.SnapshotsAsync(), one => one.Id == saved.Id);
        Assert.Equal("prepared", (await _client.GetSnapshotAsync(saved.Id)).Name);
        await _client.DeleteSnapshotAsync(saved.Id);
        Assert.True((await parent.MetricsAsync()).Runs >= 3);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(s_long);
        while (!await condition()) await Task.Delay(50, limit.Token);
    }
}
