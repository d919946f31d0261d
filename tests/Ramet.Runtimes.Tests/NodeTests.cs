using Xunit;

namespace Ramet.Runtimes.Tests;

/// <summary>Node.js programs in a sandbox (tests/programs/node), each of which checks itself.</summary>
public class NodeTests(RametCli ramet)
{
    [Theory]
    [InlineData("basics.js", "basics ok\n")]
    [InlineData("modules.mjs", "modules ok\n")]
    [InlineData("workers.js", "workers ok\n")]
    [InlineData("children.js", "children ok\n")]
    [InlineData("network.js", "network ok\n")]
    public void A_program_runs(string file, string output) => Assert.Equal(new Outcome(0, output, ""), ramet.Run("node-full", "node", "node", file));

    [Fact]
    public void Npm_installs_a_folder_and_an_archive_and_runs_scripts()
    {
        var outcome = ramet.Run("node-full", "node", "sh", "npm.sh");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        foreach (string line in new[] { "hello folder", "hello npx", "hello npm", "# pass 2", "# fail 0", "1.2.3", "`-- greeter@1.2.3" })
            Assert.Contains(line, outcome.Output.Split('\n'));
    }
}
