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
        var outcome = cli.Run(
            ["doctor", "--data-dir", "/proc/ramet"],
            environment: new Dictionary<string, string?> { ["RAMET_KVM_DEVICE"] = "/nonexistent/kvm", ["PATH"] = HostToolsWithoutApt() });
        Assert.Equal(1, outcome.ExitCode);
        Assert.Matches("FAIL  kvm .*modprobe", outcome.Stdout);
        Assert.Matches("FAIL  tools .*apt-get install", outcome.Stdout);
        Assert.Matches("FAIL  data .*--data-dir", outcome.Stdout);
    }

    /// <summary>What the launcher needs, and no more.</summary>
    private static string HostToolsWithoutApt()
    {
        string directory = Path.Combine(Path.GetTempPath(), "ramet-cli-tests-path");
        Directory.CreateDirectory(directory);
        foreach (string tool in new[] { "sh", "find", "readlink" })
        {
            string link = Path.Combine(directory, tool);
            if (!File.Exists(link)) File.CreateSymbolicLink(link, File.Exists($"/usr/bin/{tool}") ? $"/usr/bin/{tool}" : $"/bin/{tool}");
        }

        return directory;
    }
}
