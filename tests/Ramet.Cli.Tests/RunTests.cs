namespace Ramet.Cli.Tests;

public sealed class RunTests(Cli cli)
{
    [Fact]
    public void A_command_runs_and_its_exit_code_is_passed_on()
    {
        cli.Run("run", "--", "echo", "hello", "--stats").AssertOk("hello --stats\n");
        Assert.Equal(7, cli.Run("run", "--", "sh", "-c", "exit 7").ExitCode);
        Assert.Equal(143, cli.Run("run", "--", "sh", "-c", "kill -TERM $$").ExitCode);
    }

    [Fact]
    public void Options_end_at_the_program_also_without_dashes() => cli.Run("run", "-e", "A=1", "sh", "-c", "echo $A -e B=2").AssertOk("1 -e B=2\n");

    [Fact]
    public void Environment_and_working_directory_are_set()
    {
        cli.Run("run", "-e", "ONE=1", "--env", "TWO=a=b", "-w", "/tmp", "--", "sh", "-c", "echo $ONE $TWO; pwd; echo $PATH").AssertOk("1 a=b\n/tmp\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
        var passed = cli.Run(["run", "-e", "FROM_HOST", "--", "sh", "-c", "echo $FROM_HOST $NOT_PASSED"], environment: new Dictionary<string, string?> { ["FROM_HOST"] = "yes", ["NOT_PASSED"] = "no" });
        passed.AssertOk("yes\n");
    }

    [Fact]
    public void Stdin_reaches_the_program_to_its_end()
    {
        cli.Run(["run", "--", "wc", "-c"], new byte[2_500_000]).AssertOk("2500000\n");
        cli.Run(["run", "--", "cat"], [1, 0, 255, 10]).AssertOk("\u0001\0\ufffd\n");
    }

    [Fact]
    public void Stdin_is_passed_as_it_comes()
    {
        using var process = cli.Start(cli.Executable, ["run", "--", "sh", "-c", "while read line; do echo \"got $line\"; done"]);
        process.StandardInput.WriteLine("one");
        process.StandardInput.Flush();
        Assert.Equal("got one", process.StandardOutput.ReadLine());
        process.StandardInput.WriteLine("two");
        process.StandardInput.Flush();
        Assert.Equal("got two", process.StandardOutput.ReadLine());
        process.StandardInput.Close();
        Assert.True(process.WaitForExit(30_000));
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void Strace_prints_calls_with_arguments_and_results_on_stderr()
    {
        var outcome = cli.Run("run", "--strace", "--", "echo", "hi").AssertOk("hi\n");
        Assert.Matches("""write\(1, "hi\\n", 3\) += 3""", outcome.Stderr);
        Assert.Contains("exit_group(0)", outcome.Stderr, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no-such-program", 127)]
    [InlineData("/usr/bin/no-such-program", 127)]
    [InlineData("/etc/passwd", 126)]
    [InlineData("/usr", 126)]
    public void What_cannot_be_started_is_named(string program, int exitCode) =>
        Assert.Contains(program, cli.Run("run", "--", program).AssertRefused(exitCode), StringComparison.Ordinal);

    [Fact]
    public void A_program_for_another_machine_is_refused_by_its_shell()
    {
        // A 32-bit ARM header.
        const string Script = """printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\50\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\64\0\40\0\1\0\0\0\0\0\0\0' >/tmp/arm; chmod +x /tmp/arm; /tmp/arm""";
        var outcome = cli.Run("run", "--", "sh", "-c", Script);
        Assert.Equal(126, outcome.ExitCode);
        Assert.Contains("Exec format error", outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void Timeout_and_memory_hold_here_too()
    {
        Assert.Equal(124, cli.Run("run", "-t", "500ms", "--", "sleep", "1000").ExitCode);
        Assert.Equal(124, cli.Run("run", "-t", "500ms", "--", "sh", "-c", "while :; do :; done").ExitCode);
        Assert.NotEqual(0, cli.Run("run", "-m", "64M", "--", "python3", "-c", "x = b'x' * (200 << 20)").ExitCode);
    }

    [Fact]
    public void Closed_stdout_ends_the_program_quietly()
    {
        var outcome = cli.Shell("set -o pipefail; ./ramet run -- yes | head -1");
        Assert.Equal("y\n", outcome.Stdout);
        Assert.Equal(141, outcome.ExitCode);
        Assert.Equal("", outcome.Stderr);
    }

    [Theory]
    [InlineData("run -- seq 100000")]
    // These have ended well before it turns out that what they printed is lost.
    [InlineData("run -- echo short")]
    [InlineData("exec 'print(1)'")]
    [InlineData("exec --json 'print(1)'")]
    public void Stdout_that_is_full_is_told(string command)
    {
        var outcome = cli.Shell($"./ramet {command} >/dev/full");
        Assert.NotEqual(0, outcome.ExitCode);
        Assert.Matches("^ramet: [^\n]*No space left on device[^\n]*\n$", outcome.Stderr);
    }

    [Fact]
    public void Output_is_appended_where_others_write_too()
    {
        string file = Path.GetTempFileName();
        var outcome = cli.Shell($"(echo one; ./ramet run -- echo two; echo three) >{file}; cat {file}; rm {file}");
        Assert.Equal("one\ntwo\nthree\n", outcome.Stdout);
    }
}
