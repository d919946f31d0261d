namespace Ramet.Cli.Tests;

public sealed class CompletionTests(Cli cli)
{
    [Theory]
    [InlineData("./ramet ex", "exec")]
    [InlineData("./ramet template b", "build")]
    [InlineData("./ramet exec --templ", "--template")]
    [InlineData("./ramet exec --template py", "python")]
    [InlineData("./ramet run --image py", "python")]
    public void Bash_completes(string line, string expected)
    {
        string script = $"""
            source <(./ramet completion bash)
            COMP_LINE='{line}'; COMP_POINT={line.Length}; COMP_WORDS=({line}); COMP_CWORD=$(({line.Split(' ').Length} - 1))
            _ramet_complete
            echo "$COMPREPLY"
            """;
        cli.Shell(script).AssertOk($"{expected}\n");
    }

    [Theory]
    [InlineData("bash", "bash -n")]
    [InlineData("zsh", "zsh -n")]
    [InlineData("fish", "fish -n")]
    public void Scripts_are_valid(string shell, string check)
    {
        string script = cli.Run("completion", shell).Stdout;
        Assert.Contains("[suggest:", script, StringComparison.Ordinal);
        if (cli.Shell($"command -v {shell}").ExitCode != 0) Assert.Skip($"{shell} is not installed.");
        string file = Path.GetTempFileName();
        File.WriteAllText(file, script);
        Assert.Equal("", cli.Shell($"{check} {file}; rm {file}").Stderr);
    }
}
