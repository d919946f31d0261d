using System.Net;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class TemplateTests(Daemon daemon)
{
    [Theory]
    [InlineData("node")]
    [InlineData("javascript")]
    [InlineData("JS")]
    public async Task A_server_that_was_told_nothing_of_templates_runs_JavaScript(string language)
    {
        var answer = await daemon.Http.PostAsync("/v1/exec", new { code = "console.log(1 + 1)", language });
        Assert.Equal("2\n", (string?)answer["stdout"]);
        var health = await daemon.Http.GetAsync("/v1/health");
        var templates = (await Http.ReadAsync(health, HttpStatusCode.OK))["templates"]!;
        Assert.Equal("node", (string?)templates["node"]!["language"]);
        Assert.Equal("python", (string?)templates["python"]!["language"]);
    }

    [Fact]
    public async Task A_template_that_is_built_while_the_server_runs_is_loaded_when_it_is_first_used()
    {
        string name = "late-" + Guid.NewGuid().ToString("n")[..8];
        string script = Path.GetTempFileName();
        try
        {
            var unknown = await daemon.Http.PostAsync("/v1/exec", new { code = "1", template = name }, HttpStatusCode.BadRequest);
            Assert.Contains("Templates: python, node", (string?)unknown["detail"], StringComparison.Ordinal);
            File.WriteAllText(script, "value = 40");
            Assert.Equal(0, Launcher.Run(["template", "build", name, "--from", "python", "--script", script]).ExitCode);
            // Several at once, of which the first has it loaded.
            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(n => daemon.Http.PostAsync("/v1/exec", new { code = $"print(value + {n})", template = name })));
            Assert.Equal(["40\n", "41\n", "42\n", "43\n"], answers.Select(answer => (string?)answer["stdout"]));
            await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { template = name });
            Assert.Equal("40", (string?)(await sandbox.RunAsync("value"))["value"]);
            using var list = await daemon.Http.GetAsync("/v1/templates");
            Assert.Contains((await Http.ReadAsync(list, HttpStatusCode.OK))["templates"]!.AsArray(), template => (string?)template!["name"] == name && (string?)template["language"] == "python");
            // The language is that of the template, and the template of a language stays the built-in one.
            await daemon.Http.PostAsync("/v1/exec", new { code = "1", template = name, language = "node" }, HttpStatusCode.BadRequest);
            Assert.Contains("NameError", (string?)(await daemon.Http.PostAsync("/v1/exec", new { code = "value", language = "python" }))["stderr"], StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(script);
            Launcher.Run(["template", "rm", name]);
        }
    }

    [Fact]
    public async Task A_template_of_a_key_goes_by_its_name_in_answers_and_by_none_in_metrics()
    {
        string name = "own-" + Guid.NewGuid().ToString("n")[..8];
        await using var source = await LiveSandbox.CreateAsync(daemon.Http);
        await source.RunAsync("value = 40");
        await daemon.Http.PostAsync("/v1/templates", new { name, sandbox = source.Id }, HttpStatusCode.Created);
        try
        {
            Assert.Equal("40\n", (string?)(await daemon.Http.PostAsync("/v1/exec", new { code = "print(value)", template = name }))["stdout"]);
            string metrics = await daemon.Http.GetStringAsync("/v1/metrics");
            Assert.DoesNotContain(name, metrics, StringComparison.Ordinal);
            Assert.Contains("ramet_execs_total{template=\"own\",outcome=\"exited\"}", metrics, StringComparison.Ordinal);

            await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { template = name });
            await daemon.Http.PostAsync($"{sandbox.Path}/checkpoints", new { name = "mark" }, HttpStatusCode.Created);
            string snapshot = (string)(await daemon.Http.PostAsync($"{sandbox.Path}/snapshots", "{}", HttpStatusCode.Created))["id"]!;
            var child = (await daemon.Http.PostAsync($"{sandbox.Path}/fork", "{}", HttpStatusCode.Created))["sandboxes"]![0]!;
            var made = await daemon.Http.PostAsync("/v1/sandboxes", new { snapshot }, HttpStatusCode.Created);
            await using var ends = new LiveSandbox(daemon.Http, (string)child["id"]!);
            await using var endsToo = new LiveSandbox(daemon.Http, (string)made["id"]!);
            var answers = new List<JsonNode> { child, made, await daemon.Http.PostAsync($"{sandbox.Path}/rewind", new { checkpoint = "mark" }) };
            // Also of one that is as asked for already.
            foreach (string what in (string[])["pause", "pause", "patch", "resume", "resume", "patch"])
            {
                using var body = Http.Body("{\"timeout_seconds\":600}");
                if (what == "patch") answers.Add(await Http.ReadAsync(await daemon.Http.PatchAsync(sandbox.Path, body), HttpStatusCode.OK));
                else answers.Add(await daemon.Http.PostAsync($"{sandbox.Path}/{what}", "{}"));
            }

            Assert.All(answers, answer => Assert.Equal(name, (string?)answer["template"]));
            using var removed = await daemon.Http.DeleteAsync($"/v1/snapshots/{snapshot}");
        }
        finally
        {
            using var removed = await daemon.Http.DeleteAsync($"/v1/templates/{name}");
        }
    }

    [Fact]
    public async Task A_server_for_one_template_loads_the_other_when_it_is_used()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_TEMPLATES"] = "python" });
        using var client = server.CreateClient();
        var templates = JsonNode.Parse(await client.GetStringAsync("/v1/health"))!["templates"]!;
        Assert.Null(templates["node"]);
        Assert.Equal("1\n", (string?)(await client.PostAsync("/v1/exec", new { code = "console.log(1)", language = "node" }))["stdout"]);
    }

    [Fact]
    public async Task The_memory_of_a_template_goes_with_it()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        await using var sandbox = await LiveSandbox.CreateAsync(client);
        await sandbox.RunAsync("kept = 1");
        await UseAsync();
        int before = CountMemoryFiles();
        for (int i = 0; i < 4; i++) await UseAsync();
        Assert.Equal(before, CountMemoryFiles());

        async Task UseAsync()
        {
            await client.PostAsync("/v1/templates", new { name = "own", sandbox = sandbox.Id }, HttpStatusCode.Created);
            Assert.Equal("1\n", (string?)(await client.PostAsync("/v1/exec", new { code = "print(kept)", template = "own" }))["stdout"]);
            using var deleted = await client.DeleteAsync("/v1/templates/own");
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }

        int CountMemoryFiles() =>
            Directory.EnumerateFileSystemEntries($"/proc/{server.Process.Id}/fd").Count(path => new FileInfo(path).LinkTarget?.StartsWith("/memfd:", StringComparison.Ordinal) == true);
    }
}
