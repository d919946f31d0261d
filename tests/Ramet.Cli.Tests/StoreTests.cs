using System.Text.Json;

namespace Ramet.Cli.Tests;

public sealed class StoreTests(Cli cli)
{
    [Fact]
    public void Images_are_listed_inspected_and_verified()
    {
        Assert.Matches(@"(?m)^python +\d+ MiB +[\d,]+ +\d+ ", cli.Run("image", "ls").Stdout);
        var json = JsonDocument.Parse(cli.Run("image", "inspect", "python").Stdout).RootElement;
        Assert.Contains(json.GetProperty("packages").EnumerateArray(), package => package.GetProperty("name").GetString() == "python3-numpy");
        Assert.Contains("as built", cli.Run("image", "verify", "python").Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public void Templates_are_listed_inspected_built_and_removed()
    {
        using var data = cli.CopyData(withTemplate: false);
        Assert.Matches("(?m)^python .*not built yet$", cli.Run("template", "ls", "--data-dir", data.Path).Stdout);
        Assert.Contains("ramet template build python", cli.Run("template", "inspect", "python", "--data-dir", data.Path).AssertRefused(2), StringComparison.Ordinal);
        var built = cli.Run("template", "build", "python", "--data-dir", data.Path).AssertOk("");
        Assert.Contains("template 'python' is ready", built.Stderr, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^python +python +python +\d+ MiB", cli.Run("template", "ls", "--data-dir", data.Path).Stdout);
        Assert.Equal("python", JsonDocument.Parse(cli.Run("template", "inspect", "python", "--data-dir", data.Path).Stdout).RootElement.GetProperty("name").GetString());
        cli.Run("template", "rm", "python", "--data-dir", data.Path).AssertOk("");
        Assert.False(Directory.Exists(data.TemplateDirectory));
    }

    [Fact]
    public void An_image_of_ones_own_is_built_run_and_removed()
    {
        string data = Directory.CreateTempSubdirectory("ramet-cli-tests-").FullName;
        try
        {
            // The shared package cache: lists are fetched once.
            Directory.CreateSymbolicLink(Path.Combine(data, "cache"), Path.Combine(cli.Data, "cache"));
            string spec = Path.Combine(data, "tools.yaml");
            File.WriteAllText(spec, "name: tools\npackages: [hello]\nbase: none\nenv: {GREETING: hi}\n");
            var built = cli.Run(["image", "build", spec, "--data-dir", data], limit: TimeSpan.FromMinutes(5)).AssertOk("");
            Assert.Contains("image 'tools' is ready", built.Stderr, StringComparison.Ordinal);
            cli.Run("run", "--data-dir", data, "--image", "tools", "--", "hello").AssertOk("Hello, world!\n");
            cli.Run("image", "rm", "tools", "--data-dir", data).AssertOk("");
            cli.Run("run", "--data-dir", data, "--image", "tools", "--", "hello").AssertRefused(2);

            File.WriteAllText(spec, "name: tools\npackages: [no-such-package-at-all]\n");
            string line = cli.Run(["image", "build", spec, "--data-dir", data], limit: TimeSpan.FromMinutes(5)).Stderr.TrimEnd().Split('\n')[^1];
            Assert.Contains("tools.yaml:2", line, StringComparison.Ordinal);
            Assert.Contains("no-such-package-at-all", line, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(Path.Combine(data, "cache"));
            Directory.Delete(data, recursive: true);
        }
    }
}
