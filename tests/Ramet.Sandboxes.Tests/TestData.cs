using Ramet.Images;

namespace Ramet.Sandboxes.Tests;

/// <summary>The data folder that test projects share, and one engine on it.</summary>
internal static class TestData
{
    /// <summary>RAMET_TEST_DATA_DIR, or test-data in the artifacts folder.</summary>
    public static string Directory { get; } = Environment.GetEnvironmentVariable("RAMET_TEST_DATA_DIR") is { Length: > 0 } given
        ? given
        : Path.Combine(ArtifactsFolder(), "test-data");

    private static readonly Lazy<SandboxEngine> LazyEngine = new(() => new SandboxEngine(Directory) { UsesLargePages = true });
    private static readonly Lazy<Task<ImageLayer>> LazyImage = new(() => Engine.OpenImageAsync("python"));

    /// <summary>The engine of this process.</summary>
    public static SandboxEngine Engine => LazyEngine.Value;

    /// <summary>The image that tests run in; built when it is missing.</summary>
    public static Task<ImageLayer> PythonImage => LazyImage.Value;

    /// <summary>What each descriptor of this process is: the targets of /proc/self/fd.</summary>
    public static string[] Descriptors() => [.. System.IO.Directory.GetFileSystemEntries("/proc/self/fd").Select(path => new FileInfo(path).LinkTarget ?? "")];

    /// <summary>How many of them are virtual machines.</summary>
    public static int CountMachines(IEnumerable<string> descriptors) => descriptors.Count(target => target.Contains("kvm-vm", StringComparison.Ordinal));

    private static string ArtifactsFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (folder.Name == "artifacts") return folder.FullName;
        }

        return AppContext.BaseDirectory;
    }
}
