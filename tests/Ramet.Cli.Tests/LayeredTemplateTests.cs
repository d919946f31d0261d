namespace Ramet.Cli.Tests;

/// <summary>Templates on templates: on disk is only what differs from the one below.</summary>
public sealed class LayeredTemplateTests(Cli cli)
{
    [Fact]
    public void A_template_on_a_template_writes_only_what_its_script_has_changed()
    {
        using var data = cli.CopyData();
        Build(data, "one", "python", "table = {n: n * n for n in range(1000)}");
        Build(data, "two", "one", "total = sum(table.values())");
        long python = new FileInfo(data.Snapshot).Length;
        Assert.InRange(Snapshot(data, "one"), 1, python / 3);
        Assert.InRange(Snapshot(data, "two"), 1, python / 3);
        Exec(data, "two").AssertOk("999 332833500\n");
        // Pages that the script has freed are zero, and not what the template below has there.
        Exec(data, "one").AssertOk("999 False\n");
    }

    [Fact]
    public void When_the_template_below_was_built_again_so_is_the_one_on_it()
    {
        using var data = cli.CopyData();
        Build(data, "one", "python", "table = {n: n * n for n in range(1000)}\ntotal = 1");
        Exec(data, "one").AssertOk("999 1\n");
        Assert.Equal(0, cli.Run(["template", "build", "python", "--data-dir", data.Path]).ExitCode);
        var first = Exec(data, "one").AssertOk("999 1\n");
        Assert.Contains("Building template 'one'", first.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("Building", Exec(data, "one").AssertOk("999 1\n").Stderr, StringComparison.Ordinal);
    }

    private void Build(TemporaryData data, string name, string below, string script)
    {
        string file = Path.Combine(data.Path, name + ".py");
        File.WriteAllText(file, script);
        var outcome = cli.Run(["template", "build", name, "--from", below, "--script", file, "--data-dir", data.Path]);
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains($"differs from '{below}'", outcome.Stderr, StringComparison.Ordinal);
    }

    private static long Snapshot(TemporaryData data, string name) => new FileInfo(Path.Combine(data.Path, "templates", name, "snapshot.bin")).Length;

    private Outcome Exec(TemporaryData data, string template) =>
        cli.Run(["exec", "--data-dir", data.Path, "--template", template, "print(len(table) - 1, globals().get('total', False))"]);
}
