namespace Ramet.Images.Tests;

/// <summary>A directory that is gone after the test.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ramet-images-").FullName;

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Runs a program and gives its output.</summary>
internal static class Command
{
    public static string Run(string name, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(name, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{name} {string.Join(' ', arguments)}: exit code {process.ExitCode}: {errors.Result}");
        return output;
    }
}

/// <summary>Progress without a synchronization context: reported on the thread of the build, in order.</summary>
internal sealed class Steps(Action<BuildStep>? onStep = null) : IProgress<BuildStep>
{
    private readonly List<BuildStep> _all = [];

    public IReadOnlyList<BuildStep> All
    {
        get
        {
            lock (_all) return [.. _all];
        }
    }

    public void Report(BuildStep value)
    {
        lock (_all) _all.Add(value);
        onStep?.Invoke(value);
    }
}

/// <summary>One data directory for all tests that download, so that lists and packages are fetched once.</summary>
public sealed class SharedStore : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public SharedStore() => Store = new ImageStore(_directory.Path);

    public ImageStore Store { get; }

    public string DataDirectory => _directory.Path;

    public static ImageSpec Tiny(string name) => ImageSpecParser.Parse($"name: {name}\nbase: none\npackages: [dash]\nenv: {{GREETING: hello}}\nworkdir: /work\n", "tiny.yaml");

    public void Dispose() => _directory.Dispose();
}

[CollectionDefinition(nameof(SharedStore))]
#pragma warning disable CA1711 // xunit's word.
public sealed class SharedStoreCollection : ICollectionFixture<SharedStore>;
#pragma warning restore CA1711
