using System.Globalization;
using System.Numerics;
using System.Text;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc/[pid]/stat, status and limits.</summary>
internal static class TaskStatusFiles
{
    private const long NanosecondsPerTick = 10_000_000;
    private const long PageSize = 4096;

    /// <summary>R, S, T, Z: what a process or thread is doing.</summary>
    public static char StateOf(Process process, PosixThread? thread)
    {
        if (thread is null) return process.IsZombie ? 'Z' : 'S';
        if (thread.IsInTraceStop) return 't';
        if (process.IsStopped && (thread.Trace is null || thread.State == ThreadState.Stopped)) return 'T';
        return thread.State switch
        {
            ThreadState.Runnable => 'R',
            ThreadState.Blocked => 'S',
            ThreadState.Stopped => 'T',
            _ => 'X',
        };
    }

    /// <summary>The 52 fields of stat.</summary>
    public static string Stat(Process process, PosixThread? thread, bool isThread)
    {
        long cpu = (isThread ? thread!.CpuTime : process.CpuTime) / NanosecondsPerTick;
        long start = ((isThread ? thread!.StartTime : process.StartTime) - process.Kernel.BootTime) / NanosecondsPerTick;
        var memory = thread?.Memory;
        int id = isThread ? thread!.Tid : process.Pid;
        var limit = process.ResourceLimits.Soft(ResourceLimit.RLIMIT_RSS);
        var terminal = process.ControllingTerminal;
        int terminalDevice = terminal is null ? 0 : Terminals.TerminalTable.EncodeDevice(terminal.Device);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{id} ({NameOf(process, thread)}) {StateOf(process, thread)} {process.Parent?.Pid ?? 0} {process.ProcessGroup} {process.Session} {terminalDevice} {terminal?.ForegroundGroup ?? -1} 4194304 0 0 0 0 "
            + $"{cpu} 0 {process.ChildrenTime / NanosecondsPerTick} 0 20 0 {process.Threads.Count} 0 {Math.Max(start, 0)} {memory?.MappedBytes ?? 0} {memory?.ResidentPages ?? 0} "
            + $"{limit} 1 1 0 0 0 0 0 0 0 0 0 0 {process.ExitSignal} 0 0 0 0 0 0 0 0 0 {memory?.ArgumentStart ?? 0} {memory?.ArgumentEnd ?? 0} "
            + $"{memory?.EnvironmentStart ?? 0} {memory?.EnvironmentEnd ?? 0} {(process.IsZombie ? process.ExitStatus : 0)}\n");
    }

    /// <summary>The lines of status.</summary>
    public static string Status(Process process, PosixThread? thread)
    {
        var text = new StringBuilder();
        char state = StateOf(process, thread);
        string word = state switch { 'R' => "running", 'S' => "sleeping", 'T' => "stopped", 't' => "tracing stop", 'Z' => "zombie", _ => "dead" };
        text.Append(CultureInfo.InvariantCulture, $"Name:\t{NameOf(process, thread)}\n");
        if (thread is not null) text.Append(CultureInfo.InvariantCulture, $"Umask:\t{Convert.ToString((int)thread.FileSystem.Umask, 8).PadLeft(4, '0')}\n");
        text.Append(CultureInfo.InvariantCulture, $"State:\t{state} ({word})\nTgid:\t{process.Pid}\nNgid:\t0\nPid:\t{thread?.Tid ?? process.Pid}\n");
        text.Append(CultureInfo.InvariantCulture, $"PPid:\t{process.Parent?.Pid ?? 0}\nTracerPid:\t{thread?.Trace?.Tracer.Tid ?? 0}\n");
        if (thread is not null) AppendThread(text, process, thread);
        AppendSignals(text, process, thread);
        if (thread is not null) AppendCapabilities(text, thread.Credentials);
        int cpus = process.Kernel.Limits.VirtualCpus;
        text.Append(CultureInfo.InvariantCulture, $"Seccomp:\t{thread?.SeccompMode ?? 0}\nSeccomp_filters:\t{thread?.SeccompFilter?.Depth ?? 0}\n");
        text.Append("Speculation_Store_Bypass:\tnot vulnerable\nSpeculationIndirectBranch:\tunknown\n");
        text.Append(CultureInfo.InvariantCulture, $"Cpus_allowed:\t{(1UL << Math.Min(cpus, 63)) - 1:x}\nCpus_allowed_list:\t{SystemFiles.CpuRange(cpus)}\n");
        text.Append("Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
        return text.ToString();
    }

    /// <summary>The table of limits.</summary>
    public static string Limits(Process process)
    {
        (ResourceLimit Resource, string Name, string Unit)[] rows =
        [
            (ResourceLimit.RLIMIT_CPU, "Max cpu time", "seconds"),
            (ResourceLimit.RLIMIT_FSIZE, "Max file size", "bytes"),
            (ResourceLimit.RLIMIT_DATA, "Max data size", "bytes"),
            (ResourceLimit.RLIMIT_STACK, "Max stack size", "bytes"),
            (ResourceLimit.RLIMIT_CORE, "Max core file size", "bytes"),
            (ResourceLimit.RLIMIT_RSS, "Max resident set", "bytes"),
            (ResourceLimit.RLIMIT_NPROC, "Max processes", "processes"),
            (ResourceLimit.RLIMIT_NOFILE, "Max open files", "files"),
            (ResourceLimit.RLIMIT_MEMLOCK, "Max locked memory", "bytes"),
            (ResourceLimit.RLIMIT_AS, "Max address space", "bytes"),
            (ResourceLimit.RLIMIT_LOCKS, "Max file locks", "locks"),
            (ResourceLimit.RLIMIT_SIGPENDING, "Max pending signals", "signals"),
            (ResourceLimit.RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"),
            (ResourceLimit.RLIMIT_NICE, "Max nice priority", ""),
            (ResourceLimit.RLIMIT_RTPRIO, "Max realtime priority", ""),
            (ResourceLimit.RLIMIT_RTTIME, "Max realtime timeout", "us"),
        ];
        var text = new StringBuilder($"{"Limit",-25} {"Soft Limit",-20} {"Hard Limit",-20} {"Units",-10}\n");
        foreach (var (resource, name, unit) in rows)
            text.Append(CultureInfo.InvariantCulture, $"{name,-25} {Format(process.ResourceLimits.Soft(resource)),-20} {Format(process.ResourceLimits.Hard(resource)),-20} {unit,-10}\n");
        return text.ToString();
    }

    private static string Format(ulong limit) => limit == ResourceLimitSet.Infinity ? "unlimited" : limit.ToString(CultureInfo.InvariantCulture);

    private static string NameOf(Process process, PosixThread? thread) => thread?.Name ?? (process.Pid == 1 ? "init" : "exited");

    private static void AppendThread(StringBuilder text, Process process, PosixThread thread)
    {
        var c = thread.Credentials;
        var memory = thread.Memory;
        text.Append(CultureInfo.InvariantCulture, $"Uid:\t{c.Uid}\t{c.EffectiveUid}\t{c.SavedUid}\t{c.FileSystemUid}\n");
        text.Append(CultureInfo.InvariantCulture, $"Gid:\t{c.Gid}\t{c.EffectiveGid}\t{c.SavedGid}\t{c.FileSystemGid}\n");
        text.Append(CultureInfo.InvariantCulture, $"FDSize:\t{thread.Files.Capacity}\nGroups:\t{string.Join(' ', c.Groups)} \n");
        text.Append(CultureInfo.InvariantCulture, $"NStgid:\t{process.Pid}\nNSpid:\t{thread.Tid}\nNSpgid:\t{process.ProcessGroup}\nNSsid:\t{process.Session}\n");
        long mapped = (long)memory.MappedBytes / 1024;
        long resident = memory.ResidentPages * PageSize / 1024;
        ulong stack = 0, code = 0;
        foreach (var area in memory.Areas)
        {
            if (area.Label == "[stack]") stack += area.Length;
            else if (area.Dentry is not null && (area.Protection & MemoryProtection.PROT_EXEC) != 0) code += area.Length;
        }

        text.Append(CultureInfo.InvariantCulture, $"VmPeak:\t{mapped,8} kB\nVmSize:\t{mapped,8} kB\nVmLck:\t{0,8} kB\nVmPin:\t{0,8} kB\nVmHWM:\t{resident,8} kB\nVmRSS:\t{resident,8} kB\n");
        text.Append(CultureInfo.InvariantCulture, $"RssAnon:\t{resident,8} kB\nRssFile:\t{0,8} kB\nRssShmem:\t{0,8} kB\n");
        text.Append(CultureInfo.InvariantCulture, $"VmData:\t{mapped,8} kB\nVmStk:\t{stack / 1024,8} kB\nVmExe:\t{code / 1024,8} kB\nVmLib:\t{0,8} kB\nVmPTE:\t{0,8} kB\nVmSwap:\t{0,8} kB\n");
        text.Append(CultureInfo.InvariantCulture, $"HugetlbPages:\t{0,8} kB\nCoreDumping:\t0\nTHP_enabled:\t0\n");
    }

    private static void AppendSignals(StringBuilder text, Process process, PosixThread? thread)
    {
        ulong ignored = 0, caught = 0;
        for (int signal = 1; signal <= 64; signal++)
        {
            ulong handler = process.Handlers[signal].Handler;
            if (handler == 1) ignored |= 1UL << (signal - 1);
            else if (handler != 0) caught |= 1UL << (signal - 1);
        }

        int queued = process.Pending.Count + (thread?.Pending.Count ?? 0);
        text.Append(CultureInfo.InvariantCulture, $"Threads:\t{process.Threads.Count}\nSigQ:\t{queued}/{process.SignalQueueLimit}\n");
        text.Append(CultureInfo.InvariantCulture, $"SigPnd:\t{thread?.Pending.Mask ?? 0:x16}\nShdPnd:\t{process.Pending.Mask:x16}\nSigBlk:\t{thread?.SignalMask ?? 0:x16}\n");
        text.Append(CultureInfo.InvariantCulture, $"SigIgn:\t{ignored:x16}\nSigCgt:\t{caught:x16}\n");
    }

    private static void AppendCapabilities(StringBuilder text, Credentials c)
    {
        text.Append(CultureInfo.InvariantCulture, $"CapInh:\t{c.Inheritable:x16}\nCapPrm:\t{c.Permitted:x16}\nCapEff:\t{c.Effective:x16}\n");
        text.Append(CultureInfo.InvariantCulture, $"CapBnd:\t{c.Bounding:x16}\nCapAmb:\t{c.Ambient:x16}\nNoNewPrivs:\t{(c.NoNewPrivileges ? 1 : 0)}\n");
    }
}
