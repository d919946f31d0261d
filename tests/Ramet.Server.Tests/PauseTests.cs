using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class PauseTests(Daemon daemon)
{
    [Fact]
    public async Task A_paused_sandbox_goes_on_where_it_was_with_its_processes_and_variables()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { metadata = new { note = "kept" } });
        await sandbox.RunAsync("x = 41\nopen('/tmp/f', 'w').write('file')");
        var counter = await sandbox.StartAsync(new { shell = "i=0; while read line; do i=$((i+1)); echo $i $line; done", keep_stdin = true });
        string process = $"{sandbox.Path}/processes/{counter["pid"]}";
        await FeedAsync(process, "before\n", close: false);
        await Waiting.UntilAsync(async () => (await OutputNowAsync(process)).Contains("1 before", StringComparison.Ordinal));
        var paused = await daemon.Http.PostAsync($"{sandbox.Path}/pause", "{}");
        Assert.Equal("paused", (string?)paused["state"]);
        Assert.Equal("kept", (string?)paused["metadata"]!["note"]);
        long generation = (long)paused["generation"]!;
        // As often as one likes.
        Assert.Equal("paused", (string?)(await daemon.Http.PostAsync($"{sandbox.Path}/pause", "{}"))["state"]);
        var refused = await daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = "x" }, HttpStatusCode.Conflict);
        Assert.Contains("resume", (string?)refused["detail"], StringComparison.Ordinal);
        using (var read = await daemon.Http.GetAsync($"{sandbox.Path}/files/content?path=/tmp/f")) await Http.ReadAsync(read, HttpStatusCode.Conflict);
        var listed = JsonNode.Parse(await daemon.Http.GetStringAsync("/v1/sandboxes?limit=1000&metadata.note=kept"))!["sandboxes"]!.AsArray();
        Assert.Equal("paused", (string?)Assert.Single(listed, one => (string?)one!["id"] == sandbox.Id)!["state"]);

        var resumed = await daemon.Http.PostAsync($"{sandbox.Path}/resume", "{}");
        Assert.Equal("running", (string?)resumed["state"]);
        Assert.Equal(sandbox.Id, (string?)resumed["id"]);
        Assert.True((long)resumed["generation"]! > generation);
        Assert.Equal("42", (string?)(await sandbox.RunAsync("x + 1"))["value"]);
        Assert.Equal("'file'", (string?)(await sandbox.RunAsync("open('/tmp/f').read()"))["value"]);
        await FeedAsync(process, "after\n", close: true);
        var events = await sandbox.OutputAsync((int)counter["pid"]!);
        Assert.Equal("1 before\n2 after\n", string.Concat(events.Where(one => one.Name == "stdout").Select(one => (string?)one.Data["text"])));
        Assert.Equal(0, (int)events[^1].Data["exit_code"]!);
        var logs = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/logs"))!["events"]!.AsArray().Select(entry => (string?)entry!["event"]).ToList();
        Assert.Contains("paused", logs);
        Assert.Contains("resumed", logs);
    }

    [Fact]
    public async Task Code_that_runs_when_its_sandbox_is_paused_ends_after_the_resume()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        // It ends when it is told to, which is after the resume.
        const string Code = "import os, time\nopen('/tmp/begun', 'w').close()\nwhile not os.path.exists('/tmp/go'): time.sleep(0.05)\ny = 'done'\nprint(y)";
        var running = daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = Code }, HttpStatusCode.Conflict);
        await sandbox.UntilFileAsync("/tmp/begun");
        await daemon.Http.PostAsync($"{sandbox.Path}/pause", "{}");
        Assert.Contains("paused", (string?)(await running)["detail"], StringComparison.Ordinal);
        await daemon.Http.PostAsync($"{sandbox.Path}/resume", "{}");
        using (var go = await daemon.Http.PutAsync($"{sandbox.Path}/files/content?path=/tmp/go", new ByteArrayContent([]))) Assert.Equal(HttpStatusCode.NoContent, go.StatusCode);
        Assert.Equal("'done'", (string?)(await sandbox.RunAsync("y"))["value"]);
        Assert.Contains("done", (string?)JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/logs"))!["output"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unused_sandbox_is_paused_and_the_next_use_resumes_it()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { auto_pause_seconds = 0.5 });
        await sandbox.RunAsync("x = 7");
        await Waiting.UntilAsync(async () => (string?)JsonNode.Parse(await daemon.Http.GetStringAsync(sandbox.Path))!["state"] == "paused");
        Assert.Equal("7", (string?)(await sandbox.RunAsync("x"))["value"]);
        // What is under way is use.
        Assert.Equal("8", (string?)(await sandbox.RunAsync("import time; time.sleep(2); x + 1"))["value"]);
        await Waiting.UntilAsync(async () => (string?)JsonNode.Parse(await daemon.Http.GetStringAsync(sandbox.Path))!["state"] == "paused");
        using var files = await daemon.Http.GetAsync($"{sandbox.Path}/files?path=/");
        Assert.Equal(HttpStatusCode.OK, files.StatusCode);
    }

    [Fact]
    public async Task A_paused_sandbox_can_be_deleted_and_is_nobody_elses()
    {
        using var stranger = daemon.Server.CreateClient(await daemon.CreateKeyAsync("other"));
        var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await daemon.Http.PostAsync($"{sandbox.Path}/pause", "{}");
        foreach (string what in (string[])["resume", "pause", "fork", "checkpoints", "snapshots"]) await stranger.PostAsync($"{sandbox.Path}/{what}", "{}", HttpStatusCode.NotFound);
        foreach (string what in (string[])["", "/metrics", "/logs", "/checkpoints", "/diff?from=x"])
        {
            using var answer = await stranger.GetAsync(sandbox.Path + what);
            await Http.ReadAsync(answer, HttpStatusCode.NotFound);
        }

        using (var answer = await stranger.DeleteAsync(sandbox.Path)) await Http.ReadAsync(answer, HttpStatusCode.NotFound);
        Assert.Empty(JsonNode.Parse(await stranger.GetStringAsync("/v1/sandboxes"))!["sandboxes"]!.AsArray());
        using (var answer = await daemon.Http.DeleteAsync(sandbox.Path)) Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        using var gone = await daemon.Http.GetAsync(sandbox.Path);
        await Http.ReadAsync(gone, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_full_disk_is_507_names_no_path_and_changes_nothing()
    {
        using var data = new OwnData();
        string directory = Directory.CreateDirectory(Path.Combine(data.Path, "sandboxes")).FullName;
        if (Run("mount", "-t", "tmpfs", "-o", "size=256m", "none", directory) != 0) Assert.Skip("A small file system cannot be mounted here.");
        try
        {
            using var server = new RunningServer(["--listen", "127.0.0.1:0"], new Dictionary<string, string?>(daemon.Settings) { ["RAMET_DATA_DIR"] = data.Path });
            using var client = server.CreateClient(daemon.Key);
            var paused = await LiveSandbox.CreateAsync(client, new { metadata = new { a = "before" } });
            await client.PostAsync($"{paused.Path}/pause", "{}");
            await using var other = await LiveSandbox.CreateAsync(client);
            await other.RunAsync("x = 3");
            Fill(Path.Combine(directory, "filler"));

            var refused = await client.PostAsync($"{other.Path}/pause", "{}", HttpStatusCode.InsufficientStorage);
            Assert.Contains("disk is full", (string?)refused["detail"], StringComparison.Ordinal);
            Assert.DoesNotContain(data.Path, refused.ToJsonString(), StringComparison.Ordinal);
            Assert.Equal("3", (string?)(await other.RunAsync("x"))["value"]);

            using (var patch = await client.PatchAsync(paused.Path, Http.Body("""{"metadata":{"a":"after"}}""")))
                Assert.DoesNotContain(data.Path, (await Http.ReadAsync(patch, HttpStatusCode.InsufficientStorage)).ToJsonString(), StringComparison.Ordinal);
            Assert.Equal("before", (string?)JsonNode.Parse(await client.GetStringAsync(paused.Path))!["metadata"]!["a"]);

            // Where and why is in the log. To remove one needs no room.
            Assert.Contains("ENOSPC", server.Log, StringComparison.Ordinal);
            await paused.DisposeAsync();
            File.Delete(Path.Combine(directory, "filler"));
            Assert.Equal("paused", (string?)(await client.PostAsync($"{other.Path}/pause", "{}"))["state"]);
        }
        finally
        {
            Assert.Equal(0, Run("umount", directory));
        }
    }

    [Fact]
    public async Task After_kill_9_paused_sandboxes_and_snapshots_are_there_and_running_ones_are_gone()
    {
        using var data = new OwnData();
        var settings = new Dictionary<string, string?>(daemon.Settings) { ["RAMET_DATA_DIR"] = data.Path };
        string paused, running, snapshot, generation;
        using (var server = new RunningServer(["--listen", "127.0.0.1:0"], settings))
        {
            using var client = server.CreateClient(daemon.Key);
            var first = await LiveSandbox.CreateAsync(client, new { timeout_seconds = 1000, metadata = new { a = "b" } });
            await first.RunAsync("x = 'survivor'");
            await client.PostAsync($"{first.Path}/checkpoints", new { name = "mark" }, HttpStatusCode.Created);
            await first.RunAsync("x = 'later'");
            snapshot = (string)(await client.PostAsync($"{first.Path}/snapshots", new { name = "kept" }, HttpStatusCode.Created))["id"]!;
            generation = (string)(await client.PostAsync($"{first.Path}/pause", "{}"))["generation"]!.ToString();
            running = (await LiveSandbox.CreateAsync(client)).Path;
            paused = first.Path;
            server.Signal(9);
            server.Process.WaitForExit();
        }

        using (var server = new RunningServer(["--listen", "127.0.0.1:0"], settings))
        {
            using var client = server.CreateClient(daemon.Key);
            var found = JsonNode.Parse(await client.GetStringAsync(paused))!;
            Assert.Equal("paused", (string?)found["state"]);
            Assert.Equal("b", (string?)found["metadata"]!["a"]);
            Assert.Equal(generation, found["generation"]!.ToString());
            using (var gone = await client.GetAsync(running)) await Http.ReadAsync(gone, HttpStatusCode.NotFound);
            await client.PostAsync($"{paused}/resume", "{}");
            Assert.Equal("'later'", (string?)(await client.PostAsync($"{paused}/run", new { code = "x" }))["value"]);
            await client.PostAsync($"{paused}/rewind", new { checkpoint = "mark" });
            Assert.Equal("'survivor'", (string?)(await client.PostAsync($"{paused}/run", new { code = "x" }))["value"]);
            Assert.Equal("kept", (string?)JsonNode.Parse(await client.GetStringAsync($"/v1/snapshots/{snapshot}"))!["name"]);
            var made = await LiveSandbox.CreateAsync(client, new { snapshot });
            Assert.Equal("'later'", (string?)(await made.RunAsync("x"))["value"]);
            // A worker that dies takes what runs, and not what is paused.
            await client.PostAsync($"{paused}/pause", "{}");
            await WorkerTests.KillWorkersAsync(server);
            await Waiting.UntilAsync(async () => (await client.GetAsync(made.Path)).StatusCode == HttpStatusCode.NotFound);
            await client.PostAsync($"{paused}/resume", "{}");
            Assert.Equal("'survivor'", (string?)(await client.PostAsync($"{paused}/run", new { code = "x" }))["value"]);
            // One that may be paused is paused when the server stops.
            running = (await LiveSandbox.CreateAsync(client, new { auto_pause_seconds = 100 })).Path;
            await client.PostAsync($"{running}/run", new { code = "x = 'over the stop'" });
            server.Signal(15);
            Assert.Equal(0, server.WaitForExit());
        }

        using (var server = new RunningServer(["--listen", "127.0.0.1:0"], settings))
        {
            using var client = server.CreateClient(daemon.Key);
            Assert.Equal("'over the stop'", (string?)(await client.PostAsync($"{running}/run", new { code = "x" }))["value"]);
        }
    }

    private async Task FeedAsync(string process, string text, bool close)
    {
        using var bytes = new ByteArrayContent(Encoding.UTF8.GetBytes(text));
        using var answer = await daemon.Http.PostAsync($"{process}/stdin?close={(close ? "true" : "false")}", bytes);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    /// <summary>What a process has printed so far.</summary>
    private async Task<string> OutputNowAsync(string process)
    {
        using var response = await daemon.Http.GetAsync($"{process}/output", HttpCompletionOption.ResponseHeadersRead);
        using var limit = new CancellationTokenSource(300);
        var text = new StringBuilder();
        try
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync(limit.Token) is { } line) text.AppendLine(line);
        }
        catch (OperationCanceledException)
        {
        }

        return text.ToString();
    }

    private static void Fill(string path)
    {
        byte[] piece = new byte[4096];
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        var full = Assert.Throws<IOException>(() =>
        {
            for (int i = 0; i < 1 << 20; i++) file.Write(piece);
        });
        Assert.Equal(28, full.HResult);
    }

    private static int Run(string name, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
