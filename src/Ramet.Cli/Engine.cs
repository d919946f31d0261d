using Ramet.Cli.Output;
using Ramet.Sandboxes;

namespace Ramet.Cli;

/// <summary>The engine as commands use it: with progress on stderr and interruptions.</summary>
internal static class Engine
{
    /// <summary>Opens KVM and the data directory.</summary>
    /// <param name="dataDirectory">Where images and templates are kept.</param>
    /// <param name="kvmDevice">The KVM device.</param>
    /// <param name="largePages">Whether many sandboxes will be forked: <see cref="SandboxEngine.UsesLargePages"/>.</param>
    /// <param name="spareMachines"><see cref="SandboxEngine.SpareMachineCount"/>.</param>
    public static SandboxEngine Open(string dataDirectory, string kvmDevice, bool largePages = false, int spareMachines = 0) =>
        new(dataDirectory, kvmDevice) { UsesLargePages = largePages, SpareMachineCount = spareMachines };

    /// <summary>An image, built first if need be.</summary>
    public static ImageLayer OpenImage(SandboxEngine engine, string name, Interruption interruption) =>
        Build(interruption, (progress, token) => engine.OpenImageAsync(name, progress, token));

    /// <summary>Waits for work that may build something: shows its progress, and ends it at a signal.</summary>
    public static T Build<T>(Interruption interruption, Func<IProgress<Images.BuildStep>, CancellationToken, Task<T>> work)
    {
        using var progress = new BuildProgress();
        try
        {
            return work(progress, interruption.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedException(interruption.ExitCode != 0 ? interruption.ExitCode : 128 + 2);
        }
    }
}
