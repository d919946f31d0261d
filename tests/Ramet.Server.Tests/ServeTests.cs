using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class ServeTests(Daemon daemon)
{
    [Theory]
    [InlineData("pool.mn = 1", ":1: unknown key 'pool.mn'. Did you mean 'pool.min'?")]
    [InlineData("\n[pool]\nmin = \"two\"", ":3: pool.min takes a whole number from 0 to 1000, not 'two'.")]
    [InlineData("[log]\nlevel = \"inof\"", "Did you mean 'info'?")]
    [InlineData("listen = 127.0.0.1:80", ":1: '127.0.0.1:80' is not a value; text goes in quotes")]
    [InlineData("listen = \"nowhere\"", "listen takes HOST:PORT")]
    [InlineData("[pool]\nmin = 9\nmax = 8", "pool.min (9) is more than pool.max (8)")]
    [InlineData("dev = true\ndev = false", "twice")]
    [InlineData("x = [1, 2", "']' is missing")]
    [InlineData("a = {b = 1}", "inline tables")]
    [InlineData("otlp.endpoint = \"here\"", "otlp.endpoint takes a URL")]
    public void A_wrong_setting_is_refused_with_its_place(string text, string says)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            var outcome = Launcher.Run(["serve", "--config", file]);
            Assert.Equal(2, outcome.ExitCode);
            Assert.Contains(says, outcome.Stderr, StringComparison.Ordinal);
            Assert.Single(outcome.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_wrong_variable_is_refused_with_the_nearest_right_name()
    {
        var outcome = Launcher.Run(["serve"], new Dictionary<string, string?> { ["RAMET_LISTN"] = "127.0.0.1:0" });
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("Did you mean 'RAMET_LISTEN'?", outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void Development_on_an_address_for_others_is_refused()
    {
        var outcome = Launcher.Run(["serve", "--dev", "--listen", "0.0.0.0:0"]);
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("loopback only", outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_that_is_taken_is_reported_in_one_line()
    {
        var outcome = Launcher.Run(["serve", "--dev", "--listen", $"127.0.0.1:{daemon.Server.Address.Port}"]);
        Assert.Equal(125, outcome.ExitCode);
        Assert.Contains("address already in use", outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_development_a_page_with_another_host_name_cannot_reach_the_server()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        Assert.Equal("1\n", (string?)(await client.ExecAsync("print(1)"))["stdout"]);
        client.DefaultRequestHeaders.Host = "evil.example";
        await client.PostAsync("/v1/exec", new { code = "1" }, HttpStatusCode.MisdirectedRequest);
    }

    [Fact]
    public async Task SIGTERM_lets_running_work_end_and_then_the_server_ends_with_0()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        var running = client.ExecAsync("import time; time.sleep(3); print('done')");
        await client.UntilRunningAsync();
        server.Signal(15);
        Assert.Equal("done\n", (string?)(await running)["stdout"]);
        Assert.Equal(0, server.WaitForExit());
        Assert.Contains("Draining", server.Log, StringComparison.Ordinal);
        Assert.Contains("Stopped", server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Those_who_only_look_on_do_not_hold_up_the_end()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        var sandbox = await LiveSandbox.CreateAsync(client);
        var process = await sandbox.StartAsync(new { command = new[] { "sleep", "1000" } });
        using var watching = await client.GetAsync($"{sandbox.Path}/files/watch?path=/tmp", HttpCompletionOption.ResponseHeadersRead);
        using var looking = await client.GetAsync($"{sandbox.Path}/processes/{process["pid"]}/output", HttpCompletionOption.ResponseHeadersRead);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        server.Signal(15);
        Assert.Equal(0, server.WaitForExit());
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"It took {clock.Elapsed}. {server.Log}");
        Assert.DoesNotContain("failed", server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Work_that_outlasts_the_grace_time_is_ended()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_GRACE_SECONDS"] = "0.5" });
        using var client = server.CreateClient();
        var running = client.ExecAsync("import time; time.sleep(30)");
        await client.UntilRunningAsync();
        server.Signal(15);
        Assert.Equal(0, server.WaitForExit());
        await Assert.ThrowsAnyAsync<Exception>(() => running);
    }

    [Fact]
    public async Task After_kill_9_a_new_server_starts_at_once_and_nothing_is_left()
    {
        using var data = new OwnData();
        var settings = new Dictionary<string, string?> { ["RAMET_DATA_DIR"] = data.Path };
        using (var before = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], settings))
        {
            using var client = before.CreateClient();
            await client.ExecAsync("1");
            before.Signal(9);
            before.Process.WaitForExit();
        }

        using var after = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], settings);
        using var second = after.CreateClient();
        Assert.Equal("1\n", (string?)(await second.ExecAsync("print(1)"))["stdout"]);
        // Templates are in one directory with those that other tests are building: these two nobody builds.
        foreach (string name in (string[])["python", "node"]) Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(data.Path, "templates"), $".tmp-{name}-*"));
    }

    [Fact]
    public async Task A_service_manager_is_told_when_the_server_is_ready_and_when_it_stops()
    {
        string path = Path.Combine(Path.GetTempPath(), $"ramet-{Guid.NewGuid():n}");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 30_000 };
        socket.Bind(new UnixDomainSocketEndPoint(path));
        try
        {
            using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["NOTIFY_SOCKET"] = path });
            var buffer = new byte[100];
            int count = await Task.Run(() => socket.Receive(buffer));
            Assert.Equal("READY=1", System.Text.Encoding.ASCII.GetString(buffer, 0, count));
            server.Signal(15);
            count = await Task.Run(() => socket.Receive(buffer));
            Assert.Equal("STOPPING=1", System.Text.Encoding.ASCII.GetString(buffer, 0, count));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void JSON_log_lines_are_objects()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_LOG_LEVEL"] = "debug" });
        Assert.Contains("Ready", server.Log, StringComparison.Ordinal);
        var outcome = Launcher.Run(["serve", "--dev", "--listen", $"127.0.0.1:{daemon.Server.Address.Port}"], new Dictionary<string, string?> { ["RAMET_LOG_FORMAT"] = "json" });
        Assert.True(outcome is { ExitCode: 125, Stderr.Length: > 0 }, $"{outcome}");
        var line = JsonNode.Parse(outcome.Stderr.Split('\n')[0])!;
        Assert.Equal("dev", (string?)line["event"]);
        Assert.Equal("warning", (string?)line["level"]);
    }

    [Fact]
    public async Task The_description_names_every_operation_and_its_types()
    {
        using var client = daemon.Server.CreateClient();
        var api = JsonNode.Parse(await client.GetStringAsync("/openapi.json"))!;
        Assert.StartsWith("3.1", (string?)api["openapi"], StringComparison.Ordinal);
        var exec = api["paths"]!["/v1/exec"]!["post"]!;
        Assert.Equal("exec", (string?)exec["operationId"]);
        Assert.NotNull(exec["security"]);
        var body = api["components"]!["schemas"]!["ExecBody"]!;
        Assert.Equal(["code"], body["required"]!.AsArray().Select(name => (string?)name));
        Assert.NotNull(body["properties"]!["timeout_seconds"]);
        Assert.NotNull(api["components"]!["schemas"]!["Problem"]);
        string page = await client.GetStringAsync("/docs");
        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
    }
}
