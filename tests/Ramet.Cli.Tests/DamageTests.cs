using System.Diagnostics;

namespace Ramet.Cli.Tests;

public sealed class DamageTests(Cli cli)
{
    private Outcome Exec(TemporaryData data) => cli.Run("exec", "--data-dir", data.Path, "print('fine')");

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(100)]
    [InlineData(5_000_000)]
    [InlineData(-1)]
    public void A_template_with_a_changed_byte_is_built_again(int offset)
    {
        using var data = cli.CopyData();
        using (var file = new FileStream(data.Snapshot, FileMode.Open))
        {
            file.Position = offset >= 0 ? offset : file.Length + offset;
            int value = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(value ^ 0x40));
        }

        var outcome = Exec(data).AssertOk("fine\n");
        Assert.Contains("ramet: Building template 'python'", outcome.Stderr, StringComparison.Ordinal);
        Assert.Equal("", Exec(data).AssertOk("fine\n").Stderr);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(100_000)]
    public void A_template_that_was_cut_short_is_built_again(long length)
    {
        using var data = cli.CopyData();
        using (var file = new FileStream(data.Snapshot, FileMode.Open)) file.SetLength(length);
        Assert.Contains("Building", Exec(data).AssertOk("fine\n").Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_manifest_is_built_again()
    {
        using var data = cli.CopyData();
        File.WriteAllText(Path.Combine(data.TemplateDirectory, "template.json"), "{");
        Assert.Contains("Building", Exec(data).AssertOk("fine\n").Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_is_named_and_leaves_nothing_half_written()
    {
        using var data = cli.CopyData(withTemplate: false);
        string templates = Path.Combine(data.Path, "templates");
        Directory.CreateDirectory(templates);
        if (cli.Shell($"mount -t tmpfs -o size=8m none {templates}").ExitCode != 0) Assert.Skip("A small file system cannot be mounted here.");
        try
        {
            var outcome = Exec(data);
            Assert.Equal((125, ""), (outcome.ExitCode, outcome.Stdout));
            string line = outcome.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
            Assert.StartsWith("ramet: ", line, StringComparison.Ordinal);
            Assert.Contains("space", line, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("--data-dir", line, StringComparison.Ordinal);
            Assert.Empty(data.Leftovers);
            Assert.False(Directory.Exists(data.TemplateDirectory));
        }
        finally
        {
            Assert.Equal(0, cli.Shell($"umount {templates}").ExitCode);
        }

        Exec(data).AssertOk("fine\n");
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void A_signal_during_a_template_build_leaves_no_half_and_no_lock(string signal, int exitCode)
    {
        using var data = cli.CopyData(withTemplate: false);
        using var process = cli.Start(cli.Native, ["exec", "--data-dir", data.Path, "print(1)"]);
        Assert.Contains("Building template", process.StandardError.ReadLine(), StringComparison.Ordinal);
        Signal(process, signal);
        Assert.True(process.WaitForExit(20_000), "It goes on.");
        Assert.Equal(exitCode, process.ExitCode);
        Assert.Equal("", process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd());
        Assert.Empty(data.Leftovers);
        Assert.DoesNotContain("Waiting", Exec(data).AssertOk("fine\n").Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void A_killed_build_is_swept_by_the_next()
    {
        using var data = cli.CopyData(withTemplate: false);
        using var process = cli.Start(cli.Native, ["exec", "--data-dir", data.Path, "print(1)"]);
        Assert.Contains("Building template", process.StandardError.ReadLine(), StringComparison.Ordinal);
        Signal(process, "KILL");
        Assert.True(process.WaitForExit(20_000));
        Assert.DoesNotContain("Waiting", Exec(data).AssertOk("fine\n").Stderr, StringComparison.Ordinal);
        Assert.Empty(data.Leftovers);
    }

    [Fact]
    public async Task Builds_of_one_template_at_the_same_time_wait_for_each_other()
    {
        using var data = cli.CopyData(withTemplate: false);
        var both = await Task.WhenAll(Task.Run(() => Exec(data)), Task.Run(() => Exec(data)));
        foreach (var one in both) one.AssertOk("fine\n");
        Assert.Single(both, one => one.Stderr.Contains("Building", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void A_signal_during_a_run_ends_it_at_once(string signal, int exitCode)
    {
        using var process = cli.Start(cli.Native, ["run", "--", "sh", "-c", "trap '' INT TERM HUP; echo begun; while :; do :; done"]);
        Assert.Equal("begun", process.StandardOutput.ReadLine());
        Signal(process, signal);
        Assert.True(process.WaitForExit(20_000), "It goes on.");
        Assert.Equal(exitCode, process.ExitCode);
        Assert.Equal("", process.StandardError.ReadToEnd());
    }

    [Fact]
    public void A_signal_during_exec_ends_it_at_once()
    {
        using var process = cli.Start(cli.Native, ["exec", "print('begun', flush=True)\nwhile True: pass"]);
        Assert.Equal("begun", process.StandardOutput.ReadLine());
        Signal(process, "INT");
        Assert.True(process.WaitForExit(20_000), "It goes on.");
        Assert.Equal(130, process.ExitCode);
        Assert.Equal("", process.StandardError.ReadToEnd());
    }

    private void Signal(Process process, string signal) => Assert.Equal(0, cli.Shell($"kill -{signal} {process.Id}").ExitCode);
}
