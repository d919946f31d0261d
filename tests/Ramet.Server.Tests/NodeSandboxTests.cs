using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class NodeSandboxTests(Daemon daemon)
{
    [Fact]
    public async Task Names_stay_and_the_last_expression_is_the_value_with_its_forms()
    {
        await using var sandbox = await CreateAsync();
        var first = await sandbox.RunAsync("const a = 40; console.log('hi'); ({ sum: a + 2, list: [1, null] })");
        Assert.Equal("hi\n", (string?)first["stdout"]);
        Assert.Equal("{ sum: 42, list: [ 1, null ] }", (string?)first["value"]);
        var form = Assert.Single(first["results"]!.AsArray())!;
        Assert.Equal("""{"sum":42,"list":[1,null]}""", form["application/json"]!.ToJsonString());
        // Awaited at the top level, and declared again.
        Assert.Equal("41", (string?)(await sandbox.RunAsync("const a = await Promise.resolve(41); a"))["value"]);
        Assert.Equal("42", (string?)(await sandbox.RunAsync("import { readFileSync as read } from 'node:fs'; a + (read('/etc/passwd').length > 0 ? 1 : 0)"))["value"]);
        var image = await sandbox.RunAsync("Buffer.from('89504e470d0a1a0a00', 'hex')");
        Assert.Equal("iVBORw0KGgoA", (string?)image["results"]![0]!["image/png"]);
    }

    [Fact]
    public async Task An_exception_is_told_by_its_name_message_and_stack_and_ends_nothing()
    {
        await using var sandbox = await CreateAsync();
        var failed = await sandbox.RunAsync("var kept = 1;\nfunction f() { throw new TypeError('no') }\nf()");
        Assert.Equal(1, (int)failed["exit_code"]!);
        Assert.Equal("TypeError", (string?)failed["exception"]!["type"]);
        Assert.Equal("no", (string?)failed["exception"]!["text"]);
        Assert.Contains("at f ([eval]:2:22)\n    at [eval]:3:1", (string?)failed["exception"]!["stack"], StringComparison.Ordinal);
        Assert.Contains("TypeError: no", (string?)failed["stderr"], StringComparison.Ordinal);
        Assert.Equal("1", (string?)(await sandbox.RunAsync("kept"))["value"]);
    }

    [Theory]
    [InlineData("for (;;);")]
    [InlineData("await new Promise(() => {})")]
    [InlineData("await new Promise((r) => setTimeout(r, 5)); for (;;);")]
    [InlineData("for (;;) await null")]
    [InlineData("setImmediate(() => { for (;;); }); await new Promise(() => {})")]
    public async Task A_run_whose_time_is_over_is_interrupted_and_state_is_kept(string code)
    {
        await using var sandbox = await CreateAsync();
        await sandbox.RunAsync("const kept = 'yes'");
        for (int round = 0; round < 2; round++)
        {
            var late = await daemon.Http.PostAsync($"{sandbox.Path}/run", new { code = "console.log('so far'); " + code, timeout_seconds = 1.2 });
            Assert.True((bool)late["timed_out"]!);
            Assert.Equal(124, (int)late["exit_code"]!);
            Assert.Equal("so far\n", (string?)late["stdout"]);
            Assert.Equal("'yes'", (string?)(await sandbox.RunAsync("kept"))["value"]);
        }
    }

    [Fact]
    public async Task A_caller_who_vanishes_interrupts_his_code()
    {
        await using var sandbox = await CreateAsync();
        await sandbox.RunAsync("let kept = 5");
        using var gone = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{sandbox.Path}/run") { Content = Http.Body("""{"code":"console.log(1); for (;;);","timeout_seconds":600}""") };
        request.Headers.Accept.ParseAdd("text/event-stream");
        using (var response = await daemon.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, gone.Token))
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            Assert.Equal("event: stdout", await reader.ReadLineAsync());
        }

        Assert.Equal("5", (string?)(await sandbox.RunAsync("kept"))["value"]);
    }

    private Task<LiveSandbox> CreateAsync() => LiveSandbox.CreateAsync(daemon.Http, new JsonObject { ["language"] = "node" });
}
