using Ramet.Kernel.State;

namespace Ramet.Kernel;

/// <summary>Limits of a sandbox as a whole. Over them the guest gets errors or signals; the host does not notice.</summary>
[Saved]
public sealed partial class ResourceLimits
{
    /// <summary>Bytes of RAM: page frames, page tables and files of the writable layer together.</summary>
    public ulong MemoryBytes { get; set; } = 256UL << 20;

    /// <summary>Processes and threads together, with those that have ended and were not waited for.</summary>
    public int MaxThreads { get; set; } = 1024;

    /// <summary>Open file descriptions.</summary>
    public int MaxOpenFiles { get; set; } = 65536;

    /// <summary>Virtual CPUs.</summary>
    public int VirtualCpus { get; set; } = 1;
}
