namespace Ramet.Sdk.Tests;

public sealed class TypeScriptTests(Daemon daemon)
{
    [Fact]
    public void The_package_that_npm_builds_passes_the_tests_of_the_TypeScript_SDK()
    {
        using var work = new Workplace();
        string npm = Tools.Find("npm", "npm"), node = Tools.Find("nodejs", "node");
        string source = work["source"], user = work["user"];
        Tools.Copy(Path.Combine(Tools.Root, "sdk", "typescript"), source);
        Tools.Must(source, null, npm, "ci", "--no-audit", "--no-fund", "--loglevel=error");
        Tools.Must(source, null, npm, "pack", "--loglevel=error");
        Tools.Copy(Path.Combine(source, "tests"), Path.Combine(user, "tests"));
        File.WriteAllText(Path.Combine(user, "package.json"), """{"private":true,"type":"module"}""");
        Tools.Must(user, null, npm, "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", Assert.Single(Directory.GetFiles(source, "ramet-*.tgz")));
        var tests = Directory.GetFiles(Path.Combine(user, "tests"), "*.test.mjs");
        var outcome = Tools.Must(user, new Dictionary<string, string> { ["RAMET_URL"] = daemon.Url }, node, ["--test", "--test-reporter=tap", .. tests]);
        int count = outcome.Number("# tests ", "");
        Assert.True(count >= 15 && outcome.Number("# pass ", "") == count && outcome.Number("# fail ", "") == 0, outcome.Text);
    }
}
