using System.Globalization;
using System.Text;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>The system's own files in /proc, and sysctl(8)'s in /proc/sys.</summary>
internal static class SystemFiles
{
    private const int Writable = 0x1A4;

    private const string Release = Syscalls.SystemCalls.Release;
    private const string Version = Syscalls.SystemCalls.Version;

    private static readonly Dictionary<string, string> Fixed = new(StringComparer.Ordinal)
    {
        ["cmdline"] = "ramet",
        ["swaps"] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority",
        ["devices"] = "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:",
        ["filesystems"] = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\toverlay\nnodev\tpipefs\nnodev\tsockfs\nnodev\tmqueue\nnodev\tdevpts",
        ["sys/kernel/osrelease"] = Release,
        ["sys/kernel/ostype"] = "Linux",
        ["sys/kernel/version"] = Version,
        ["sys/kernel/pid_max"] = "4194304",
        ["sys/kernel/cap_last_cap"] = "40",
        ["sys/kernel/ngroups_max"] = "65536",
        ["sys/kernel/overflowuid"] = "65534",
        ["sys/kernel/overflowgid"] = "65534",
        ["sys/kernel/shmmax"] = "18446744073692774399",
        ["sys/kernel/shmall"] = "18446744073692774399",
        ["sys/kernel/shmmni"] = "4096",
        ["sys/kernel/msgmax"] = "8192",
        ["sys/kernel/msgmnb"] = "16384",
        ["sys/kernel/msgmni"] = "32000",
        ["sys/kernel/sem"] = "32000\t1024000\t500\t32000",
        ["sys/kernel/randomize_va_space"] = "2",
        ["sys/kernel/core_pattern"] = "core",
        ["sys/kernel/core_uses_pid"] = "0",
        ["sys/kernel/dmesg_restrict"] = "1",
        ["sys/kernel/kptr_restrict"] = "1",
        ["sys/kernel/perf_event_paranoid"] = "4",
        ["sys/kernel/sched_child_runs_first"] = "0",
        ["sys/kernel/random/entropy_avail"] = "256",
        ["sys/kernel/random/poolsize"] = "256",
        ["sys/kernel/unprivileged_userns_clone"] = "0",
        ["sys/kernel/seccomp/actions_avail"] = "kill_process kill_thread trap errno trace log allow",
        ["sys/kernel/yama/ptrace_scope"] = "0",
        ["sys/vm/overcommit_memory"] = "1",
        ["sys/vm/overcommit_ratio"] = "50",
        ["sys/vm/max_map_count"] = "65530",
        ["sys/vm/mmap_min_addr"] = "65536",
        ["sys/vm/swappiness"] = "0",
        ["sys/vm/nr_hugepages"] = "0",
        ["sys/fs/mqueue/queues_max"] = "256",
        ["sys/fs/mqueue/msg_max"] = "10",
        ["sys/fs/mqueue/msg_default"] = "10",
        ["sys/fs/mqueue/msgsize_max"] = "8192",
        ["sys/fs/mqueue/msgsize_default"] = "8192",
        ["sys/fs/nr_open"] = "1048576",
        ["sys/fs/pipe-max-size"] = "1048576",
        ["sys/fs/pipe-user-pages-soft"] = "16384",
        ["sys/fs/pipe-user-pages-hard"] = "0",
        ["sys/fs/protected_hardlinks"] = "0",
        ["sys/fs/protected_symlinks"] = "0",
        ["sys/fs/suid_dumpable"] = "0",
        ["sys/fs/inotify/max_user_watches"] = "65536",
        ["sys/fs/inotify/max_user_instances"] = "128",
        ["sys/fs/inotify/max_queued_events"] = "16384",
        ["sys/fs/epoll/max_user_watches"] = "65536",
        ["sys/fs/aio-max-nr"] = "65536",
        ["sys/fs/aio-nr"] = "0",
        ["sys/fs/lease-break-time"] = "45",
        ["sys/fs/leases-enable"] = "1",
        ["sys/fs/dir-notify-enable"] = "1",
        // What can be made anew; of all other kinds there is one (see the system call unshare).
        ["sys/user/max_mnt_namespaces"] = "512",
        ["sys/user/max_uts_namespaces"] = "512",
        ["sys/user/max_cgroup_namespaces"] = "512",
        ["sys/user/max_user_namespaces"] = "0",
        ["sys/user/max_pid_namespaces"] = "0",
        ["sys/user/max_net_namespaces"] = "0",
        ["sys/user/max_ipc_namespaces"] = "0",
        ["sys/user/max_time_namespaces"] = "0",
        ["sys/net/core/somaxconn"] = "4096",
        ["sys/net/core/rmem_max"] = "212992",
        ["sys/net/core/wmem_max"] = "212992",
        ["sys/net/ipv4/ip_local_port_range"] = "32768\t60999",
        ["sys/net/ipv4/tcp_fin_timeout"] = "60",
        ["sys/net/ipv4/ip_forward"] = "0",
        ["sys/net/ipv6/conf/all/disable_ipv6"] = "0",
    };

    private static readonly string[] Changing =
    [
        "meminfo", "cpuinfo", "uptime", "loadavg", "version", "stat", "vmstat", "sys/kernel/hostname", "sys/kernel/domainname", "sys/kernel/threads-max",
        "sys/kernel/random/boot_id", "sys/kernel/random/uuid", "sys/fs/file-max", "sys/fs/file-nr",
    ];

    /// <summary>The names.</summary>
    public static readonly PathTree Tree = new(
        Fixed.Keys.Concat(Changing).Concat(IpcFiles.Paths).Order(StringComparer.Ordinal).Select(path => (path, path is "sys/kernel/hostname" or "sys/kernel/domainname" ? Writable : 0)));

    /// <summary>The text of a file.</summary>
    public static string Generate(Kernel kernel, UtsNamespace uts, string path) => Fixed.TryGetValue(path, out string? text) ? text + "\n" : path switch
    {
        "meminfo" => MemoryInformation(kernel),
        "cpuinfo" => CpuInformation(kernel),
        "uptime" => Uptime(kernel),
        "loadavg" => string.Create(CultureInfo.InvariantCulture, $"0.00 0.00 0.00 {Running(kernel)}/{kernel.Processes.ThreadCount} {kernel.Processes.All.Max(process => process.Pid)}\n"),
        "version" => $"Linux version {Release} (ramet) {Version}\n",
        "stat" => Statistics(kernel),
        "vmstat" => "pgfault 0\npgmajfault 0\n",
        "sys/kernel/hostname" => uts.HostName + "\n",
        "sys/kernel/domainname" => uts.DomainName + "\n",
        "sys/kernel/threads-max" => string.Create(CultureInfo.InvariantCulture, $"{kernel.Limits.MaxThreads}\n"),
        "sys/kernel/random/boot_id" => kernel.BootId.ToString("D") + "\n",
        "sys/kernel/random/uuid" => RandomUuid(kernel) + "\n",
        "sys/fs/file-max" => string.Create(CultureInfo.InvariantCulture, $"{kernel.Limits.MaxOpenFiles}\n"),
        "sys/fs/file-nr" => string.Create(CultureInfo.InvariantCulture, $"{kernel.Mounts.OpenFiles}\t0\t{kernel.Limits.MaxOpenFiles}\n"),
        _ when path.StartsWith("sysvipc/", StringComparison.Ordinal) => IpcFiles.Generate(kernel, path),
        _ => "",
    };

    /// <summary>Takes what was written to a file.</summary>
    public static Errno Accept(UtsNamespace uts, string path, string text)
    {
        if (path is not ("sys/kernel/hostname" or "sys/kernel/domainname")) return Errno.EACCES;
        if (text.Length > 64) return Errno.EINVAL;
        if (path == "sys/kernel/hostname") uts.HostName = text;
        else uts.DomainName = text;
        return Errno.None;
    }

    /// <summary>"0" or "0-3".</summary>
    public static string CpuRange(int count) => count <= 1 ? "0" : string.Create(CultureInfo.InvariantCulture, $"0-{count - 1}");

    private static int Running(Kernel kernel) =>
        kernel.Processes.All.Sum(process => process.Threads.Count(thread => thread.State == Processes.ThreadState.Runnable));

    private static string MemoryInformation(Kernel kernel)
    {
        ulong total = kernel.Limits.MemoryBytes / 1024;
        ulong free = total - Math.Min(total, kernel.Frames.UsedBytes / 1024);
        (string Name, ulong Value)[] rows =
        [
            ("MemTotal", total), ("MemFree", free), ("MemAvailable", free), ("Buffers", 0), ("Cached", 0), ("SwapCached", 0), ("Active", total - free),
            ("Inactive", 0), ("Active(anon)", total - free), ("Inactive(anon)", 0), ("Active(file)", 0), ("Inactive(file)", 0), ("Unevictable", 0), ("Mlocked", 0),
            ("SwapTotal", 0), ("SwapFree", 0), ("Dirty", 0), ("Writeback", 0), ("AnonPages", total - free), ("Mapped", 0), ("Shmem", 0), ("KReclaimable", 0),
            ("Slab", 0), ("SReclaimable", 0), ("SUnreclaim", 0), ("KernelStack", 0), ("PageTables", 0), ("CommitLimit", total), ("Committed_AS", total - free),
            ("VmallocTotal", 34359738367), ("VmallocUsed", 0), ("HugePages_Total", 0), ("HugePages_Free", 0), ("HugePages_Rsvd", 0), ("HugePages_Surp", 0),
            ("Hugepagesize", 2048), ("DirectMap4k", total),
        ];
        var text = new StringBuilder();
        foreach (var (name, value) in rows)
        {
            string unit = name.StartsWith("HugePages_", StringComparison.Ordinal) ? "" : " kB";
            text.Append(CultureInfo.InvariantCulture, $"{name + ":",-16}{value,8}{unit}\n");
        }

        return text.ToString();
    }

    private static string CpuInformation(Kernel kernel)
    {
        var features = kernel.Machine.Features;
        double megahertz = features.TscKilohertz / 1000.0;
        var text = new StringBuilder();
        int count = Math.Max(kernel.Limits.VirtualCpus, 1);
        for (int i = 0; i < count; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"processor\t: {i}\nvendor_id\t: {features.VendorId}\ncpu family\t: 6\nmodel\t\t: 1\nmodel name\t: {features.ModelName}\n");
            text.Append(CultureInfo.InvariantCulture, $"stepping\t: 1\nmicrocode\t: 0x1\ncpu MHz\t\t: {megahertz:F3}\ncache size\t: 4096 KB\nphysical id\t: 0\nsiblings\t: {count}\n");
            text.Append(CultureInfo.InvariantCulture, $"core id\t\t: {i}\ncpu cores\t: {count}\napicid\t\t: {i}\ninitial apicid\t: {i}\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 22\n");
            text.Append(CultureInfo.InvariantCulture, $"wp\t\t: yes\nflags\t\t: {features.Flags}\nbugs\t\t:\nbogomips\t: {megahertz * 2:F2}\nclflush size\t: 64\n");
            text.Append("cache_alignment\t: 64\naddress sizes\t: 39 bits physical, 48 bits virtual\npower management:\n\n");
        }

        return text.ToString();
    }

    private static string Uptime(Kernel kernel)
    {
        double up = (kernel.MonotonicNow - kernel.BootTime) / 1e9;
        double busy = kernel.Processes.All.Sum(process => process.CpuTime) / 1e9;
        return string.Create(CultureInfo.InvariantCulture, $"{up:F2} {Math.Max((up * kernel.Limits.VirtualCpus) - busy, 0):F2}\n");
    }

    private static string Statistics(Kernel kernel)
    {
        long up = (kernel.MonotonicNow - kernel.BootTime) / 10_000_000;
        long busy = kernel.Processes.All.Sum(process => process.CpuTime) / 10_000_000;
        int count = Math.Max(kernel.Limits.VirtualCpus, 1);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"cpu  {busy} 0 0 {Math.Max((up * count) - busy, 0)} 0 0 0 0 0 0\n");
        for (int i = 0; i < count; i++) text.Append(CultureInfo.InvariantCulture, $"cpu{i} {busy / count} 0 0 {Math.Max(up - (busy / count), 0)} 0 0 0 0 0 0\n");
        long booted = (kernel.RealtimeNow - (kernel.MonotonicNow - kernel.BootTime)) / 1_000_000_000;
        text.Append(CultureInfo.InvariantCulture, $"intr 0\nctxt 0\nbtime {booted}\nprocesses {kernel.Processes.All.Count}\nprocs_running {Running(kernel)}\nprocs_blocked 0\n");
        return text.ToString();
    }

    private static string RandomUuid(Kernel kernel)
    {
        Span<byte> bytes = stackalloc byte[16];
        kernel.Random.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString("D");
    }
}
