namespace Ramet.Cli.Tests;

/// <summary>Users and terminals of <c>ramet run</c>.</summary>
public sealed class TerminalTests(Cli cli)
{
    [Theory]
    [InlineData("nobody", "65534 65534")]
    [InlineData("man:staff", "6 50")]
    [InlineData("1234", "1234 0")]
    [InlineData("1234:77", "1234 77")]
    public void A_program_runs_as_the_user_asked_for(string user, string ids)
    {
        cli.Run("run", "--user", user, "--", "sh", "-c", "echo $(id -u) $(id -g)").AssertOk(ids + "\n");
        var forbidden = cli.Run("run", "-u", user, "--", "sh", "-c", "touch /made || cat /etc/shadow || kill -0 1");
        Assert.NotEqual(0, forbidden.ExitCode);
        Assert.Equal("", forbidden.Stdout);
    }

    [Theory]
    [InlineData("nosuchuser", "nosuchuser")]
    [InlineData("root:nosuchgroup", "nosuchgroup")]
    [InlineData("4294967295", "4294967295")]
    public void An_unknown_user_is_named(string user, string named) =>
        Assert.Contains($"'{named}'", cli.Run("run", "--user", user, "--", "true").AssertRefused(2), StringComparison.Ordinal);

    [Fact]
    public void With_a_terminal_input_is_typed_and_its_end_is_control_D()
    {
        var outcome = cli.Run(["run", "--tty", "--", "sh", "-c", "tty; stty size; read line; echo got $line; cat; exit 3"], "one\ntwo\n"u8.ToArray());
        Assert.Equal(3, outcome.ExitCode);
        // What is typed meanwhile is echoed before, between or after these.
        Assert.Contains("/dev/pts/0\r\n", outcome.Stdout, StringComparison.Ordinal);
        Assert.Contains("24 80\r\n", outcome.Stdout, StringComparison.Ordinal);
        Assert.Contains("got one\r\n", outcome.Stdout, StringComparison.Ordinal);
        Assert.Matches("two\r\n[^$]*two\r\n", outcome.Stdout); // The echo, and cat's.
    }

    [Fact]
    public void Control_C_is_a_signal_to_the_program_alone()
    {
        using var process = cli.Start(cli.Executable, ["run", "--tty", "--", "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; sleep 20; sleep 20"]);
        Assert.Equal("ready", process.StandardOutput.ReadLine());
        process.StandardInput.Write('\u0003');
        process.StandardInput.Flush();
        Assert.Contains("interrupted", process.StandardOutput.ReadToEnd(), StringComparison.Ordinal);
        Assert.True(process.WaitForExit(30_000));
        Assert.Equal(9, process.ExitCode);
    }

    [Fact]
    public void The_users_terminal_is_raw_meanwhile_and_as_before_afterwards()
    {
        // script(1) makes a terminal for the inner shell.
        var outcome = cli.Shell($$"""script -qec 'stty rows 33 cols 99; stty -g; {{cli.Executable}} run --tty -- sh -c "stty size; exit 5"; echo code $?; stty -g' /dev/null""");
        string[] lines = outcome.Stdout.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length == 4, outcome.Stdout + outcome.Stderr);
        Assert.EndsWith("33 99", lines[1], StringComparison.Ordinal);
        Assert.Equal("code 5", lines[2]);
        Assert.Equal(lines[0], lines[3]);
    }

    [Fact]
    public void Open_files_are_limited()
    {
        var outcome = cli.Run("run", "--max-files", "50", "--", "python3", "-c", "import os\ntry:\n  while True: os.dup(os.open('/etc/passwd', 0))\nexcept OSError as e: print(e.strerror)");
        outcome.AssertOk("Too many open files\n");
    }
}
