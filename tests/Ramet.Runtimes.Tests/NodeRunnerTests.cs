using System.Globalization;
using Xunit;

namespace Ramet.Runtimes.Tests;

/// <summary>The warm template of Node.js, in sandboxes.</summary>
public class NodeTemplateTests(RametCli ramet)
{
    [Theory]
    [InlineData("console.log(1+1)", "2\n", 0)]
    [InlineData("console.log([1, { a: 'b' }], new Map([[1, 2]])); console.log('%s-%d', 'x', 5)", "[ 1, { a: 'b' } ] Map(1) { 1 => 2 }\nx-5\n", 0)]
    [InlineData("process.exit(3)", "", 3)]
    [InlineData("process.exitCode = 4; process.on('exit', (code) => console.log('bye', code))", "bye 4\n", 4)]
    [InlineData("setTimeout(() => console.log('later'), 20); console.log('now')", "now\nlater\n", 0)]
    [InlineData("const x = await new Promise((r) => setTimeout(r, 5, 7)); console.log(x)", "7\n", 0)]
    [InlineData("import os, { EOL } from 'os'; import * as p from 'node:path'; console.log(os.EOL === EOL, p.sep, await import('fs') === fs)", "true / false\n", 0)]
    [InlineData("console.log(path.join('a', 'b'), typeof require('fs').statSync, __filename, module.exports === exports, require.main)", "a/b function [eval] true undefined\n", 0)]
    [InlineData("import('node:fs').then((fs) => console.log(typeof fs.readFileSync))", "function\n", 0)]
    [InlineData("process.on('uncaughtException', (e) => console.log('caught', e.message)); setTimeout(() => { throw new Error('t') }, 1)", "caught t\n", 0)]
    [InlineData("process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 60_000)", "", 143)]
    [InlineData("console.log(require('child_process').execSync('echo child; exec node -p 6*7').toString())", "child\n42\n\n", 0)]
    [InlineData("fs.writeFileSync('/tmp/f', 'text'); fs.promises.readFile('/tmp/f', 'utf8').then(console.log)", "text\n", 0)]
    [InlineData("const { Worker } = worker_threads; new Worker('require(\"worker_threads\").parentPort.postMessage(5)', { eval: true }).on('message', console.log)", "5\n", 0)]
    [InlineData("const s = http.createServer((q, r) => r.end('served')).listen(0, async () => { console.log(await (await fetch('http://localhost:' + s.address().port)).text()); s.close(); s.closeAllConnections() })", "served\n", 0)]
    [InlineData("console.log(process.argv.length, process.execArgv.length, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000, 'RAMET_CHANNEL' in process.env)", "1 0 true false\n", 0)]
    [InlineData("let s = 0; for (let i = 0; i < 3e6; i++) s = (s + i * i) % 1000003; console.log(s)", "999718\n", 0)]
    [InlineData("const all = []; for (let i = 0; i < 5e5; i++) all.push({ i, s: 'x' + i }); console.log(all.length, all[99].s)", "500000 x99\n", 0)]
    [InlineData("process.stdin.on('data', () => {}).on('end', () => console.log('end of input'))", "end of input\n", 0)]
    public void Code_runs_as_under_node(string code, string output, int exitCode) =>
        Assert.Equal(new Outcome(exitCode, output, ""), ramet.Exec("node", code));

    [Theory]
    [InlineData("\nthrow new TypeError('oops')", "[eval]:2\nthrow new TypeError('oops')\n^\n\nTypeError: oops\n    at [eval]:2:7\n")]
    [InlineData("const x = 1;\n  await null; null.f", "[eval]:2\n  await null; null.f\n                   ^\n\nTypeError: Cannot read properties of null (reading 'f')\n    at [eval]:2:20\n")]
    [InlineData("Promise.reject(new Error('later'))", "[eval]:1\nPromise.reject(new Error('later'))\n               ^\n\nError: later\n    at [eval]:1:16\n")]
    [InlineData("let a = ;", "[eval]:1\nlet a = ;\n        ^\n\nSyntaxError: Unexpected token ';'\n")]
    [InlineData("await new Promise(() => {})", "Warning: Detected unsettled top-level await\n")]
    public void An_uncaught_exception_is_told_with_its_place(string code, string error)
    {
        var outcome = ramet.Exec("node", code);
        Assert.StartsWith(error, outcome.Error, StringComparison.Ordinal);
        Assert.Equal(code.Contains("=> {}", StringComparison.Ordinal) ? 13 : 1, outcome.ExitCode);
    }

    [Fact]
    public void Forks_share_no_random_numbers()
    {
        const string Code = """
            const { Worker } = require('worker_threads');
            console.log(Math.random());
            console.log(crypto.randomBytes(8).toString('hex'));
            console.log(crypto.randomUUID());
            console.log(crypto.webcrypto.getRandomValues(new Uint32Array(2)).join());
            crypto.randomBytes(8, (_, bytes) => console.log(bytes.toString('hex')));
            new Worker("console.log(Math.random()); console.log(require('crypto').randomBytes(8).toString('hex'))", { eval: true });
            """;
        string[] first = ramet.Exec("node", Code).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] second = ramet.Exec("node", Code).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(7, first.Length);
        Assert.Equal(7, second.Length);
        Assert.Empty(first.Intersect(second));
    }

    [Fact]
    public void Math_random_is_uniform_and_looks_native()
    {
        const string Code = """
            let sum = 0, low = 1, high = 0; const counts = Array(16).fill(0);
            for (let i = 0; i < 160_000; i++) { const x = Math.random(); sum += x; low = Math.min(low, x); high = Math.max(high, x); counts[Math.floor(x * 16)]++; }
            console.log(Math.abs(sum / 160_000 - 0.5) < 0.01, low >= 0, high < 1, counts.every((n) => n > 9_000 && n < 11_000), Math.random.name, /native code/.test(Math.random));
            """;
        Assert.Equal("true true true true random true\n", ramet.Exec("node", Code).Output);
    }

    [Fact]
    public void A_file_has_its_arguments_and_its_name()
    {
        string file = Path.Combine(Path.GetTempPath(), $"ramet-{Guid.NewGuid():n}.mjs");
        File.WriteAllText(file, """
            import { basename } from 'node:path';
            export const one = 1, [two, three = 3] = [2];
            export default function sum() { return one + two + three; }
            export class K { static s = 4; }
            var nothing;
            for (const i of [5]) { const r = await i; console.log(r); }
            console.log(sum(), K.s, nothing, basename(import.meta.filename) === basename(process.argv[1]), process.argv.slice(2));
            throw new Error('line 8');
            """);
        var outcome = ramet.Exec("node", "--flag", "-f", file);
        File.Delete(file);
        Assert.Equal("5\n6 4 undefined true [ '--flag' ]\n", outcome.Output);
        Assert.StartsWith($"{file}:8\n", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(1, outcome.ExitCode);
    }

    [Fact]
    public void The_first_output_needs_few_exits()
    {
        var outcome = ramet.Exec("node", "console.log(1+1)", "--stats");
        string line = outcome.Error.Split('\n').Single(line => line.StartsWith("  exits ", StringComparison.Ordinal));
        int exits = int.Parse(line.AsSpan("  exits ".Length), NumberStyles.Integer, CultureInfo.InvariantCulture);
        // The check of OpenSSL's process id and its entropy, the output, the reply, and a few in reserve for V8's threads.
        Assert.InRange(exits, 2, 20);
    }
}

/// <summary>Sessions of the Node.js runner, as a process of this machine.</summary>
public class NodeRunnerTests
{
    [Fact]
    public void Names_stay_defined_between_the_requests_of_a_session()
    {
        using var runner = Start();
        Assert.StartsWith("v", "v" + runner.Ready.GetProperty("node").GetString(), StringComparison.Ordinal);
        Assert.Null(Run(runner, "const a = 1; let b = 2; class C { get d() { return a + b; } } function f() { return new C().d; } var v = 9"));
        Assert.Equal("3", Run(runner, "f()"));
        Assert.Equal("10", Run(runner, "b = 10"));
        Assert.Equal("[ 11, 9 ]", Run(runner, "[f(), v]"));
        // Sandboxes have the parser for these; this machine need not.
        if (!runner.Ready.GetProperty("modules").GetBoolean()) return;
        Assert.Equal("5", Run(runner, "const waited = await Promise.resolve(5); function g() { return waited } g()"));
        Assert.Equal("6", Run(runner, "g() + 1"));
        Assert.Null(Run(runner, "import { join as j } from 'node:path'"));
        Assert.Equal("'a/b'", Run(runner, "j('a', 'b')"));
    }

    [Fact]
    public void A_failed_request_leaves_the_session_usable_and_exit_ends_it()
    {
        using var runner = Start();
        foreach (string code in new[] { "let kept = 1; throw new Error('one')", "(() => { throw new Error('two') })()", "let = ;" })
        {
            runner.Send(code, PythonRunner.Session);
            Assert.Equal(1, runner.Receive().ExitCode);
        }

        Assert.Equal("1", Run(runner, "kept"));
        // Not of any request.
        RunUntilTold(runner, tell => $"setTimeout(() => {{ {tell}; throw new Error('three') }}, 1); undefined");
        runner.Send("process.exit(7)", PythonRunner.Session);
        Assert.Equal(7, runner.Receive().ExitCode);
        var outcome = runner.Finish();
        Assert.Equal(7, outcome.ExitCode);
        foreach (string word in new[] { "Error: one", "Error: two", "SyntaxError", "Error: three" }) Assert.Contains(word, outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("for (;;);")]
    [InlineData("try { for (;;); } catch { } finally { for (;;); }")]
    [InlineData("(async () => { await null; for (;;); })(); 1; for (;;);")]
    [InlineData("await new Promise(() => {})")]
    [InlineData("await new Promise((r) => setTimeout(r, 5)); for (;;);")]
    [InlineData("await null; for (;;);")]
    [InlineData("for (;;) await null")]
    [InlineData("await new Promise((r) => setTimeout(() => { for (;;); }, 1))")]
    [InlineData("await new Promise((r) => setImmediate(() => process.nextTick(() => { for (;;); })))")]
    [InlineData("await new Promise((r) => fs.readFile('/etc/passwd', () => { for (;;); }))")]
    [InlineData("/(x+x+)+y/.test('x'.repeat(50))")]
    public void What_never_ends_is_interrupted_and_state_is_kept(string code)
    {
        using var runner = Start();
        Assert.SkipUnless(runner.Ready.GetProperty("modules").GetBoolean() || !code.Contains("await", StringComparison.Ordinal), "node has no parser for await on this machine; this is tested in sandboxes alone");
        Assert.Null(Run(runner, "const kept = { n: 1 }"));
        // Twice: what interrupts is as it was before.
        for (int round = 1; round <= 2; round++)
        {
            runner.Send(code, PythonRunner.Session | PythonRunner.Value);
            Thread.Sleep(150);
            var (exitCode, details) = runner.Interrupt();
            Assert.Equal(130, exitCode);
            Assert.Equal("Interruption", details!.RootElement.GetProperty("exception").GetProperty("type").GetString());
            Assert.Equal($"{{ n: {round + 1} }}", Run(runner, "kept.n++; kept"));
            RunUntilTold(runner, tell => $"setTimeout(() => {{ kept.later = true; {tell} }}, 1); undefined");
            Assert.Equal("true", Run(runner, "kept.later"));
            Assert.Equal("true", Run(runner, "delete kept.later"));
        }
    }

    [Fact]
    public void The_value_has_the_forms_that_it_offers()
    {
        using var runner = Start();
        var data = Results(runner, "({ a: [1, 'b', null], c: { d: true } })");
        Assert.Equal("{ a: [ 1, 'b', null ], c: { d: true } }", data.GetProperty("text/plain").GetString());
        Assert.Equal("{\"a\":[1,\"b\",null],\"c\":{\"d\":true}}", data.GetProperty("application/json").GetRawText());
        Assert.Equal("[1]", Results(runner, "[1]").GetProperty("application/json").GetRawText());
        Assert.Equal("\"1970-01-01T00:00:00.000Z\"", Results(runner, "new Date(0)").GetProperty("application/json").GetRawText());
        foreach (string code in new[] { "var ring = {}; ring.ring = ring; ring", "new Map([[1, 2]])", "[1n]", "(x) => x", "5", "Object.create(null, { a: { get() { throw 1 }, enumerable: true } })" })
            Assert.False(Results(runner, code).TryGetProperty("application/json", out _), code);
        Assert.Equal("<b>x</b>", Results(runner, "({ _toHtml: () => '<b>x</b>' })").GetProperty("text/html").GetString());
        Assert.Equal("# x", Results(runner, "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/markdown': '# x' }) })").GetProperty("text/markdown").GetString());
        Assert.Equal("iVBORw0KGgo=", Results(runner, "({ _toPng: () => Buffer.from('89504e470d0a1a0a', 'hex') })").GetProperty("image/png").GetString());
        Assert.Equal("iVBORw0KGgoB", Results(runner, "new Uint8Array([0x89, 80, 78, 71, 13, 10, 26, 10, 1])").GetProperty("image/png").GetString());
        Assert.Equal("{ _toHtml: [Function: _toHtml] }", Results(runner, "({ _toHtml() { throw new Error() } })").GetProperty("text/plain").GetString());
    }

    [Theory]
    [InlineData("throw new TypeError('no')", "TypeError", "no", "TypeError: no\n    at [eval]:1:7")]
    [InlineData("\n\nfunction f() { null.x }\nf()", "TypeError", "Cannot read properties of null (reading 'x')", "at f ([eval]:3:21)\n    at [eval]:4:1")]
    [InlineData("throw 'text'", "String", "text", null)]
    [InlineData("throw { a: 1 }", "Object", "{ a: 1 }", null)]
    [InlineData("throw null", "null", "null", null)]
    [InlineData("throw { get constructor() { throw 1 } }", "object", "", null)]
    [InlineData("let = ;", "SyntaxError", "Unexpected token ';'", null)]
    [InlineData("await Promise.reject(new RangeError('r'))", "RangeError", "r", "at [eval]:1:31")]
    [InlineData("({ [util.inspect.custom]() { throw new Error('shy') } })", "Error", "shy", null)]
    public void An_exception_is_told_by_its_name_message_and_stack(string code, string type, string text, string? stack)
    {
        using var runner = Start();
        Assert.SkipUnless(runner.Ready.GetProperty("modules").GetBoolean() || !code.Contains("await", StringComparison.Ordinal), "node has no parser for await on this machine; this is tested in sandboxes alone");
        runner.Send(code, PythonRunner.Session | PythonRunner.Value);
        var (exitCode, details) = runner.Receive();
        Assert.Equal(1, exitCode);
        var exception = details!.RootElement.GetProperty("exception");
        Assert.Equal(type, exception.GetProperty("type").GetString());
        Assert.Equal(text, exception.GetProperty("text").GetString());
        if (stack is not null)
        {
            string told = exception.GetProperty("stack").GetString()!;
            Assert.Contains(stack, told, StringComparison.Ordinal);
            Assert.DoesNotContain("runner.js", told, StringComparison.Ordinal);
            Assert.DoesNotContain("/runtimes/", told, StringComparison.Ordinal);
        }

        Assert.Equal("1", Run(runner, "1"));
    }

    [Fact]
    public void Names_can_be_declared_again()
    {
        using var runner = Start();
        Assert.SkipUnless(runner.Ready.GetProperty("modules").GetBoolean(), "node has no parser on this machine; this is tested in sandboxes alone");
        for (int n = 1; n <= 2; n++)
        {
            Assert.Equal($"[ {n}, {n + 1}, {n + 2}, {n + 3} ]", Run(runner, $"const a = {n}; let {{ b, c: [c] }} = {{ b: a + 1, c: [a + 2] }}; class D {{ static d = a + 3; }}\n[a, b, c, D.d]"));
            Assert.Equal($"{n}", Run(runner, $"const e = await {n}; class F {{ f = e }}; new F().f"));
        }

        Assert.Equal("'own'", Run(runner, "const navigator = 'own'; const fs = require('fs'); navigator"));
        // In one request that is the mistake that it is elsewhere.
        runner.Send("const g = 1; const g = 2", PythonRunner.Session | PythonRunner.Value);
        Assert.Equal(1, runner.Receive().ExitCode);
    }

    [Fact]
    public void Timers_go_on_between_requests()
    {
        using var runner = Start();
        RunUntilTold(runner, tell => $"var ticks = 0; setInterval(() => {{ if (++ticks === 6) {tell} }}, 1); undefined");
        Assert.Equal("true", Run(runner, "ticks > 5"));
    }

    [Fact]
    public void A_large_request_and_options_are_served()
    {
        using var runner = Start();
        string code = "var text = '" + new string('x', 300_000) + "'; console.log(text.length, process.argv.slice(2), process.env.A, process.cwd())";
        runner.Send(code, PythonRunner.Large, new { filename = "job.js", argv = new[] { "job.js", "one" }, env = new { A = "b" }, cwd = "/tmp" });
        Assert.Equal(0, runner.Receive().ExitCode);
        Assert.Equal(new Outcome(0, "300000 [ 'one' ] b /tmp\n", ""), runner.Finish());
    }

    [Fact]
    public void What_is_not_a_request_is_refused()
    {
        using var runner = Start();
        runner.SendRaw(new byte[100]);
        Assert.Equal(2, runner.Receive().ExitCode);
        Assert.Equal("2", Run(runner, "1+1"));
    }

    [Fact]
    public void The_end_of_the_host_ends_the_runner()
    {
        using var runner = Start();
        runner.HangUp();
        Assert.Equal(0, runner.Finish().ExitCode);
    }

    private static PythonRunner Start()
    {
        Assert.SkipUnless(File.Exists(PythonRunner.Node), "node is not installed on this machine; the runner is tested in sandboxes alone");
        return new PythonRunner([PythonRunner.Node, "--no-force-async-hooks-checks"], "node/runner.js", null);
    }

    /// <summary>Runs code that has no value, and waits until what it left behind tells, with no request in between.</summary>
    private static void RunUntilTold(PythonRunner runner, Func<string, string> code)
    {
        string file = Path.Combine(Path.GetTempPath(), $"ramet-{Guid.NewGuid():n}");
        Assert.Null(Run(runner, code($"fs.writeFileSync('{file}', '')")));
        Assert.True(SpinWait.SpinUntil(() => File.Exists(file), TimeSpan.FromMinutes(1)), "nothing was told");
        File.Delete(file);
    }

    private static System.Text.Json.JsonElement Results(PythonRunner runner, string code)
    {
        runner.Send(code, PythonRunner.Session | PythonRunner.Value);
        var (exitCode, details) = runner.Receive();
        Assert.Equal(0, exitCode);
        return details!.RootElement.GetProperty("results")[0].Clone();
    }

    private static string? Run(PythonRunner runner, string code)
    {
        runner.Send(code, PythonRunner.Session | PythonRunner.Value);
        var (exitCode, details) = runner.Receive();
        Assert.Equal(0, exitCode);
        return details?.RootElement.GetProperty("value").GetString();
    }
}
