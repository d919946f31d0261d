namespace Ramet.Sdk.Tests;

public sealed class RustTests(Daemon daemon)
{
    [Fact]
    public void The_crate_passes_its_tests_with_the_compiler_and_the_crates_of_Debian()
    {
        const string Packages = "cargo librust-ureq-dev librust-serde-json-dev librust-hyper-dev librust-tokio-dev", Registry = "/usr/share/cargo/registry";
        string cargo = Tools.Find(Packages, "/usr/bin/cargo");
        Assert.True(Directory.Exists(Registry) && Directory.GetDirectories(Registry, "ureq-*").Length > 0, $"Crates are missing. Install them: sudo apt-get install {Packages}");
        using var work = new Workplace();
        Tools.Copy(Path.Combine(Tools.Root, "sdk", "rust"), work["source"]);
        var environment = new Dictionary<string, string>
        {
            ["RAMET_URL"] = daemon.Url,
            ["CARGO_HOME"] = work["cargo"],
            // Dependencies are compiled once in a checkout.
            ["CARGO_TARGET_DIR"] = Path.Combine(Tools.Root, "artifacts", "sdk-rust"),
            // Its rustc is beside it.
            ["PATH"] = "/usr/bin:" + Environment.GetEnvironmentVariable("PATH"),
        };
        string[] offline = ["--offline", "--config", "source.crates-io.replace-with=\"debian\"", "--config", $"source.debian.directory=\"{Registry}\""];
        var outcome = Tools.Must(work["source"], environment, cargo, [.. offline, "test", "--no-default-features", "--features", "blocking,async"]);
        var summaries = outcome.Stdout.Split('\n').Where(line => line.StartsWith("test result: ok. ", StringComparison.Ordinal)).Select(line => int.Parse(line.Split(' ')[3], System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(summaries.Sum() >= 9, outcome.Text);
        Assert.DoesNotContain("warning: unused", outcome.Stderr, StringComparison.Ordinal);
    }
}
