using System.Globalization;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>What is in /sys: CPUs, one NUMA node, the loopback interface.</summary>
internal static class SysFiles
{
    private const string Cpu = "devices/system/cpu/";
    private const string Node = "devices/system/node/";
    private const string Loopback = "class/net/lo/";

    private static readonly Dictionary<string, string> Fixed = new(StringComparer.Ordinal)
    {
        [Cpu + "offline"] = "",
        [Cpu + "isolated"] = "",
        [Cpu + "smt/active"] = "0",
        [Cpu + "smt/control"] = "notsupported",
        [Cpu + "vulnerabilities/meltdown"] = "Not affected",
        [Cpu + "vulnerabilities/spectre_v1"] = "Not affected",
        [Cpu + "vulnerabilities/spectre_v2"] = "Not affected",
        [Node + "online"] = "0",
        [Node + "possible"] = "0",
        [Node + "has_cpu"] = "0",
        [Node + "has_memory"] = "0",
        [Node + "has_normal_memory"] = "0",
        [Node + "node0/distance"] = "10",
        [Node + "node0/numastat"] = "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0",
        ["kernel/mm/transparent_hugepage/enabled"] = "always madvise [never]",
        ["kernel/mm/transparent_hugepage/defrag"] = "always defer defer+madvise madvise [never]",
        ["kernel/mm/transparent_hugepage/hpage_pmd_size"] = "2097152",
        ["kernel/cpu_byteorder"] = "little",
        [Loopback + "address"] = "00:00:00:00:00:00",
        [Loopback + "broadcast"] = "00:00:00:00:00:00",
        [Loopback + "addr_len"] = "6",
        [Loopback + "carrier"] = "1",
        [Loopback + "dev_id"] = "0x0",
        [Loopback + "flags"] = "0x9",
        [Loopback + "ifindex"] = "1",
        [Loopback + "iflink"] = "1",
        [Loopback + "mtu"] = "65536",
        [Loopback + "operstate"] = "unknown",
        [Loopback + "tx_queue_len"] = "1000",
        [Loopback + "type"] = "772",
    };

    private static readonly string[] OfMachine = [Cpu + "online", Cpu + "possible", Cpu + "present", Cpu + "kernel_max", Node + "node0/cpulist", Node + "node0/cpumap", Node + "node0/meminfo"];

    private static readonly string[] OfCpu =
    [
        "online", "topology/core_id", "topology/physical_package_id", "topology/die_id", "topology/cluster_id", "topology/core_cpus", "topology/core_cpus_list",
        "topology/thread_siblings", "topology/thread_siblings_list", "topology/core_siblings", "topology/core_siblings_list", "topology/package_cpus",
        "topology/package_cpus_list", "topology/die_cpus", "topology/die_cpus_list",
    ];

    /// <summary>All files, for this number of CPUs.</summary>
    public static IEnumerable<string> Paths(int cpus)
    {
        foreach (string path in Fixed.Keys.Concat(OfMachine)) yield return path;
        for (int i = 0; i < cpus; i++)
        {
            foreach (string name in OfCpu) yield return string.Create(CultureInfo.InvariantCulture, $"{Cpu}cpu{i}/{name}");
            // libnuma looks for the CPUs of a node.
            yield return string.Create(CultureInfo.InvariantCulture, $"{Node}node0/cpu{i}/online");
        }
    }

    /// <summary>The text of a file.</summary>
    public static string Generate(Kernel kernel, string path)
    {
        int cpus = Math.Max(kernel.Limits.VirtualCpus, 1);
        if (Fixed.TryGetValue(path, out string? text)) return text + "\n";
        string name = path[(path.LastIndexOf('/') + 1)..];
        int cpu = CpuOf(path);
        return name switch
        {
            "online" when cpu >= 0 => "1\n",
            "online" or "possible" or "present" or "cpulist" => SystemFiles.CpuRange(cpus) + "\n",
            "kernel_max" => string.Create(CultureInfo.InvariantCulture, $"{cpus - 1}\n"),
            "cpumap" => Mask(0, cpus) + "\n",
            "meminfo" => Memory(kernel),
            "core_id" => string.Create(CultureInfo.InvariantCulture, $"{cpu}\n"),
            "physical_package_id" or "die_id" => "0\n",
            "cluster_id" => "-1\n",
            "core_cpus" or "thread_siblings" => Mask(cpu, 1) + "\n",
            "core_cpus_list" or "thread_siblings_list" => string.Create(CultureInfo.InvariantCulture, $"{cpu}\n"),
            "core_siblings" or "package_cpus" or "die_cpus" => Mask(0, cpus) + "\n",
            "core_siblings_list" or "package_cpus_list" or "die_cpus_list" => SystemFiles.CpuRange(cpus) + "\n",
            _ => "",
        };
    }

    /// <summary>The CPU whose directory a path is in; -1: none.</summary>
    private static int CpuOf(string path)
    {
        foreach (string part in path.Split('/'))
        {
            if (part.StartsWith("cpu", StringComparison.Ordinal) && int.TryParse(part.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out int cpu)) return cpu;
        }

        return -1;
    }

    /// <summary>A bit for each CPU, in groups of 32, the highest first.</summary>
    private static string Mask(int first, int count)
    {
        List<string> groups = [];
        for (int from = 0; from < first + count; from += 32)
        {
            uint bits = 0;
            for (int i = 0; i < 32; i++)
                if (from + i >= first && from + i < first + count) bits |= 1u << i;
            groups.Insert(0, bits.ToString(groups.Count == 0 && first + count <= 32 ? "x" : "x8", CultureInfo.InvariantCulture));
        }

        return string.Join(',', groups);
    }

    private static string Memory(Kernel kernel)
    {
        ulong total = kernel.Limits.MemoryBytes / 1024;
        ulong used = Math.Min(total, kernel.Frames.UsedBytes / 1024);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Node 0 MemTotal:       {total} kB\nNode 0 MemFree:        {total - used} kB\nNode 0 MemUsed:        {used} kB\nNode 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0\nNode 0 HugePages_Surp:      0\n");
    }
}
