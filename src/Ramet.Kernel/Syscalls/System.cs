using System.Text;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>The system as a whole.</summary>
internal static class SystemCalls
{
    /// <summary>The release that programs see: that of the Linux whose calls these are.</summary>
    internal const string Release = "6.12.0-ramet";

    /// <summary>The version that programs see.</summary>
    internal const string Version = "#1 SMP PREEMPT_DYNAMIC Ramet";

    private const int NameLength = 64;

    [Syscall(SyscallNumber.uname)]
    internal static SyscallResult Uname(PosixThread thread, UserAddress buf)
    {
        Span<byte> bytes = stackalloc byte[6 * (NameLength + 1)];
        bytes.Clear();
        ReadOnlySpan<string> names = ["Linux", thread.Uts.HostName, Release, Version, "x86_64", thread.Uts.DomainName];
        for (int i = 0; i < names.Length; i++) Encoding.Latin1.GetBytes(names[i].AsSpan(0, Math.Min(names[i].Length, NameLength)), bytes[(i * (NameLength + 1))..]);
        return thread.Memory.User.Write(buf, bytes) == bytes.Length ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.sethostname)]
    internal static SyscallResult Sethostname(PosixThread thread, UserAddress name, int len)
    {
        var error = ReadName(thread, name, len, out string text);
        if (error == Errno.None) thread.Uts.HostName = text;
        return error;
    }

    [Syscall(SyscallNumber.setdomainname)]
    internal static SyscallResult Setdomainname(PosixThread thread, UserAddress name, int len)
    {
        var error = ReadName(thread, name, len, out string text);
        if (error == Errno.None) thread.Uts.DomainName = text;
        return error;
    }

    [Syscall(SyscallNumber.sysinfo, Missing = "load averages")]
    internal static SyscallResult Sysinfo(PosixThread thread, UserAddress info)
    {
        var kernel = thread.Kernel;
        ulong used = kernel.Frames.UsedBytes;
        var answer = new SysInfo
        {
            uptime = (kernel.MonotonicNow - kernel.BootTime) / 1_000_000_000,
            totalram = kernel.Limits.MemoryBytes,
            freeram = kernel.Limits.MemoryBytes - Math.Min(used, kernel.Limits.MemoryBytes),
            procs = (ushort)Math.Min(kernel.Processes.ThreadCount, ushort.MaxValue),
            mem_unit = 1,
        };
        return thread.Memory.User.TryWrite(info, answer) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.syslog, Missing = "the log is empty")]
    internal static SyscallResult Syslog(PosixThread thread, int type, UserAddress bufp, int len) => type switch
    {
        // Open, close, read all, size of the unread part: nothing to see. Size of the buffer: what Linux has at least.
        0 or 1 or 9 => 0,
        3 => bufp.IsNull || len < 0 ? Errno.EINVAL : 0,
        10 => 1 << 17,
        2 or 4 or 5 or 6 or 7 or 8 => Errno.EPERM,
        _ => Errno.EINVAL,
    };

    [Syscall(SyscallNumber.personality, Missing = "other personalities than Linux change nothing")]
    internal static SyscallResult Personality(PosixThread thread, uint persona)
    {
        uint old = thread.Process.Personality;
        if (persona != uint.MaxValue) thread.Process.Personality = persona;
        return (long)old;
    }

    [Syscall(SyscallNumber.membarrier, Missing = "rseq commands")]
    internal static SyscallResult Membarrier(PosixThread thread, MembarrierCommand cmd, uint flags, int cpu_id)
    {
        const MembarrierCommand All = (MembarrierCommand)127;
        if (flags != 0) return Errno.EINVAL;
        var process = thread.Process;
        switch (cmd)
        {
            case MembarrierCommand.MEMBARRIER_CMD_QUERY:
                return (int)All;
            case MembarrierCommand.MEMBARRIER_CMD_GLOBAL or MembarrierCommand.MEMBARRIER_CMD_GLOBAL_EXPEDITED:
                foreach (var space in thread.Kernel.AddressSpaces().ToArray()) thread.Kernel.Scheduler.LeaveGuest(space);
                return 0;
            case MembarrierCommand.MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED or MembarrierCommand.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
                or MembarrierCommand.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
                process.MembarrierRegistrations |= cmd;
                return 0;
            case MembarrierCommand.MEMBARRIER_CMD_PRIVATE_EXPEDITED or MembarrierCommand.MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
                if (((int)process.MembarrierRegistrations & ((int)cmd << 1)) == 0) return Errno.EPERM;
                // Leaving and entering the guest is a full barrier, and serializes.
                thread.Kernel.Scheduler.LeaveGuest(thread.Memory);
                return 0;
            default:
                return Errno.EINVAL;
        }
    }

    [Syscall(SyscallNumber.arch_prctl, Missing = "CPUID faulting, XSAVE permissions (all components are permitted)")]
    internal static SyscallResult ArchPrctl(PosixThread thread, ArchPrctlOperation op, UserAddress addr)
    {
        // TASK_SIZE_MAX: beyond it an address is the kernel's or not canonical.
        const ulong End = (1UL << 47) - GuestMemory.PageSize;
        switch (op)
        {
            case ArchPrctlOperation.ARCH_SET_FS:
                if (addr.Value >= End) return Errno.EPERM;
                if (LoadedOn(thread) is { } fs) fs.FsBase = addr.Value;
                thread.FsBase = addr.Value;
                return 0;
            case ArchPrctlOperation.ARCH_SET_GS:
                if (addr.Value >= End) return Errno.EPERM;
                if (LoadedOn(thread) is { } gs) gs.GsBase = addr.Value;
                thread.GsBase = addr.Value;
                return 0;
            case ArchPrctlOperation.ARCH_GET_FS:
                return thread.Memory.User.TryWrite(addr, LoadedOn(thread)?.FsBase ?? thread.FsBase) ? 0 : Errno.EFAULT;
            case ArchPrctlOperation.ARCH_GET_GS:
                return thread.Memory.User.TryWrite(addr, LoadedOn(thread)?.GsBase ?? thread.GsBase) ? 0 : Errno.EFAULT;
            case ArchPrctlOperation.ARCH_GET_CPUID:
                return 1;
            case ArchPrctlOperation.ARCH_SET_CPUID:
                return Errno.ENODEV;
            case ArchPrctlOperation.ARCH_GET_XCOMP_SUPP or ArchPrctlOperation.ARCH_GET_XCOMP_PERM:
                return thread.Memory.User.TryWrite(addr, thread.Kernel.Machine.Features.XStateMask) ? 0 : Errno.EFAULT;
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>The virtual CPU that holds the thread's segment bases; null: the thread has them.</summary>
    private static IVirtualCpu? LoadedOn(PosixThread thread)
    {
        foreach (var vcpu in thread.Kernel.Scheduler.Vcpus)
        {
            if (vcpu.Loaded == thread) return vcpu.Machine;
        }

        return null;
    }

    private static Errno ReadName(PosixThread thread, UserAddress address, int length, out string name)
    {
        name = "";
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EPERM;
        if (length is < 0 or > NameLength) return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[NameLength];
        bytes = bytes[..length];
        if (thread.Memory.User.Read(address, bytes) != length) return Errno.EFAULT;
        int end = bytes.IndexOf((byte)0);
        name = Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]);
        return Errno.None;
    }
}
