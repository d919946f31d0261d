using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

/// <summary>Forks, checkpoints, rewinding and differences of live sandboxes; snapshots; what a sandbox can be made with.</summary>
public sealed class PointTests(Daemon daemon)
{
    [Fact]
    public async Task Children_of_a_fork_go_on_from_that_point_and_the_parent_goes_on()
    {
        await using var parent = await LiveSandbox.CreateAsync(daemon.Http, new { metadata = new { of = "parent" } });
        await parent.RunAsync("import os, random\nx = 1\nopen('/root/f', 'w').write('both')");
        var cat = await parent.StartAsync(new { command = new[] { "cat" }, keep_stdin = true });
        var fork = await daemon.Http.PostAsync($"{parent.Path}/fork", new { count = 3, timeout_seconds = 120, metadata = new { of = "child" } }, HttpStatusCode.Created);
        var children = fork["sandboxes"]!.AsArray().Select(child => new LiveSandbox(daemon.Http, (string)child!["id"]!)).ToList();
        Assert.Equal(3, children.Count);
        Assert.All(fork["sandboxes"]!.AsArray(), child =>
        {
            Assert.Equal(parent.Id, (string?)child!["parent"]);
            Assert.Equal("child", (string?)child["metadata"]!["of"]);
            Assert.Equal("running", (string?)child["state"]);
        });
        var random = new HashSet<string?>();
        for (int i = 0; i < 3; i++)
        {
            await children[i].RunAsync($"x += {i + 1}");
            Assert.Equal($"{i + 2}", (string?)(await children[i].RunAsync("x"))["value"]);
            Assert.Equal("'both'", (string?)(await children[i].RunAsync("open('/root/f').read()"))["value"]);
            Assert.True(random.Add((string?)(await children[i].RunAsync("random.random()"))["value"]));
            Assert.True(random.Add((string?)(await children[i].RunAsync("os.urandom(8).hex()"))["value"]));
            // The process came along, and its input is the child's own.
            string path = $"{children[i].Path}/processes/{cat["pid"]}";
            using (var bytes = new ByteArrayContent(Encoding.UTF8.GetBytes($"to {i}\n"))) (await daemon.Http.PostAsync($"{path}/stdin?close=true", bytes)).EnsureSuccessStatusCode();
            var events = await children[i].OutputAsync((int)cat["pid"]!);
            Assert.Equal($"to {i}\n", string.Concat(events.Where(one => one.Name == "stdout").Select(one => (string?)one.Data["text"])));
        }

        Assert.Equal("1", (string?)(await parent.RunAsync("x"))["value"]);
        Assert.True((bool)JsonNode.Parse(await daemon.Http.GetStringAsync($"{parent.Path}/processes/{cat["pid"]}"))!["running"]!);
        // Children of children.
        var again = await daemon.Http.PostAsync($"{children[2].Path}/fork", "{}", HttpStatusCode.Created);
        var grandchild = new LiveSandbox(daemon.Http, (string)again["sandboxes"]![0]!["id"]!);
        Assert.Equal("4", (string?)(await grandchild.RunAsync("x"))["value"]);
        foreach (var child in children.Append(grandchild)) await child.DisposeAsync();
    }

    [Fact]
    public async Task A_fork_in_the_middle_of_a_run_goes_on_in_the_children()
    {
        await using var parent = await LiveSandbox.CreateAsync(daemon.Http);
        var running = parent.RunAsync("import time\nn = 0\nopen('/tmp/begun', 'w').close()\nwhile n < 15:\n    n += 1\n    time.sleep(0.1)\n'end'");
        await parent.UntilFileAsync("/tmp/begun");
        var fork = await daemon.Http.PostAsync($"{parent.Path}/fork", new { count = 1 }, HttpStatusCode.Created);
        await using var child = new LiveSandbox(daemon.Http, (string)fork["sandboxes"]![0]!["id"]!);
        Assert.Equal("15", (string?)(await child.RunAsync("n"))["value"]);
        Assert.Equal("'end'", (string?)(await running)["value"]);
    }

    [Fact]
    public async Task A_sandbox_goes_back_to_a_checkpoint()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await sandbox.RunAsync("x = 'first'");
        var first = await daemon.Http.PostAsync($"{sandbox.Path}/checkpoints", new { name = "one" }, HttpStatusCode.Created);
        Assert.True((long)first["memory_bytes"]! > 0);
        await sandbox.RunAsync("x = 'second'\nopen('/root/new', 'w').write('x' * 10)");
        var second = await daemon.Http.PostAsync($"{sandbox.Path}/checkpoints", "{}", HttpStatusCode.Created);
        await sandbox.RunAsync("x = 'third'");
        var sleep = await sandbox.StartAsync(new { command = new[] { "sleep", "1000" } });
        Assert.Equal(sandbox.Id, (string?)(await daemon.Http.PostAsync($"{sandbox.Path}/rewind", new { checkpoint = (string)first["id"]! }))["id"]);
        Assert.Equal("'first'", (string?)(await sandbox.RunAsync("x"))["value"]);
        Assert.Equal("False", (string?)(await sandbox.RunAsync("__import__('os').path.exists('/root/new')"))["value"]);
        using (var gone = await daemon.Http.GetAsync($"{sandbox.Path}/processes/{sleep["pid"]}")) await Http.ReadAsync(gone, HttpStatusCode.NotFound);
        // Later ones stay, by id and by name.
        await daemon.Http.PostAsync($"{sandbox.Path}/rewind", new { checkpoint = (string)second["id"]! });
        Assert.Equal("'second'", (string?)(await sandbox.RunAsync("x"))["value"]);
        await daemon.Http.PostAsync($"{sandbox.Path}/rewind", new { checkpoint = "one" });
        Assert.Equal("'first'", (string?)(await sandbox.RunAsync("x"))["value"]);
        var list = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/checkpoints"))!["checkpoints"]!.AsArray();
        Assert.Equal(["one", null], list.Select(one => (string?)one!["name"]));
        using (var deleted = await daemon.Http.DeleteAsync($"{sandbox.Path}/checkpoints/{first["id"]}")) Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        await daemon.Http.PostAsync($"{sandbox.Path}/rewind", new { checkpoint = "one" }, HttpStatusCode.NotFound);
        using (var diff = await daemon.Http.GetAsync($"{sandbox.Path}/diff?from=one")) await Http.ReadAsync(diff, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task The_difference_between_two_points_is_told()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await sandbox.RunAsync("open('/root/changed', 'w').write('before')\nopen('/root/removed', 'w').write('gone')\nopen('/root/same', 'w').write('same')");
        await daemon.Http.PostAsync($"{sandbox.Path}/checkpoints", new { name = "a" }, HttpStatusCode.Created);
        await sandbox.RunAsync("import os\nopen('/root/changed', 'w').write('after!')\nos.remove('/root/removed')\nos.mkdir('/root/dir')\nopen('/root/dir/added', 'wb').write(bytes([0, 255]))\nos.remove('/etc/hostname') if os.path.exists('/etc/hostname') else None\nblob = bytearray(8 << 20)");
        var sleep = await sandbox.StartAsync(new { command = new[] { "sleep", "1000" } });
        await daemon.Http.PostAsync($"{sandbox.Path}/checkpoints", new { name = "b" }, HttpStatusCode.Created);
        var diff = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/diff?from=a&to=now&content=true"))!;
        var files = diff["files"]!.AsArray().ToDictionary(file => (string)file!["path"]!, file => file!);
        Assert.Equal("changed", (string?)files["/root/changed"]["change"]);
        Assert.Equal("before", Encoding.UTF8.GetString(Convert.FromBase64String((string)files["/root/changed"]["content_before"]!)));
        Assert.Equal("after!", Encoding.UTF8.GetString(Convert.FromBase64String((string)files["/root/changed"]["content_after"]!)));
        Assert.Equal("removed", (string?)files["/root/removed"]["change"]);
        Assert.Equal(4, (long)files["/root/removed"]["size_before"]!);
        Assert.Null(files["/root/removed"]["size_after"]);
        Assert.Equal("directory", (string?)files["/root/dir"]["kind"]);
        Assert.Equal("added", (string?)files["/root/dir/added"]["change"]);
        Assert.Equal([0, 255], Convert.FromBase64String((string)files["/root/dir/added"]["content_after"]!));
        Assert.DoesNotContain("/root/same", files.Keys);
        Assert.Contains(diff["processes"]!["started"]!.AsArray(), process => (int)process!["pid"]! == (int)sleep["pid"]! && (string?)process["command"]![0] == "sleep");
        Assert.True((long)diff["memory"]!["pages_changed"]! > 100);
        Assert.True((long)diff["memory"]!["bytes_after"]! > (long)diff["memory"]!["bytes_before"]!);
        var backwards = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/diff?from=b&to=a"))!;
        Assert.Contains(backwards["files"]!.AsArray(), file => (string?)file!["path"] == "/root/dir/added" && (string?)file["change"] == "removed" && file["content_before"] is null);
        Assert.Contains(backwards["processes"]!["ended"]!.AsArray(), process => (int)process!["pid"]! == (int)sleep["pid"]!);
        Assert.Empty(JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/diff?from=b&to=b"))!["files"]!.AsArray());
    }

    [Fact]
    public async Task Every_run_has_a_checkpoint_before_it_when_that_was_asked_for()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { checkpoint_every_run = true });
        await sandbox.RunAsync("x = 1");
        await sandbox.RunAsync("x = 2");
        await daemon.Http.PostAsync($"{sandbox.Path}/rewind", new { checkpoint = "before run 2" });
        Assert.Equal("1", (string?)(await sandbox.RunAsync("x"))["value"]);
        var all = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/checkpoints"))!["checkpoints"]!.AsArray();
        Assert.All(all, one => Assert.True((bool)one!["automatic"]!));
        Assert.Equal(3, all.Count);
    }

    [Fact]
    public async Task A_snapshot_outlives_its_sandbox_and_makes_others()
    {
        var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { metadata = new { a = "b" } });
        await sandbox.RunAsync("x = 'snap'");
        var snapshot = await daemon.Http.PostAsync($"{sandbox.Path}/snapshots", new { name = "mine" }, HttpStatusCode.Created);
        string id = (string)snapshot["id"]!;
        Assert.Equal("python", (string?)snapshot["template"]);
        Assert.True((long)snapshot["size_bytes"]! > 4096);
        Assert.Equal("b", (string?)snapshot["metadata"]!["a"]);
        await sandbox.DisposeAsync();
        for (int i = 0; i < 2; i++)
        {
            await using var made = await LiveSandbox.CreateAsync(daemon.Http, new { snapshot = id });
            Assert.Equal("'snap'", (string?)(await made.RunAsync("x"))["value"]);
            Assert.Equal(sandbox.Id, (string?)JsonNode.Parse(await daemon.Http.GetStringAsync(made.Path))!["parent"]);
            await made.RunAsync("x = 'changed'");
        }

        var page = JsonNode.Parse(await daemon.Http.GetStringAsync("/v1/snapshots?limit=1000"))!;
        Assert.Contains(page["snapshots"]!.AsArray(), one => (string?)one!["id"] == id);
        byte[] file = await daemon.Http.GetByteArrayAsync($"/v1/snapshots/{id}/file");
        Assert.Equal((long)snapshot["size_bytes"]!, file.Length);
        using (var deleted = await daemon.Http.DeleteAsync($"/v1/snapshots/{id}")) Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        await daemon.Http.PostAsync("/v1/sandboxes", new { snapshot = id }, HttpStatusCode.NotFound);
        using (var gone = await daemon.Http.GetAsync($"/v1/snapshots/{id}")) await Http.ReadAsync(gone, HttpStatusCode.NotFound);

        // The file brings it back; a damaged one does not.
        JsonNode back;
        using (var content = new ByteArrayContent(file))
        using (var answer = await daemon.Http.PostAsync("/v1/snapshots?name=back", content)) back = await Http.ReadAsync(answer, HttpStatusCode.Created);
        await using (var made = await LiveSandbox.CreateAsync(daemon.Http, new { snapshot = (string)back["id"]! })) Assert.Equal("'snap'", (string?)(await made.RunAsync("x"))["value"]);
        file[^1] ^= 1;
        using (var content = new ByteArrayContent(file))
        using (var answer = await daemon.Http.PostAsync("/v1/snapshots", content)) await Http.ReadAsync(answer, HttpStatusCode.BadRequest);
        using (var content = new ByteArrayContent([1, 2, 3]))
        using (var answer = await daemon.Http.PostAsync("/v1/snapshots", content)) await Http.ReadAsync(answer, HttpStatusCode.BadRequest);
        using (var deleted = await daemon.Http.DeleteAsync($"/v1/snapshots/{back["id"]}")) Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
    }

    [Fact]
    public async Task Environment_directory_and_limits_hold_for_code_and_processes()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { env = new { WHO = "ö" }, cwd = "/tmp", limits = new { processes = 40, open_files = 100 }, network = "none", max_output = 1000 });
        Assert.Equal("('ö', '/tmp')", (string?)(await sandbox.RunAsync("import os; (os.environ['WHO'], os.getcwd())"))["value"]);
        var process = await sandbox.StartAsync(new { shell = "echo $WHO; pwd" });
        Assert.Equal("ö\n/tmp\n", Text(await sandbox.OutputAsync((int)process["pid"]!)));
        Assert.Contains("OSError", (string?)(await sandbox.RunAsync("files = [open('/etc/passwd') for _ in range(200)]"))["stderr"], StringComparison.Ordinal);
        Assert.Contains("Error", (string?)(await sandbox.RunAsync("import subprocess\nall = [subprocess.Popen(['sleep', '100']) for _ in range(60)]"))["stderr"], StringComparison.Ordinal);
        var loud = await sandbox.RunAsync("print('x' * 5000)");
        Assert.Equal(153, (int)loud["exit_code"]!);
        Assert.True(((string)loud["stdout"]!).Length <= 1000);
        Assert.Equal("2", (string?)(await sandbox.RunAsync("1 + 1"))["value"]);
    }

    [Fact]
    public async Task A_sandbox_of_an_image_has_processes_and_files_and_no_interpreter()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { image = "python", env = new { A = "1" } });
        var refused = await daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = "1" }, HttpStatusCode.Conflict);
        Assert.Contains("image", (string?)refused["detail"], StringComparison.Ordinal);
        var process = await sandbox.StartAsync(new { shell = "echo $A; echo text >/root/f; python3 -c 'print(6*7)'" });
        Assert.Equal("1\n42\n", Text(await sandbox.OutputAsync((int)process["pid"]!)));
        Assert.Equal("text\n", await daemon.Http.GetStringAsync($"{sandbox.Path}/files/content?path=/root/f"));
        // It lives on when nothing runs, and can be paused and forked.
        await daemon.Http.PostAsync($"{sandbox.Path}/pause", "{}");
        await daemon.Http.PostAsync($"{sandbox.Path}/resume", "{}");
        var fork = await daemon.Http.PostAsync($"{sandbox.Path}/fork", "{}", HttpStatusCode.Created);
        Assert.Equal("python", (string?)fork["sandboxes"]![0]!["image"]);
        Assert.Equal("", (string?)fork["sandboxes"]![0]!["template"]);
        await using var child = new LiveSandbox(daemon.Http, (string)fork["sandboxes"]![0]!["id"]!);
        Assert.Equal("text\n", await daemon.Http.GetStringAsync($"{child.Path}/files/content?path=/root/f"));
        await daemon.Http.PostAsync($"{child.Path}/run", new { code = "1" }, HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task What_cannot_be_is_refused_with_what_to_do()
    {
        async Task RefuseAsync(object body, string part)
        {
            var answer = await daemon.Http.PostAsync("/v1/sandboxes", body, HttpStatusCode.BadRequest);
            Assert.Contains(part, (string?)answer["detail"], StringComparison.Ordinal);
        }

        await RefuseAsync(new { network = "internet" }, "no outside network");
        await RefuseAsync(new { mounts = new[] { new { source = "/etc", target = "/mnt" } } }, "Upload");
        await RefuseAsync(new { image = "no-such-image" }, "no-such-image");
        await RefuseAsync(new { image = "../etc" }, "image");
        await RefuseAsync(new { image = "python", template = "python" }, "give one of them");
        await RefuseAsync(new { cwd = "relative" }, "absolute");
        await RefuseAsync(new { cwd = "/no/such/directory" }, "/no/such/directory");
        await RefuseAsync(new { env = new Dictionary<string, string> { ["A=B"] = "" } }, "variable");
        await RefuseAsync(new { auto_pause_seconds = 0 }, "auto_pause_seconds");
        await RefuseAsync(new { max_output = 0 }, "max_output");
        await RefuseAsync(new { limits = new { processes = 0 } }, "limits.processes");
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        foreach (int count in (int[])[0, 65, -1]) await daemon.Http.PostAsync($"{sandbox.Path}/fork", new { count }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync($"{sandbox.Path}/checkpoints", new { name = "" }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync($"{sandbox.Path}/rewind", "{}", HttpStatusCode.BadRequest);
        foreach (string query in (string[])["", "?from=", "?from=a&content=maybe", "?form=a"])
        {
            using var answer = await daemon.Http.GetAsync($"{sandbox.Path}/diff{query}");
            await Http.ReadAsync(answer, HttpStatusCode.BadRequest);
        }
    }

    [Fact]
    public async Task Host_directories_that_the_server_shares_are_copied_and_no_others()
    {
        string shared = Directory.CreateTempSubdirectory("ramet-shared-").FullName, secret = Directory.CreateTempSubdirectory("ramet-secret-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(shared, "below"));
            await File.WriteAllTextAsync(Path.Combine(shared, "below", "file"), "shared", TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(Path.Combine(secret, "file"), "secret", TestContext.Current.CancellationToken);
            File.CreateSymbolicLink(Path.Combine(shared, "way-out"), secret);
            using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_MOUNTS_ALLOW"] = shared });
            using var client = server.CreateClient();
            await using var sandbox = await LiveSandbox.CreateAsync(client, new { mounts = new[] { new { source = shared, target = "/data" } } });
            Assert.Equal("'shared'", (string?)(await sandbox.RunAsync("open('/data/below/file').read()"))["value"]);
            // A link stays a link, which leads nowhere in the sandbox.
            Assert.Equal("(True, False)", (string?)(await sandbox.RunAsync("import os; (os.path.islink('/data/way-out'), os.path.exists('/data/way-out'))"))["value"]);
            await sandbox.RunAsync("open('/data/below/file', 'w').write('changed')");
            Assert.Equal("shared", await File.ReadAllTextAsync(Path.Combine(shared, "below", "file"), TestContext.Current.CancellationToken));
            foreach (string source in (string[])[secret, "/", shared + "/../" + Path.GetFileName(secret), Path.Combine(shared, "way-out"), shared + "x", "relative"])
                await client.PostAsync("/v1/sandboxes", new { mounts = new[] { new { source, target = "/data" } } }, HttpStatusCode.BadRequest);
            await client.PostAsync("/v1/sandboxes", new { mounts = new[] { new { source = shared, target = "/data", read_only = false } } }, HttpStatusCode.BadRequest);
        }
        finally
        {
            Directory.Delete(shared, recursive: true);
            Directory.Delete(secret, recursive: true);
        }
    }

    [Fact]
    public async Task Metrics_and_logs_tell_what_was_used_and_what_happened()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { memory_mb = 200 });
        await sandbox.RunAsync("print('hello')\nt = __import__('time').process_time()\nwhile __import__('time').process_time() - t < 0.2: pass");
        var metrics = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/metrics"))!;
        Assert.True((double)metrics["cpu_ms"]! >= 150, metrics.ToJsonString());
        Assert.True((long)metrics["memory_bytes"]! > 1 << 20);
        Assert.Equal(200L << 20, (long)metrics["memory_limit_bytes"]!);
        Assert.True((long)metrics["pages_written"]! > 0);
        Assert.True((long)metrics["system_calls"]! > 0);
        Assert.Equal(1, (int)metrics["processes"]!);
        Assert.True((int)metrics["open_files"]! >= 3);
        Assert.Equal(6, (long)metrics["output_bytes"]!);
        Assert.Equal(1, (long)metrics["runs"]!);
        var logs = JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/logs"))!;
        Assert.Equal("hello\n", (string?)logs["output"]);
        using (var request = new HttpRequestMessage(HttpMethod.Get, $"{sandbox.Path}/logs"))
        {
            request.Headers.Accept.ParseAdd("text/plain");
            using var plain = await daemon.Http.SendAsync(request);
            Assert.Equal("hello\n", await plain.Content.ReadAsStringAsync());
        }

        Assert.Contains(logs["events"]!.AsArray(), entry => (string?)entry!["event"] == "created");
        Assert.Contains(logs["events"]!.AsArray(), entry => (string?)entry!["event"] == "run" && ((string)entry["text"]!).Contains("hello", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_template_of_a_sandbox_is_its_keys_own_and_has_what_was_defined()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await sandbox.RunAsync("import statistics\nwarm = 'defined'\nopen('/root/f', 'w').write('file')");
        string name = "t" + Guid.NewGuid().ToString("n");
        var made = await daemon.Http.PostAsync("/v1/templates", new { name, sandbox = sandbox.Id }, HttpStatusCode.Created);
        Assert.Equal("python", (string?)made["from"]);
        Assert.Equal("defined\n", (string?)(await daemon.Http.PostAsync("/v1/exec", new { template = name, code = "print(warm)" }))["stdout"]);
        await using (var forked = await LiveSandbox.CreateAsync(daemon.Http, new { template = name }))
        {
            Assert.Equal("'file'", (string?)(await forked.RunAsync("open('/root/f').read()"))["value"]);
            Assert.Equal(name, (string?)JsonNode.Parse(await daemon.Http.GetStringAsync(forked.Path))!["template"]);
            await forked.RunAsync("warm = 'other'");
            // What lies over it is paused and goes on as well.
            await daemon.Http.PostAsync($"{forked.Path}/pause", "{}");
            await daemon.Http.PostAsync($"{forked.Path}/resume", "{}");
            Assert.Equal("'other'", (string?)(await forked.RunAsync("warm"))["value"]);
        }

        // Anew under the same name.
        await sandbox.RunAsync("warm = 'anew'");
        await daemon.Http.PostAsync("/v1/templates", new { name, sandbox = sandbox.Id }, HttpStatusCode.Created);
        Assert.Equal("anew\n", (string?)(await daemon.Http.PostAsync("/v1/exec", new { template = name, code = "print(warm)" }))["stdout"]);
        using (var stranger = daemon.Server.CreateClient(await daemon.CreateKeyAsync("another")))
        {
            await stranger.PostAsync("/v1/exec", new { template = name, code = "1" }, HttpStatusCode.BadRequest);
            Assert.DoesNotContain(name, await stranger.GetStringAsync("/v1/templates"), StringComparison.Ordinal);
            await stranger.PostAsync("/v1/templates", new { name, sandbox = sandbox.Id }, HttpStatusCode.NotFound);
        }

        Assert.Contains(name, await daemon.Http.GetStringAsync("/v1/templates"), StringComparison.Ordinal);
        await daemon.Http.PostAsync("/v1/templates", new { name = "python", sandbox = sandbox.Id }, HttpStatusCode.Conflict);
        await daemon.Http.PostAsync("/v1/templates", new { name = "../x", sandbox = sandbox.Id }, HttpStatusCode.BadRequest);
        var sleep = await sandbox.StartAsync(new { command = new[] { "sleep", "100" } });
        await daemon.Http.PostAsync("/v1/templates", new { name, sandbox = sandbox.Id }, HttpStatusCode.Conflict);
        using (var deleted = await daemon.Http.DeleteAsync($"/v1/templates/{name}")) Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        await daemon.Http.PostAsync("/v1/exec", new { template = name, code = "1" }, HttpStatusCode.BadRequest);
        using (var gone = await daemon.Http.DeleteAsync($"/v1/templates/{name}")) await Http.ReadAsync(gone, HttpStatusCode.NotFound);
    }

    private static string Text(IReadOnlyList<Event> events) => string.Concat(events.Where(one => one.Name == "stdout").Select(one => (string?)one.Data["text"]));
}
