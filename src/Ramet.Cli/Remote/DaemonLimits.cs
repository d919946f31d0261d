using Ramet.Sandboxes;

namespace Ramet.Cli.Remote;

/// <summary>Which limits a daemon can be asked for.</summary>
internal static class DaemonLimits
{
    /// <summary>Whether all but time and output are limits that a daemon knows, or those that it has by itself.</summary>
    public static bool Know(SandboxOptions options)
    {
        var standard = new SandboxOptions();
        return options.MemoryBytes % (1 << 20) == 0 && options.MemoryBytes >> 20 <= 1 << 20
            && options.MaxThreads == standard.MaxThreads && options.MaxOpenFiles == standard.MaxOpenFiles && options.VirtualCpus == standard.VirtualCpus;
    }
}
