namespace Ramet.Sdk.Tests;

/// <summary>Each of examples/, with the package as its users have it.</summary>
public sealed class ExampleTests(Daemon daemon)
{
    [Fact]
    public void Every_example_runs_and_says_what_it_should()
    {
        using var work = new Workplace();
        string python = PythonPackage.Install(work);
        var expected = new Dictionary<string, string[]>
        {
            ["agent.py"] = ["NameError", "168 primes", "The largest prime below 1000 is 997."],
            ["ten_sandboxes.py"] = ["squares: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]"],
            ["analysis.py"] = ["days: 365", "plot: plot.png"],
            ["best_of_n.py"] = ["forgets duplicates   failed", "never ends           failed", "best: merge [1, 2, 3]"],
        };
        string folder = Path.Combine(Tools.Root, "examples");
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), Directory.GetFiles(folder, "*.py").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var (name, texts) in expected)
        {
            var outcome = Tools.Must(work.Path, new Dictionary<string, string> { ["RAMET_URL"] = daemon.Url }, python, Path.Combine(folder, name));
            Assert.All(texts, text => Assert.Contains(text, outcome.Stdout, StringComparison.Ordinal));
        }

        Assert.Equal("\x89PNG\r\n"u8[2..].ToArray(), File.ReadAllBytes(work["plot.png"])[1..6]);
    }
}
