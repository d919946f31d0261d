using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Time;

namespace Ramet.Kernel.Syscalls;

/// <summary>rlimits and what has been used.</summary>
internal static class LimitCalls
{
    private const ulong MostOpenFiles = 1048576;
    private const int RUSAGE_SELF = 0;
    private const int RUSAGE_CHILDREN = -1;
    private const int RUSAGE_THREAD = 1;

    [Syscall(SyscallNumber.getrlimit)]
    internal static SyscallResult Getrlimit(PosixThread thread, ResourceLimit resource, UserAddress rlim) =>
        Prlimit(thread, 0, resource, default, rlim);

    [Syscall(SyscallNumber.setrlimit, Missing = "RLIMIT_RSS, RLIMIT_LOCKS and RLIMIT_RTTIME are kept but do nothing")]
    internal static SyscallResult Setrlimit(PosixThread thread, ResourceLimit resource, UserAddress rlim) =>
        rlim.IsNull ? Errno.EFAULT : Prlimit(thread, 0, resource, rlim, default);

    [Syscall(SyscallNumber.prlimit64, Missing = "RLIMIT_RSS, RLIMIT_LOCKS and RLIMIT_RTTIME are kept but do nothing")]
    internal static SyscallResult Prlimit(PosixThread thread, int pid, ResourceLimit resource, UserAddress new_limit, UserAddress old_limit)
    {
        if (!Enum.IsDefined(resource)) return Errno.EINVAL;
        var wanted = default(RLimit);
        if (!new_limit.IsNull && !thread.Memory.User.TryRead(new_limit, out wanted)) return Errno.EFAULT;
        var process = pid == 0 ? thread.Process : thread.Kernel.Processes.FindThread(pid)?.Process;
        if (process is null) return Errno.ESRCH;
        if (process != thread.Process && !MayLimit(thread, process)) return Errno.EPERM;
        var limits = process.ResourceLimits;
        var old = new RLimit { rlim_cur = limits.Soft(resource), rlim_max = limits.Hard(resource) };
        if (!new_limit.IsNull)
        {
            if (wanted.rlim_cur > wanted.rlim_max) return Errno.EINVAL;
            if (resource == ResourceLimit.RLIMIT_NOFILE && wanted.rlim_max > MostOpenFiles) return Errno.EPERM;
            if (wanted.rlim_max > old.rlim_max && !thread.Credentials.HasCapability(Capability.CAP_SYS_RESOURCE)) return Errno.EPERM;
            limits.Set(resource, wanted.rlim_cur, wanted.rlim_max);
            if (resource == ResourceLimit.RLIMIT_CPU) process.WatchCpuLimit();
            if (resource == ResourceLimit.RLIMIT_STACK && process.Leader is { } leader) leader.Memory.StackLimit = wanted.rlim_cur;
        }

        return old_limit.IsNull || thread.Memory.User.TryWrite(old_limit, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.getrusage, Missing = "system time, faults and context switches are not counted")]
    internal static SyscallResult Getrusage(PosixThread thread, int who, UserAddress usage)
    {
        long resident = thread.Memory.ResidentPages * 4;
        switch (who)
        {
            case RUSAGE_SELF:
                return ResourceUsage.TryWrite(thread.Memory.User, usage, CpuClock.Of(thread.Process), resident) ? 0 : Errno.EFAULT;
            case RUSAGE_CHILDREN:
                return ResourceUsage.TryWrite(thread.Memory.User, usage, thread.Process.ChildrenTime, thread.Process.ChildrenPeakKilobytes) ? 0 : Errno.EFAULT;
            case RUSAGE_THREAD:
                return ResourceUsage.TryWrite(thread.Memory.User, usage, CpuClock.Of(thread), resident) ? 0 : Errno.EFAULT;
            default:
                return Errno.EINVAL;
        }
    }

    private static bool MayLimit(PosixThread thread, Process process)
    {
        var own = thread.Credentials;
        if (own.HasCapability(Capability.CAP_SYS_RESOURCE)) return true;
        var target = process.Leader?.Credentials;
        return target is not null && target.Uid == own.Uid && target.EffectiveUid == own.Uid && target.SavedUid == own.Uid
            && target.Gid == own.Gid && target.EffectiveGid == own.Gid && target.SavedGid == own.Gid;
    }
}
