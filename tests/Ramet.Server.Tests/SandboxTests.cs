using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class SandboxTests(Daemon daemon)
{
    [Fact]
    public async Task Names_stay_defined_between_runs_and_the_last_expression_is_the_value()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await sandbox.RunAsync("x = 40");
        var answer = await sandbox.RunAsync("print('hi')\nx + 2");
        Assert.Equal("hi\n", (string?)answer["stdout"]);
        Assert.Equal("42", (string?)answer["value"]);
        Assert.Equal("42", (string?)answer["results"]![0]!["text/plain"]);
    }

    [Fact]
    public async Task What_a_value_offers_to_notebooks_and_open_figures_come_as_results()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var frame = await sandbox.RunAsync("class Frame:\n    def _repr_html_(self): return '<table></table>'\n    def _repr_png_(self): return b'\\x89PNG'\nFrame()");
        Assert.Equal("<table></table>", (string?)frame["results"]![0]!["text/html"]);
        Assert.Equal(Convert.ToBase64String([0x89, (byte)'P', (byte)'N', (byte)'G']), (string?)frame["results"]![0]!["image/png"]);
        var plot = await sandbox.RunAsync("""
            import sys, types
            pyplot = types.ModuleType('matplotlib.pyplot')
            class Figure:
                def savefig(self, file, **options): file.write(b'image')
            pyplot.get_fignums = lambda: [1]
            pyplot.figure = lambda number: Figure()
            pyplot.close = lambda which: print('closed', which)
            sys.modules['matplotlib.pyplot'] = pyplot
            """);
        Assert.Equal(Convert.ToBase64String("image"u8), (string?)plot["results"]![0]!["image/png"]);
    }

    [Fact]
    public async Task An_exception_is_told_and_the_interpreter_lives_on()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var answer = await sandbox.RunAsync("y = 1\nraise ValueError('no')");
        Assert.Equal(1, (int)answer["exit_code"]!);
        Assert.Equal("ValueError", (string?)answer["exception"]!["type"]);
        Assert.Contains("Traceback", (string?)answer["stderr"], StringComparison.Ordinal);
        Assert.Equal("1", (string?)(await sandbox.RunAsync("y"))["value"]);
        Assert.Equal(1, (int)(await sandbox.RunAsync("def f(:"))["exit_code"]!);
        Assert.Equal("1", (string?)(await sandbox.RunAsync("y"))["value"]);
    }

    [Fact]
    public async Task A_run_whose_time_is_over_is_interrupted_and_state_is_kept()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var answer = await daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = "z = 5\nprint('so far')\nwhile True: pass", timeout_seconds = 2 });
        Assert.True((bool)answer["timed_out"]!);
        Assert.Equal("so far\n", (string?)answer["stdout"]);
        Assert.Equal("5", (string?)(await sandbox.RunAsync("z"))["value"]);
    }

    [Fact]
    public async Task Output_of_a_run_is_streamed_as_it_is_printed()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{sandbox.Path}/run") { Content = Http.Body("""{"code":"import time\nfor i in range(3):\n    print(i)\n    time.sleep(0.2)\n'end'"}""") };
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await daemon.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var events = await Events.ReadAsync(response);
        Assert.Equal("0\n1\n2\n", string.Concat(events.Where(one => one.Name == "stdout").Select(one => (string?)one.Data["text"])));
        Assert.True(events.Count(one => one.Name == "stdout") >= 3);
        Assert.Equal("'end'", (string?)events[^1].Data["value"]);
    }

    [Fact]
    public async Task A_client_that_leaves_a_stream_interrupts_its_code()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using (var limit = new CancellationTokenSource(500))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => daemon.Http.PostAsync($"{sandbox.Path}/run", Http.Body("""{"code":"while True: pass","timeout_seconds":600}"""), limit.Token));
        }

        Assert.Equal("2", (string?)(await sandbox.RunAsync("1 + 1"))["value"]);
    }

    [Fact]
    public async Task Sandboxes_are_listed_filtered_paged_extended_and_deleted()
    {
        string tag = Guid.NewGuid().ToString("n");
        var made = new List<LiveSandbox>();
        for (int i = 0; i < 3; i++) made.Add(await LiveSandbox.CreateAsync(daemon.Http, new { metadata = new Dictionary<string, string> { ["tag"] = tag, ["i"] = $"{i}" }, memory_mb = 100 }));
        var page = JsonNode.Parse(await daemon.Http.GetStringAsync($"/v1/sandboxes?metadata.tag={tag}&limit=2"))!;
        Assert.Equal(2, page["sandboxes"]!.AsArray().Count);
        var rest = JsonNode.Parse(await daemon.Http.GetStringAsync($"/v1/sandboxes?metadata.tag={tag}&limit=2&cursor={page["next_cursor"]}"))!;
        Assert.Equal(made[2].Id, (string?)Assert.Single(rest["sandboxes"]!.AsArray())!["id"]);
        Assert.Null(rest["next_cursor"]);
        using (var patch = await daemon.Http.PatchAsync(made[0].Path, Http.Body("""{"timeout_seconds":1000}""")))
        {
            var extended = await Http.ReadAsync(patch, HttpStatusCode.OK);
            Assert.True((DateTimeOffset)extended["expires"]! > DateTimeOffset.UtcNow.AddSeconds(900));
            Assert.Equal(100, (double)extended["memory_mb"]!);
        }

        foreach (var sandbox in made) await sandbox.DisposeAsync();
        using var gone = await daemon.Http.GetAsync(made[0].Path);
        await Http.ReadAsync(gone, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_sandbox_ends_when_its_time_is_over()
    {
        var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { timeout_seconds = 0.5 });
        await Waiting.UntilAsync(async () =>
        {
            using var answer = await daemon.Http.GetAsync(sandbox.Path);
            return answer.StatusCode == HttpStatusCode.NotFound;
        });
        await daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = "1" }, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_sandbox_of_another_key_is_not_there()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using var other = daemon.Server.CreateClient(await daemon.CreateKeyAsync("not its owner"));
        using var response = await other.GetAsync(sandbox.Path);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Code_that_ends_its_interpreter_ends_the_sandbox()
    {
        var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var answer = await sandbox.RunAsync("import os; os._exit(9)");
        Assert.Equal(9, (int)answer["exit_code"]!);
        await daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = "1" }, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_process_gets_input_environment_directory_and_user_and_gives_output_and_an_exit_code()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var process = await sandbox.StartAsync(new { shell = "id -un; pwd; echo \"$WHO\"; cat; echo err >&2; exit 3", env = new { WHO = "ö" }, cwd = "/tmp", user = "nobody", stdin = "in\n" });
        var events = await sandbox.OutputAsync((int)process["pid"]!);
        Assert.Equal("nobody\n/tmp\nö\nin\n", Text(events, "stdout"));
        Assert.Equal("err\n", Text(events, "stderr"));
        Assert.Equal(3, (int)events[^1].Data["exit_code"]!);
        // Again: what was kept.
        Assert.Equal("nobody\n/tmp\nö\nin\n", Text(await sandbox.OutputAsync((int)process["pid"]!), "stdout"));
    }

    [Fact]
    public async Task A_process_is_fed_signalled_and_waited_for()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var cat = await sandbox.StartAsync(new { command = new[] { "cat" }, keep_stdin = true });
        string path = $"{sandbox.Path}/processes/{cat["pid"]}";
        using (var bytes = new ByteArrayContent(Encoding.UTF8.GetBytes("one\n"))) (await daemon.Http.PostAsync($"{path}/stdin", bytes)).EnsureSuccessStatusCode();
        using (var bytes = new ByteArrayContent(Encoding.UTF8.GetBytes("two\n"))) (await daemon.Http.PostAsync($"{path}/stdin?close=true", bytes)).EnsureSuccessStatusCode();
        Assert.Equal("one\ntwo\n", Text(await sandbox.OutputAsync((int)cat["pid"]!), "stdout"));

        var sleep = await sandbox.StartAsync(new { command = new[] { "sleep", "100" } });
        path = $"{sandbox.Path}/processes/{sleep["pid"]}";
        Assert.True((bool)(await daemon.Http.PostAsync($"{path}/wait?timeout_seconds=0.2", ""))["running"]!);
        using (var content = Http.Body("""{"signal":"SIGTERM"}""")) Assert.Equal(HttpStatusCode.NoContent, (await daemon.Http.PostAsync($"{path}/signal", content)).StatusCode);
        Assert.Equal(143, (int)(await daemon.Http.PostAsync($"{path}/wait", ""))["exit_code"]!);
        await daemon.Http.PostAsync($"{path}/signal", new { signal = "TERM" }, HttpStatusCode.Conflict);
        await daemon.Http.PostAsync($"{path}/signal", new { signal = "TREM" }, HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task A_program_that_is_not_there_and_a_user_that_is_not_there_are_refused()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await daemon.Http.PostAsync($"{sandbox.Path}/processes", new { command = new[] { "no-such-program" } }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync($"{sandbox.Path}/processes", new { command = new[] { "ls" }, user = "no-such-user" }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync($"{sandbox.Path}/processes", new { command = new[] { "ls" }, cwd = "/nowhere" }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync($"{sandbox.Path}/processes", new { command = new[] { "ls", "a\0b" } }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync($"{sandbox.Path}/processes", new { shell = "ls", command = new[] { "ls" } }, HttpStatusCode.BadRequest);
        Assert.Equal("2", (string?)(await sandbox.RunAsync("1 + 1"))["value"]);
        Assert.Equal("[]", (string?)(await sandbox.RunAsync("[p for p in __import__('os').listdir('/proc') if p.isdigit() and p not in ('1', '2')]"))["value"]);
    }

    [Fact]
    public async Task Many_short_processes_each_tell_their_own_exit_code()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var codes = await Task.WhenAll(Enumerable.Range(0, 30).Select(async i =>
        {
            var process = await sandbox.StartAsync(new { shell = $"echo {i}; exit {i}" });
            var events = await sandbox.OutputAsync((int)process["pid"]!);
            Assert.Equal($"{i}\n", Text(events, "stdout"));
            return (int)events[^1].Data["exit_code"]!;
        }));
        Assert.Equal(Enumerable.Range(0, 30), codes);
    }

    [Fact]
    public async Task Output_that_nobody_looks_at_does_not_stop_a_process_and_its_end_is_kept()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var process = await sandbox.StartAsync(new { shell = "i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero | tr '\\0' x; i=$((i+1)); done; echo end" });
        Assert.Equal(0, (int)(await daemon.Http.PostAsync($"{sandbox.Path}/processes/{process["pid"]}/wait", ""))["exit_code"]!);
        string text = Text(await sandbox.OutputAsync((int)process["pid"]!), "stdout");
        Assert.EndsWith("xend\n", text, StringComparison.Ordinal);
        Assert.InRange(text.Length, 500_000, 1_200_000);
    }

    [Fact]
    public async Task A_terminal_over_WebSocket_echoes_resizes_and_tells_the_end()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var process = await sandbox.StartAsync(new { command = new[] { "/bin/sh" }, tty = new { rows = 30, columns = 100 } });
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {daemon.Key}");
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{daemon.Server.Address.Port}{sandbox.Path}/processes/{process["pid"]}/connect"), default);
        await socket.SendAsync(Encoding.UTF8.GetBytes("""{"resize":{"rows":41,"columns":123}}"""), WebSocketMessageType.Text, true, default);
        await socket.SendAsync(Encoding.UTF8.GetBytes("test -t 0 && python3 -c 'import os; print(os.get_terminal_size())'; exit 4\n"), WebSocketMessageType.Binary, true, default);
        var output = new StringBuilder();
        var buffer = new byte[65536];
        string last = "";
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, limit.Token);
            if (received.MessageType == WebSocketMessageType.Close) break;
            if (received.MessageType == WebSocketMessageType.Text) last = Encoding.UTF8.GetString(buffer, 0, received.Count);
            else output.Append(Encoding.UTF8.GetString(buffer, 1, received.Count - 1));
        }

        Assert.Contains("columns=123, lines=41", output.ToString(), StringComparison.Ordinal);
        Assert.Equal("{\"exit_code\":4}", last);
    }

    [Fact]
    public async Task Two_hundred_sandboxes_come_and_go_and_leave_nothing()
    {
        for (int i = 0; i < 20; i++)
        {
            var made = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => LiveSandbox.CreateAsync(daemon.Http)));
            Assert.All(await Task.WhenAll(made.Select((sandbox, n) => sandbox.RunAsync($"{n} * 2"))), (answer, n) => Assert.Equal($"{n * 2}", (string?)answer["value"]));
            foreach (var sandbox in made) await sandbox.DisposeAsync();
        }
    }

    private static string Text(IEnumerable<Event> events, string name) => string.Concat(events.Where(one => one.Name == name).Select(one => (string?)one.Data["text"]));
}
