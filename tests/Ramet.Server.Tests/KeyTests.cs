using System.Net;

namespace Ramet.Server.Tests;

public sealed class KeyTests(Daemon daemon)
{
    [Fact]
    public async Task Without_a_key_or_with_a_wrong_one_nothing_is_run()
    {
        using var nobody = daemon.Server.CreateClient();
        var problem = await nobody.PostAsync("/v1/exec", new { code = "1" }, HttpStatusCode.Unauthorized);
        Assert.Contains("ramet key create", (string?)problem["detail"], StringComparison.Ordinal);
        using var stranger = daemon.Server.CreateClient("rmt_live_" + new string('x', 40));
        await stranger.PostAsync("/v1/exec", new { code = "1" }, HttpStatusCode.Unauthorized);
        using var metrics = await nobody.GetAsync("/v1/metrics");
        await Http.ReadAsync(metrics, HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task X_API_Key_does_as_well()
    {
        using var client = daemon.Server.CreateClient();
        client.DefaultRequestHeaders.Add("X-API-Key", daemon.Key);
        Assert.Equal("1\n", (string?)(await client.ExecAsync("print(1)"))["stdout"]);
    }

    [Fact]
    public async Task A_revoked_key_is_refused_within_two_seconds()
    {
        string key = Launcher.Run(["key", "create", "--name", "short", "--keys-file", daemon.KeysFile]).Stdout.Trim();
        using var client = daemon.Server.CreateClient(key);
        await EventuallyAsync(client, HttpStatusCode.OK);
        Assert.Equal(0, Launcher.Run(["key", "revoke", "short", "--keys-file", daemon.KeysFile]).ExitCode);
        await EventuallyAsync(client, HttpStatusCode.Unauthorized);
        Assert.Contains("revoked", Launcher.Run(["key", "ls", "--keys-file", daemon.KeysFile]).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_allows_what_its_scopes_say_and_no_more()
    {
        string key = Launcher.Run(["key", "create", "--scopes", "metrics", "--keys-file", daemon.KeysFile]).Stdout.Trim();
        using var client = daemon.Server.CreateClient(key);
        for (int tries = 0; tries < 40; tries++)
        {
            using var probe = await client.GetAsync("/v1/metrics");
            if (probe.StatusCode == HttpStatusCode.OK) break;
            await Task.Delay(50);
        }

        var problem = await client.PostAsync("/v1/exec", new { code = "1" }, HttpStatusCode.Forbidden);
        Assert.Contains("'exec'", (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_of_keys_holds_no_key_and_only_its_owner_can_read_it()
    {
        Assert.StartsWith("rmt_live_", daemon.Key, StringComparison.Ordinal);
        string text = File.ReadAllText(daemon.KeysFile);
        Assert.DoesNotContain(daemon.Key[9..], text, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(daemon.KeysFile));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("{\"version\":1,\"keys\":[{}]}")]
    [InlineData("{\"version\":2,\"keys\":[]}")]
    public async Task Without_usable_keys_the_server_is_closed(string? content)
    {
        string path = Path.Combine(Path.GetTempPath(), $"ramet-keys-{Guid.NewGuid():n}.json");
        try
        {
            if (content is not null) await File.WriteAllTextAsync(path, content);
            using var server = new RunningServer(["--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_KEYS_FILE"] = path, ["RAMET_LOG_AUDIT_FILE"] = "off" });
            Assert.Contains("Closed", server.Log, StringComparison.Ordinal);
            using var client = server.CreateClient(daemon.Key);
            var problem = await client.PostAsync("/v1/exec", new { code = "1" }, HttpStatusCode.Unauthorized);
            Assert.Contains("closed", (string?)problem["detail"], StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task Rate_and_concurrency_of_a_key_are_limited()
    {
        // Three requests in all: in the time of this test no further one is earned.
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_KEYS_RATE_PER_SECOND"] = "0.001", ["RAMET_KEYS_BURST"] = "3", ["RAMET_KEYS_CONCURRENCY"] = "2" });
        using var client = server.CreateClient();
        // Begun streams are under way until they are left.
        using (await BeginAsync(client))
        using (await BeginAsync(client))
        {
            Assert.Equal("keys.concurrency", await TryAsync(client));
        }

        // What is refused for what is under way has cost nothing.
        string? refused = null;
        await Waiting.UntilAsync(async () => (refused = await TryAsync(client)) != "keys.concurrency");
        Assert.Null(refused);
        Assert.Equal("keys.rate_per_second", await TryAsync(client));
    }

    [Fact]
    public async Task The_audit_log_says_who_did_what()
    {
        await daemon.Http.ExecAsync("1");
        using (var nobody = daemon.Server.CreateClient()) await nobody.PostAsync("/v1/exec", new { code = "1" }, HttpStatusCode.Unauthorized);
        for (int tries = 0; tries < 100; tries++)
        {
            var lines = daemon.ReadAudit();
            if (lines.Any(line => (int)line["status"]! == 401) && lines.Any(line => (int)line["status"]! == 200 && ((string?)line["key"])?.StartsWith("key_", StringComparison.Ordinal) == true)) return;
            await Task.Delay(50);
        }

        Assert.Fail("The audit log lacks the requests.");
    }

    [Fact]
    public async Task Two_servers_can_write_one_audit_log()
    {
        using var other = new RunningServer(["--listen", "127.0.0.1:0"], daemon.Settings);
        using var second = other.CreateClient(daemon.Key);
        string[] paths = [.. Enumerable.Range(0, 1000).Select(number => $"/v1/sandboxes/sb_audit{number}")];
        await Parallel.ForAsync(0, paths.Length, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (number, stop) =>
        {
            using var response = await (number % 2 == 0 ? daemon.Http : second).GetAsync(new Uri(paths[number], UriKind.Relative), stop);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        });
        for (int tries = 0; ; tries++)
        {
            string[] written = [.. daemon.ReadAudit().Select(line => (string)line["path"]!).Where(path => path.StartsWith("/v1/sandboxes/sb_audit", StringComparison.Ordinal))];
            if (written.Length < paths.Length && tries < 100)
            {
                await Task.Delay(50);
                continue;
            }

            Assert.Equal(paths.Order(StringComparer.Ordinal), written.Order(StringComparer.Ordinal));
            return;
        }
    }

    /// <summary>Begins code that runs for long: the answer begins with its output.</summary>
    private static async Task<HttpResponseMessage> BeginAsync(HttpClient client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/exec") { Content = Http.Body("""{"code":"import time; print('begun', flush=True); time.sleep(1000)","timeout_seconds":300}""") };
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    /// <summary>Runs code. Null: it was let in; else the limit for which it was refused.</summary>
    private static async Task<string?> TryAsync(HttpClient client)
    {
        using var response = await client.PostAsync("/v1/exec", Http.Body("""{"code":"1"}"""));
        if (response.StatusCode == HttpStatusCode.OK) return null;
        string detail = (string)(await Http.ReadAsync(response, HttpStatusCode.TooManyRequests))["detail"]!;
        Assert.NotNull(response.Headers.RetryAfter);
        return Assert.Single((string[])["keys.concurrency", "keys.rate_per_second"], limit => detail.Contains(limit, StringComparison.Ordinal));
    }

    private static async Task EventuallyAsync(HttpClient client, HttpStatusCode expected)
    {
        for (int tries = 0; tries < 40; tries++)
        {
            using var response = await client.PostAsync("/v1/exec", Http.Body("""{"code":"1"}"""));
            if (response.StatusCode == expected) return;
            await Task.Delay(50);
        }

        Assert.Fail($"The key did not get {expected}.");
    }
}
