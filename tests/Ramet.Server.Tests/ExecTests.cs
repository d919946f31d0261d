using System.Net;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class ExecTests(Daemon daemon)
{
    [Fact]
    public async Task Exec_answers_with_the_fields_of_the_published_interface()
    {
        var answer = await daemon.Http.PostAsync("/v1/exec", new { code = "import sys; print(6 * 7); print('no', file=sys.stderr)", language = "python", timeout_seconds = 30 });
        Assert.Equal("42\n", (string?)answer["stdout"]);
        Assert.Equal("no\n", (string?)answer["stderr"]);
        Assert.Equal("42\nno\n", (string?)answer["output"]);
        Assert.Equal(0, (int)answer["exit_code"]!);
        Assert.True(Guid.TryParse((string?)answer["id"], out _));
        double fork = (double)answer["fork_time_ms"]!, exec = (double)answer["exec_time_ms"]!, total = (double)answer["total_time_ms"]!;
        Assert.True(fork > 0 && exec > 0);
        Assert.Equal(Math.Round(fork + exec, 3), total);
        Assert.Equal(total, (double)answer["duration_ms"]!);
    }

    [Fact]
    public async Task The_exit_code_is_the_programs_and_is_not_an_error_of_the_request()
    {
        var answer = await daemon.Http.ExecAsync("import sys; sys.exit(7)");
        Assert.Equal(7, (int)answer["exit_code"]!);
        Assert.Null(answer["error"]);
    }

    [Fact]
    public async Task An_unknown_language_is_refused_with_those_that_there_are()
    {
        var problem = await daemon.Http.PostAsync("/v1/exec", new { code = "1", language = "pithon" }, HttpStatusCode.BadRequest);
        Assert.Contains("Did you mean 'python'?", (string?)problem["detail"], StringComparison.Ordinal);
        await daemon.Http.PostAsync("/v1/exec", new { code = "1", language = "cobol" }, HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task A_timeout_is_reported_with_what_was_printed_so_far()
    {
        var answer = await daemon.Http.PostAsync("/v1/exec", new { code = "import time\nprint('before', flush=True)\ntime.sleep(60)", timeout_seconds = 2 });
        Assert.True((bool)answer["timed_out"]!);
        Assert.Equal(124, (int)answer["exit_code"]!);
        Assert.Equal("before\n", (string?)answer["stdout"]);
        Assert.Contains("timeout_seconds", (string?)answer["error"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_loop_that_makes_no_system_call_is_ended_by_the_timeout()
    {
        var answer = await daemon.Http.PostAsync("/v1/exec", new { code = "while True: pass", timeout_seconds = 0.3 });
        Assert.True((bool)answer["timed_out"]!);
    }

    [Fact]
    public async Task Input_environment_arguments_and_files_reach_the_program()
    {
        var body = new JsonObject
        {
            ["code"] = "import os, sys\nprint(input(), os.environ['WHO'], sys.argv[1:], open('data/a.txt').read(), open('/tmp/b.bin', 'rb').read())",
            ["stdin"] = "från stdin\n",
            ["env"] = new JsonObject { ["WHO"] = "me" },
            ["args"] = new JsonArray("x", "y z"),
            ["files"] = new JsonObject { ["data/a.txt"] = "text ö", ["/tmp/b.bin"] = new JsonObject { ["base64"] = Convert.ToBase64String([0, 255, 10]) } },
        };
        var answer = await daemon.Http.PostAsync("/v1/exec", body.ToJsonString());
        Assert.Equal("från stdin me ['x', 'y z'] text ö b'\\x00\\xff\\n'\n", (string?)answer["stdout"]);
    }

    [Fact]
    public async Task Nothing_of_a_run_is_seen_by_the_next()
    {
        await daemon.Http.PostAsync("/v1/exec", new { code = "import os; os.environ['S'] = 'secret'; open('/root/left', 'w').write('x'); S = 1", files = new Dictionary<string, string> { ["other"] = "y" } });
        var answer = await daemon.Http.ExecAsync("import os; print([n for n in os.listdir('/root') if n[0] != '.'], 'S' in os.environ, 'S' in globals())");
        Assert.Equal("[] False False\n", (string?)answer["stdout"]);
    }

    [Fact]
    public async Task The_memory_limit_ends_the_program_and_says_so()
    {
        var answer = await daemon.Http.PostAsync("/v1/exec", new { code = "x = b'1' * (300 << 20)", memory_mb = 128 });
        Assert.NotEqual(0, (int)answer["exit_code"]!);
    }

    [Fact]
    public async Task Output_that_is_not_text_comes_in_base64_as_well()
    {
        var answer = await daemon.Http.ExecAsync("import sys; sys.stdout.buffer.write(bytes([255, 0, 10]))");
        Assert.Equal(Convert.ToBase64String([255, 0, 10]), (string?)answer["stdout_base64"]);
    }

    [Fact]
    public async Task A_batch_gives_results_in_order_and_each_item_has_a_fork_of_its_own()
    {
        var executions = Enumerable.Range(0, 20).Select(i => new { code = $"import os, time\ntime.sleep({(20 - i) * 0.005})\nopen('/root/mine', 'x')\nprint({i}, len([n for n in os.listdir('/root') if n[0] != '.']))" });
        var answer = await daemon.Http.PostAsync("/v1/exec/batch", new { executions });
        var results = answer["results"]!.AsArray();
        Assert.Equal(20, results.Count);
        for (int i = 0; i < 20; i++) Assert.Equal($"{i} 1\n", (string?)results[i]!["stdout"]);
    }

    [Fact]
    public async Task A_batch_with_a_wrong_item_is_refused_and_the_item_named()
    {
        var problem = await daemon.Http.PostAsync("/v1/exec/batch", """{"executions":[{"code":"1"},{"code":"1","memory_mb":1}]}""", HttpStatusCode.BadRequest);
        Assert.Contains("executions[1].memory_mb", (string?)problem["detail"], StringComparison.Ordinal);
        await daemon.Http.PostAsync("/v1/exec/batch", new { executions = Array.Empty<object>() }, HttpStatusCode.BadRequest);
        await daemon.Http.PostAsync("/v1/exec/batch", new { executions = Enumerable.Repeat(new { code = "1" }, 101) }, HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Many_clients_at_once_get_their_own_answers()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => daemon.Http.ExecAsync($"print({i} * {i})")));
        for (int i = 0; i < answers.Length; i++) Assert.Equal($"{i * i}\n", (string?)answers[i]["stdout"]);
    }

    [Fact]
    public async Task Health_needs_no_key_and_names_templates()
    {
        using var client = daemon.Server.CreateClient();
        var health = JsonNode.Parse(await client.GetStringAsync("/v1/health"))!;
        Assert.Equal("ok", (string?)health["status"]);
        Assert.True((bool)health["templates"]!["python"]!["ready"]!);
    }

    [Fact]
    public async Task Metrics_count_what_was_run()
    {
        await daemon.Http.ExecAsync("1");
        string text = await daemon.Http.GetStringAsync("/v1/metrics");
        Assert.Matches("""(?m)^ramet_execs_total\{template="python",outcome="exited"\} [1-9]""", text);
        Assert.Matches("(?m)^ramet_total_seconds_bucket\\{le=\"\\+Inf\"\\} [1-9]", text);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries)) Assert.Matches("^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\\{.*\\})? [-+0-9.eE]+)$", line);
    }

    [Fact]
    public async Task Output_of_an_exec_is_streamed_as_it_is_printed()
    {
        foreach (bool raw in (bool[])[false, true])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, raw ? "/v1/exec?output=base64" : "/v1/exec")
            {
                Content = Http.Body("""{"code":"import sys, time\nfor i in range(3):\n    print('é', i, flush=True)\n    time.sleep(0.2)\nprint('e', file=sys.stderr)\nsys.exit(3)"}"""),
            };
            request.Headers.Accept.ParseAdd("text/event-stream");
            using var response = await daemon.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            var events = await Events.ReadAsync(response);
            Assert.True(events.Count(one => one.Name == "stdout") >= 3);
            string Text(string name) => string.Concat(events.Where(one => one.Name == name).Select(one =>
                raw ? System.Text.Encoding.UTF8.GetString(Convert.FromBase64String((string)one.Data["base64"]!)) : (string?)one.Data["text"]));
            Assert.Equal("é 0\né 1\né 2\n", Text("stdout"));
            Assert.Equal("e\n", Text("stderr"));
            Assert.Equal("end", events[^1].Name);
            Assert.Equal(3, (int)events[^1].Data["exit_code"]!);
            Assert.True((double)events[^1].Data["fork_time_ms"]! > 0);
        }
    }
}
