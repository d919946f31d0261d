using System.Text;
using System.Text.Json;

namespace Ramet.Cli.Tests;

public sealed class ExecTests(Cli cli)
{
    [Fact]
    public void Numpy_computes_and_stderr_stays_empty()
    {
        var outcome = cli.Run("exec", "import numpy as np; print(np.arange(10).mean())").AssertOk("4.5\n");
        Assert.Equal("", outcome.Stderr);
    }

    [Fact]
    public void Code_of_several_lines_runs_as_a_program() =>
        cli.Run("exec", "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n\nfor i in range(10):\n    print(f(i), end=' ')\n").AssertOk("0 1 1 2 3 5 8 13 21 34 ");

    [Fact]
    public void An_exception_leaves_its_traceback_on_stderr_and_exit_code_1()
    {
        var outcome = cli.Run("exec", "print('before')\nraise ValueError('no good')");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal("before\n", outcome.Stdout);
        Assert.StartsWith("Traceback (most recent call last):", outcome.Stderr, StringComparison.Ordinal);
        Assert.Contains("line 2", outcome.Stderr, StringComparison.Ordinal);
        Assert.EndsWith("ValueError: no good\n", outcome.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("runner", outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void A_syntax_error_is_the_programs()
    {
        var outcome = cli.Run("exec", "print('never'\n");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal("", outcome.Stdout);
        Assert.Contains("SyntaxError", outcome.Stderr, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("import sys; sys.exit(3)", 3)]
    [InlineData("import os; os._exit(4)", 4)]
    [InlineData("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143)]
    [InlineData("import os; os.kill(os.getpid(), 9)", 137)]
    [InlineData("import os; os.abort()", 134)]
    public void The_exit_code_is_the_programs(string code, int expected) => Assert.Equal(expected, cli.Run("exec", code).ExitCode);

    [Fact]
    public void Sys_exit_with_a_message_prints_it_on_stderr()
    {
        var outcome = cli.Run("exec", "import sys; sys.exit('that is all')");
        Assert.Equal((1, "", "that is all\n"), (outcome.ExitCode, outcome.Stdout, outcome.Stderr));
    }

    [Fact]
    public void Stdout_and_stderr_stay_apart()
    {
        var outcome = cli.Run("exec", "import sys; print('out'); print('err', file=sys.stderr)").AssertOk("out\n");
        Assert.Equal("err\n", outcome.Stderr);
    }

    [Fact]
    public void Every_byte_value_passes_through_stdout()
    {
        var outcome = cli.Run("exec", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(Enumerable.Range(0, 256_000).Select(i => (byte)i), outcome.StdoutBytes);
    }

    [Fact]
    public void Stdin_is_the_programs_when_asked_for_byte_for_byte()
    {
        byte[] input = new byte[3_000_000];
        new Random(1).NextBytes(input);
        var outcome = cli.Run(["exec", "--stdin", "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"], input);
        Assert.Equal(0, outcome.ExitCode);
        Assert.True(input.AsSpan().SequenceEqual(outcome.StdoutBytes), $"{outcome.StdoutBytes.Length} bytes came back");
    }

    [Fact]
    public void Without_stdin_the_program_reads_nothing() =>
        cli.Run(["exec", "import sys; print(repr(sys.stdin.read()))"], "secret"u8.ToArray()).AssertOk("''\n");

    [Fact]
    public void Output_of_child_processes_comes_too_and_apart()
    {
        var outcome = cli.Run("exec", "import subprocess, os\nprint('parent', flush=True)\nsubprocess.run(['sh', '-c', 'echo child; echo complaint >&2'], check=True)\nos.system('echo shell')\nprint('end')");
        outcome.AssertOk("parent\nchild\nshell\nend\n");
        Assert.Equal("complaint\n", outcome.Stderr);
    }

    [Fact]
    public void A_file_runs_with_its_name_and_arguments()
    {
        string file = Path.Combine(Path.GetTempPath(), $"ramet-{Guid.NewGuid():n}.py");
        File.WriteAllText(file, "import sys\nprint(sys.argv[1:])\nraise KeyError(1)\n");
        try
        {
            var outcome = cli.Run("exec", "-f", file, "--", "--fast", "input.csv");
            Assert.Equal(1, outcome.ExitCode);
            Assert.Equal("['--fast', 'input.csv']\n", outcome.Stdout);
            Assert.Contains($"File \"{file}\", line 3", outcome.Stderr, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Code_comes_from_stdin_with_a_dash() => cli.Run(["exec", "-"], "print('from stdin')"u8.ToArray()).AssertOk("from stdin\n");

    [Theory]
    [InlineData("@(lambda f: f)\ndef f(): print('ok')\nf()")]
    [InlineData("[print('ok')]")]
    [InlineData("{print('ok')}")]
    [InlineData("'--help'; print('ok')")]
    public void Code_is_never_taken_for_something_else(string code) => cli.Run("exec", code).AssertOk("ok\n");

    [Fact]
    public void Json_has_output_exit_code_and_times()
    {
        var outcome = cli.Run("exec", "--json", "import sys; print('out \"ö\"'); print('err', file=sys.stderr); sys.exit(5)");
        Assert.Equal(5, outcome.ExitCode);
        Assert.Equal("", outcome.Stderr);
        var json = JsonDocument.Parse(outcome.Stdout).RootElement;
        Assert.Equal("out \"ö\"\n", json.GetProperty("stdout").GetString());
        Assert.Equal("err\n", json.GetProperty("stderr").GetString());
        Assert.Equal(5, json.GetProperty("exit_code").GetInt32());
        Assert.False(json.GetProperty("timed_out").GetBoolean());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("error").ValueKind);
        double fork = json.GetProperty("fork_time_ms").GetDouble(), exec = json.GetProperty("exec_time_ms").GetDouble(), total = json.GetProperty("total_time_ms").GetDouble();
        Assert.True(fork > 0 && exec > 0 && Math.Abs(fork + exec - total) < 1, $"{fork} + {exec} = {total}");
        Assert.False(json.TryGetProperty("stdout_base64", out _));
    }

    [Fact]
    public void Json_gives_output_that_is_not_text_as_base64()
    {
        var json = JsonDocument.Parse(cli.Run("exec", "--json", "import sys; sys.stdout.buffer.write(bytes([0, 255, 10]))").Stdout).RootElement;
        Assert.Equal([0, 255, 10], json.GetProperty("stdout_base64").GetBytesFromBase64());
        Assert.False(json.TryGetProperty("stderr_base64", out _));
    }

    [Fact]
    public void Json_tells_of_a_time_out_and_of_failures_of_ramet()
    {
        var late = cli.Run("exec", "--json", "--timeout", "2s", "print('begun', flush=True)\nwhile True: pass");
        var json = JsonDocument.Parse(late.Stdout).RootElement;
        Assert.Equal((124, 124, true), (late.ExitCode, json.GetProperty("exit_code").GetInt32(), json.GetProperty("timed_out").GetBoolean()));
        Assert.Equal("begun\n", json.GetProperty("stdout").GetString());
        Assert.Contains("after 2 s", json.GetProperty("error").GetString(), StringComparison.Ordinal);

        var failed = cli.Run("exec", "--json", "--kvm-device", "/nonexistent", "1");
        json = JsonDocument.Parse(failed.Stdout).RootElement;
        Assert.Equal((125, 125), (failed.ExitCode, json.GetProperty("exit_code").GetInt32()));
        Assert.Contains("/nonexistent", json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Stats_go_to_stderr()
    {
        var outcome = cli.Run("exec", "--stats", "print(1)").AssertOk("1\n");
        foreach (string subject in new[] { "time", "fork", "memory", "system calls", "page faults", "absent calls" })
            Assert.Contains(subject, outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_forks_share_no_randomness_and_no_identity()
    {
        const string Code = """
            import os, random, secrets, uuid, socket, numpy
            for value in (random.random(), numpy.random.rand(), os.urandom(8).hex(), secrets.token_hex(8), uuid.uuid4(),
                          socket.gethostname(), open('/proc/sys/kernel/random/boot_id').read().strip()):
                print(value)
            """;
        string[] one = cli.Run("exec", Code).Stdout.Split('\n'), two = cli.Run("exec", Code).Stdout.Split('\n');
        Assert.Equal(8, one.Length);
        for (int i = 0; i < 7; i++) Assert.NotEqual(one[i], two[i]);
    }

    [Fact]
    public void Forks_do_not_see_each_others_writes()
    {
        const string Code = "import os\nprint(os.path.exists('/root/mark'), os.path.exists('/tmp/mark'))\nopen('/root/mark', 'w').write('x'); open('/tmp/mark', 'w').write('x')\nos.remove('/etc/hostname') if os.path.exists('/etc/hostname') else None";
        cli.Run("exec", Code).AssertOk("False False\n");
        cli.Run("exec", Code).AssertOk("False False\n");
    }

    [Fact]
    public void The_time_is_right_from_the_first_instruction()
    {
        double told = double.Parse(cli.Run("exec", "import time; print(time.time())").Stdout, System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0 - told, -1, 60);
    }

    [Fact]
    public void Large_code_runs() =>
        cli.Run(["exec", "-"], Encoding.UTF8.GetBytes($"text = '{new string('x', 1 << 20)}'\nprint(len(text))")).AssertOk("1048576\n");
}
