namespace Ramet.Kvm;

/// <summary>What a virtual machine is made of.</summary>
public sealed record VirtualMachineOptions
{
    /// <summary>Bytes to which RAM may grow: 2 MiB to 64 GiB.</summary>
    public required ulong MemoryLimit { get; init; }

    /// <summary>Virtual CPUs that may exist, at most 64.</summary>
    public int MaxVcpus { get; init; } = Math.Min(Environment.ProcessorCount, GuestLayout.MaxVcpus);

    /// <summary>The frozen RAM to fork from; null to start from nothing.</summary>
    public MemoryTemplate? Template { get; init; }

    /// <summary>Image files to see as read-only memory. They must outlive the machine.</summary>
    public IReadOnlyList<GuestImage> Images { get; init; } = [];
}
