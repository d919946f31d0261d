using System.Text.Json;

namespace Ramet.Programs.Tests;

/// <summary><c>ramet bench syscalls</c>, whose probe checks all answers.</summary>
public sealed class BenchmarkTests
{
    private static readonly string[] s_rows =
        ["getppid", "pipe_ping_pong", "open_read_close", "stat_1000_files", "fork_exec_wait", "mmap_touch_64mb", "git_status", "gcc_hello", "python_pass"];

    [Fact]
    [Trait("Kind", "performance")]
    public void Bench_syscalls_measures_all_rows_everywhere()
    {
        var outcome = Programs.RunRamet("bench", "syscalls", "--runs", "2", "--json");
        Assert.True(outcome.ExitCode == 0, outcome.Stderr);
        using var report = JsonDocument.Parse(outcome.Stdout);
        bool runsc = report.RootElement.GetProperty("runsc").ValueKind != JsonValueKind.Null;
        foreach (string row in s_rows)
        {
            var values = report.RootElement.GetProperty(row);
            Assert.True(values.GetProperty("n").GetInt32() >= 2);
            Assert.True(values.GetProperty("bare_us").GetDouble() > 0);
            Assert.True(values.GetProperty("ramet_us").GetDouble() > 0);
            Assert.Equal(runsc, values.GetProperty("runsc_us").ValueKind == JsonValueKind.Number);
        }

        // Far from the promises, which the specification's numbers are for: memory is mapped in pieces, not page by page, and starting a program does not take a second.
        Assert.True(report.RootElement.GetProperty("mmap_touch_64mb").GetProperty("ramet_us").GetDouble() < 16384 * 100);
        Assert.True(report.RootElement.GetProperty("fork_exec_wait").GetProperty("ramet_us").GetDouble() < 1e6);
    }
}
