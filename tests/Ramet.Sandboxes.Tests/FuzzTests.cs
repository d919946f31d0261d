using System.Diagnostics.CodeAnalysis;
using Ramet.Benchmarks.Fuzzing;

namespace Ramet.Sandboxes.Tests;

/// <summary>Random system calls in sandboxes, for a short time; <c>ramet bench fuzz</c> does it for long.</summary>
[SuppressMessage("Design", "CA1515:Consider making public types internal", Justification = "xunit finds public classes.")]
public sealed class FuzzTests
{
    [Fact]
    public async Task Random_calls_with_a_fixed_seed_leave_the_host_alone() => Check(await Fuzz(20251121));

    [Fact]
    public async Task Random_calls_with_a_random_seed_leave_the_host_alone() => Check(await Fuzz((ulong)Random.Shared.NextInt64(1, long.MaxValue)));

    private static void Check(FuzzReport report)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(report.ToText());
        Assert.True(report.Failures.Count == 0, report.ToText());
        Assert.True(report.Sandboxes >= 2 && report.Calls > 5000, $"Too little was done to mean anything: {report.ToText()}");
    }

    private static async Task<FuzzReport> Fuzz(ulong seed)
    {
        var image = await TestData.PythonImage;
        var fuzzer = new SystemCallFuzzer(TestData.Engine, image) { LongestSandbox = TimeSpan.FromSeconds(5) };
        return await Task.Run(() => fuzzer.Run(TimeSpan.FromSeconds(12), seed));
    }
}
