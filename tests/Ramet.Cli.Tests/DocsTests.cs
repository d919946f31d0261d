namespace Ramet.Cli.Tests;

public sealed class DocsTests(Cli cli)
{
    [Fact]
    public void The_page_of_system_calls_is_that_of_the_table() =>
        Assert.True(File.ReadAllText(Path.Combine(cli.Root, "docs", "syscalls.md")) == cli.Run("docs", "syscalls").Stdout, "Write it anew: ./ramet docs syscalls >docs/syscalls.md");
}
