using System.Diagnostics.CodeAnalysis;

namespace Ramet.Sandboxes.Tests.Conformance;

/// <summary>The C cases of tests/conformance, natively and in a sandbox, with the same assertions.</summary>
[SuppressMessage("Design", "CA1515:Consider making public types internal", Justification = "xunit finds public classes.")]
public sealed class ConformanceTests
{
    private static readonly Dictionary<string, Lazy<Dictionary<string, CaseResult>>> Native = ConformanceFile.All.Values
        .ToDictionary(file => file.Name, file => new Lazy<Dictionary<string, CaseResult>>(() => ConformanceRun.Natively(file)), StringComparer.Ordinal);

    private static readonly Dictionary<string, Lazy<Task<Dictionary<string, CaseResult>>>> Sandboxed = ConformanceFile.All.Values
        .ToDictionary(file => file.Name, file => new Lazy<Task<Dictionary<string, CaseResult>>>(() => RunInSandboxAsync(file)), StringComparer.Ordinal);

    public static TheoryData<string, string> Cases()
    {
        var data = new TheoryData<string, string>();
        foreach (var file in ConformanceFile.All.Values)
        {
            foreach (string name in file.Cases) data.Add(file.Name, name);
        }

        return data;
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task A_sandbox_does_as_Linux_does(string file, string name)
    {
        Assert.True(Native[file].Value.TryGetValue(name, out var native), $"{file}.c does not report {name}.");
        Assert.True(native!.Failure is null, $"On this machine itself: {native.Failure}");
        Assert.SkipWhen(native.Skipped is not null, native.Skipped ?? "");

        var results = await Sandboxed[file].Value;
        Assert.True(results.TryGetValue(name, out var sandboxed), $"{file}.c does not report {name} in a sandbox.");
        string? outcome = sandboxed!.Failure ?? sandboxed.Skipped;
        if (KnownDifferences.Of(file, name) is { } reason)
        {
            Assert.True(outcome is not null, $"{file}/{name} passes now: take it off known-differences.txt.");
            Assert.Skip($"Known difference: {reason}");
        }

        Assert.True(outcome is null, outcome);
    }

    [Fact]
    public void Known_differences_name_cases_that_exist()
    {
        var names = ConformanceFile.All.Values.SelectMany(file => file.Cases, (file, name) => $"{file.Name}/{name}").ToHashSet(StringComparer.Ordinal);
        Assert.Superset(KnownDifferences.Names.ToHashSet(StringComparer.Ordinal), names);
        Assert.True(names.Count >= 300, $"Only {names.Count} cases were found.");
    }

    private static async Task<Dictionary<string, CaseResult>> RunInSandboxAsync(ConformanceFile file)
    {
        var image = await TestData.PythonImage;
        return ConformanceRun.InSandbox(file, TestData.Engine, image, virtualCpus: 2);
    }
}
