namespace Ramet.Cli.Tests;

public sealed class BadInputTests(Cli cli)
{
    [Theory]
    [InlineData("exek 1", "'exek'", "Did you mean 'exec'?")]
    [InlineData("template biuld python", "'biuld'", "Did you mean 'build'?")]
    [InlineData("exec --tempalte python 1", "'--tempalte'", "Did you mean '--template'?")]
    [InlineData("exec --template pyton 1", "'pyton'", "Did you mean 'python'?")]
    [InlineData("exec --template ../python 1", "'../python'", "Templates: python")]
    [InlineData("run --image pyton -- true", "'pyton'", "Did you mean 'python'?")]
    [InlineData("run --image ../python -- true", "'../python'", "")]
    [InlineData("exec", "no code", "--file")]
    [InlineData("exec -f /nonexistent.py", "/nonexistent.py", "no such file")]
    [InlineData("exec -f /tmp", "/tmp", "directory")]
    [InlineData("exec --timeout 30 1", "'30'", "30s")]
    [InlineData("exec --timeout 5sec 1", "'5sec'", "30s")]
    [InlineData("exec --timeout -5s 1", "'-5s'", "30s")]
    [InlineData("exec --timeout 0s 1", "none", "")]
    [InlineData("exec --memory 1e6 1", "'1e6'", "256M")]
    [InlineData("exec --memory 256 1", "256 B", "Did you mean 256M?")]
    [InlineData("exec --memory 99999G 1", "99999G", "1T")]
    [InlineData("exec --memory", "--memory", "")]
    [InlineData("exec --cpus many 1", "'many'", "number")]
    [InlineData("run", "COMMAND", "")]
    [InlineData("run -w relative -- true", "'relative'", "absolute")]
    [InlineData("run -e NO_SUCH_VARIABLE -- true", "NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE=VALUE")]
    [InlineData("run -e =x -- true", "'=x'", "NAME=VALUE")]
    [InlineData("image build /nonexistent.yaml", "/nonexistent.yaml", "no such file")]
    [InlineData("image inspect pyton", "'pyton'", "Did you mean 'python'?")]
    [InlineData("image rm nothing", "'nothing'", "")]
    [InlineData("template rm nothing", "'nothing'", "")]
    [InlineData("template inspect nothing", "'nothing'", "")]
    [InlineData("completion tcsh", "tcsh", "bash")]
    public void It_is_refused_with_one_line_that_says_what_to_do(string arguments, string names, string advice)
    {
        string line = cli.Run(arguments.Split(' ')).AssertRefused(2);
        Assert.Contains(names, line, StringComparison.Ordinal);
        Assert.Contains(advice, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n\t")]
    public void Empty_code_is_refused(string code) => Assert.Contains("empty", cli.Run("exec", code).AssertRefused(2), StringComparison.Ordinal);

    [Fact]
    public void Empty_code_from_stdin_is_refused() => Assert.Contains("stdin", cli.Run(["exec", "-"], []).AssertRefused(2), StringComparison.Ordinal);

    [Fact]
    public void Code_that_is_not_utf8_is_refused() => Assert.Contains("offset 7", cli.Run(["exec", "-"], "print('\u00ff')"u8.ToArray()[..7].Append((byte)0xff).ToArray()).AssertRefused(2), StringComparison.Ordinal);

    [Fact]
    public void Without_arguments_help_is_shown()
    {
        var outcome = cli.Run();
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("ramet exec 'print(1+1)'", outcome.Stdout + outcome.Stderr, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exec --help", "--timeout 2s")]
    [InlineData("run --help", "--strace")]
    [InlineData("--help", "Exit codes:")]
    public void Help_teaches_with_examples(string arguments, string expected)
    {
        var outcome = cli.Run(arguments.Split(' '));
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Stderr));
        Assert.Contains("Examples:", outcome.Stdout, StringComparison.Ordinal);
        Assert.Contains(expected, outcome.Stdout, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/nonexistent/kvm", "modprobe")]
    [InlineData("/dev/null", "not the KVM device")]
    [InlineData("/tmp", "/tmp")]
    public void Without_kvm_it_says_what_to_do(string device, string advice)
    {
        var environment = new Dictionary<string, string?> { ["RAMET_KVM_DEVICE"] = device };
        Assert.Contains(advice, cli.Run(["exec", "print(1)"], environment: environment).AssertRefused(125), StringComparison.Ordinal);
        Assert.Contains(advice, cli.Run(["run", "--", "true"], environment: environment).AssertRefused(125), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_permission_on_kvm_it_says_what_to_do()
    {
        string device = Path.GetTempFileName();
        Assert.Equal(0, cli.Shell($"chmod 000 {device}").ExitCode);
        try
        {
            // Root may open anything: become nobody first, where that is possible.
            string asNobody = Environment.IsPrivilegedProcess ? "setpriv --reuid 65534 --regid 65534 --clear-groups -- " : "";
            if (cli.Shell($"{asNobody}test -x {cli.Native}").ExitCode != 0) Assert.Skip("Other users cannot reach the repository here, or there is no setpriv.");
            var outcome = cli.Shell($"export RAMET_KVM_DEVICE={device} HOME=/tmp; {asNobody}{cli.Native} exec 'print(1)'");
            Assert.Contains("usermod -aG kvm", outcome.AssertRefused(125), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(device);
        }
    }

    [Fact]
    public void A_data_directory_that_cannot_be_written_is_named()
    {
        string line = cli.Run("exec", "--data-dir", "/proc/ramet", "print(1)").AssertRefused(125);
        Assert.Contains("/proc/ramet", line, StringComparison.Ordinal);
        Assert.Contains("--data-dir", line, StringComparison.Ordinal);
    }
}
