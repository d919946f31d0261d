namespace Ramet.Benchmarks.Fuzzing;

/// <summary>What sandboxes take of the host, counted in /proc/self: nothing of it may be left when they are gone.</summary>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="VirtualMachines">Descriptors that are virtual machines or virtual CPUs.</param>
/// <param name="Threads">Threads that Ramet started.</param>
/// <param name="Mappings">Mapped bytes of guest memory.</param>
public sealed record HostUsage(int Descriptors, int VirtualMachines, int Threads, long Mappings)
{
    /// <summary>Counts now.</summary>
    public static HostUsage Count()
    {
        int descriptors = 0, machines = 0, threads = 0;
        long mappings = 0;
        foreach (string path in Directory.EnumerateFiles("/proc/self/fd"))
        {
            descriptors++;
            if (TryReadLink(path) is { } target && (target.Contains("kvm-vm", StringComparison.Ordinal) || target.Contains("kvm-vcpu", StringComparison.Ordinal))) machines++;
        }

        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            if (TryReadAll(Path.Combine(task, "comm")) is { } name && name.StartsWith("ramet", StringComparison.Ordinal)) threads++;
        }

        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            // Guest memory: private files without a name in a directory, and what KVM shares.
            if (line.Contains("anon_inode:kvm", StringComparison.Ordinal)) mappings++;
        }

        return new HostUsage(descriptors, machines, threads, mappings);
    }

    /// <summary>What is more now than it was; null: nothing.</summary>
    public string? LeftBehind(HostUsage before)
    {
        ArgumentNullException.ThrowIfNull(before);
        List<string> more = [];
        if (VirtualMachines > before.VirtualMachines) more.Add($"{VirtualMachines - before.VirtualMachines} virtual machines or CPUs");
        if (Descriptors > before.Descriptors) more.Add($"{Descriptors - before.Descriptors} descriptors");
        if (Threads > before.Threads) more.Add($"{Threads - before.Threads} threads");
        if (Mappings > before.Mappings) more.Add($"{Mappings - before.Mappings} mappings of virtual CPUs");
        return more.Count == 0 ? null : string.Join(", ", more);
    }

    private static string? TryReadLink(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: false)?.Name;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string? TryReadAll(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
