using Ramet.Images.Store;

namespace Ramet.Sandboxes.Tests;

/// <summary>Templates on disk: of a data directory of their own, with the images of the shared one.</summary>
public sealed class TemplateStoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ramet-templates-").FullName;

    private string Templates => Path.Combine(_directory, "templates");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_template_whose_name_begins_with_the_name_of_the_one_below_is_built_though_that_is_not_there_yet()
    {
        await TestData.PythonImage;
        Directory.CreateSymbolicLink(Path.Combine(_directory, "images"), Path.Combine(TestData.Directory, "images"));
        using (var engine = new SandboxEngine(_directory)) await engine.Templates.ExtendAsync("python-data", "python", "x = 1", cancellationToken: TestContext.Current.CancellationToken);
        string[] left = [.. Directory.GetDirectories(Templates).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        Assert.Equal(["python", "python-data"], left);

        // The one below is stale: both are built again, one while the other is.
        File.WriteAllText(Path.Combine(Templates, "python", "template.json"), "{");
        string killed = Directory.CreateDirectory(Path.Combine(Templates, $".tmp-python-{Guid.NewGuid():n}")).FullName;
        string others = Directory.CreateDirectory(Path.Combine(Templates, $".tmp-python-data-x-{Guid.NewGuid():n}")).FullName;
        using (var engine = new SandboxEngine(_directory))
        {
            var template = await engine.Templates.EnsureAsync("python-data", cancellationToken: TestContext.Current.CancellationToken);
            Assert.Equal("python-data", template.Manifest.Name);
        }

        Assert.False(Directory.Exists(killed));
        Assert.True(Directory.Exists(others));
    }

    [Fact]
    public void A_template_that_a_killed_process_was_about_to_replace_is_found_again()
    {
        const string Manifest = """
            {"name":"own","runtime":"python","image":"python","image_id":"1","fingerprint":"1","id":"1","from":"python","created":"2026-01-01T00:00:00Z",
            "memory_bytes":1,"used_bytes":1,"state_bytes":1,"build_milliseconds":1,"image_ranges":[],"hot_ranges":[]}
            """;
        string old = Path.Combine(Templates, $".old-own-{Guid.NewGuid():n}");
        Directory.CreateDirectory(old);
        File.WriteAllText(Path.Combine(old, "template.json"), Manifest);
        var store = new TemplateStore(_directory);
        using (FileLock.TryAcquire(Path.Combine(Templates, ".lock-own"))) Assert.Null(store.Find("own"));
        Assert.Null(store.Find("ow"));
        Assert.Equal("own", store.Find("own")?.Name);
        Directory.Move(Path.Combine(Templates, "own"), old);
        Assert.Equal("own", Assert.Single(store.List()).Name);
    }
}
