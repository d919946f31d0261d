namespace Ramet.Cli.Tests;

public sealed class DoctorTests(Cli cli)
{
    [Fact]
    public void A_machine_that_can_run_ramet_is_described()
    {
        var outcome = cli.Run("doctor");
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Stderr));
        foreach (string expected in new[] { "ok    kvm", "ok    paging", @"exit [0-9.]+ us", "ok    tools", "writable", "python" })
            Assert.Matches(expected, outcome.Stdout);
        Assert.DoesNotContain("FAIL", outcome.Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_thing_that_is_missing_comes_with_its_remedy()
    {
        // What the launcher needs, and no more.
        string tools = Directory.CreateTempSubdirectory("ramet-cli-tests-").FullName;
        try
        {
            foreach (string tool in new[] { "sh", "find", "readlink" })
                File.CreateSymbolicLink(Path.Combine(tools, tool), File.Exists($"/usr/bin/{tool}") ? $"/usr/bin/{tool}" : $"/bin/{tool}");
            var outcome = cli.Run(
                ["doctor", "--data-dir", "/proc/ramet"],
                environment: new Dictionary<string, string?> { ["RAMET_KVM_DEVICE"] = "/nonexistent/kvm", ["PATH"] = tools });
            Assert.Equal(1, outcome.ExitCode);
            Assert.Matches("FAIL  kvm .*modprobe", outcome.Stdout);
            Assert.Matches("FAIL  tools .*apt-get install", outcome.Stdout);
            Assert.Matches("FAIL  data .*--data-dir", outcome.Stdout);
        }
        finally
        {
            Directory.Delete(tools, recursive: true);
        }
    }
}
