using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Scheduling. What is set is kept and reported; all threads get equal turns.</summary>
internal static class SchedulingCalls
{
    private const string EqualTurns = "kept and reported; all threads get equal turns";
    private const int SCHED_RESET_ON_FORK = 0x40000000;
    private const int PRIO_PROCESS = 0;
    private const int PRIO_PGRP = 1;
    private const int PRIO_USER = 2;
    private const int AttributesSize = 56;
    private const int FirstAttributesSize = 48;

    [Syscall(SyscallNumber.sched_yield)]
    internal static SyscallResult SchedYield(PosixThread thread)
    {
        thread.Kernel.Scheduler.Yield(thread);
        return 0;
    }

    [Syscall(SyscallNumber.getcpu)]
    internal static SyscallResult Getcpu(PosixThread thread, UserAddress cpu, UserAddress node, UserAddress unused)
    {
        int index = 0;
        foreach (var vcpu in thread.Kernel.Scheduler.Vcpus)
        {
            if (vcpu.Current == thread) index = vcpu.Index;
        }

        var user = thread.Memory.User;
        return (cpu.IsNull || user.TryWrite(cpu, index)) && (node.IsNull || user.TryWrite(node, 0)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.sched_getaffinity)]
    internal static SyscallResult SchedGetaffinity(PosixThread thread, int pid, uint len, UserAddress user_mask_ptr)
    {
        // A mask of whole words that holds all CPUs; one word does.
        if (len < sizeof(ulong) || len % sizeof(ulong) != 0) return Errno.EINVAL;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        return thread.Memory.User.TryWrite(user_mask_ptr, target.Affinity & Present(thread)) ? sizeof(ulong) : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.sched_setaffinity, Missing = EqualTurns)]
    internal static SyscallResult SchedSetaffinity(PosixThread thread, int pid, uint len, UserAddress user_mask_ptr)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        int count = (int)Math.Min(len, sizeof(ulong));
        if (thread.Memory.User.Read(user_mask_ptr, bytes[..count]) != count) return Errno.EFAULT;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        if (!MayChange(thread, target)) return Errno.EPERM;
        ulong mask = BitConverter.ToUInt64(bytes);
        if ((mask & Present(thread)) == 0) return Errno.EINVAL;
        target.Affinity = mask;
        return 0;
    }

    [Syscall(SyscallNumber.sched_getscheduler)]
    internal static SyscallResult SchedGetscheduler(PosixThread thread, int pid)
    {
        if (pid < 0) return Errno.EINVAL;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        return (int)target.Policy | (target.ResetSchedulingOnFork ? SCHED_RESET_ON_FORK : 0);
    }

    [Syscall(SyscallNumber.sched_setscheduler, Missing = EqualTurns)]
    internal static SyscallResult SchedSetscheduler(PosixThread thread, int pid, int policy, UserAddress param)
    {
        if (policy < 0 || param.IsNull || pid < 0) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(param, out SchedParam wanted)) return Errno.EFAULT;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        return Set(thread, target, (SchedulingPolicy)(policy & ~SCHED_RESET_ON_FORK), wanted.sched_priority, target.Nice, (policy & SCHED_RESET_ON_FORK) != 0);
    }

    [Syscall(SyscallNumber.sched_getparam)]
    internal static SyscallResult SchedGetparam(PosixThread thread, int pid, UserAddress param)
    {
        if (param.IsNull || pid < 0) return Errno.EINVAL;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        return thread.Memory.User.TryWrite(param, new SchedParam { sched_priority = target.RealTimePriority }) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.sched_setparam, Missing = EqualTurns)]
    internal static SyscallResult SchedSetparam(PosixThread thread, int pid, UserAddress param)
    {
        if (param.IsNull || pid < 0) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(param, out SchedParam wanted)) return Errno.EFAULT;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        return Set(thread, target, target.Policy, wanted.sched_priority, target.Nice, target.ResetSchedulingOnFork);
    }

    [Syscall(SyscallNumber.sched_getattr)]
    internal static SyscallResult SchedGetattr(PosixThread thread, int pid, UserAddress uattr, uint usize, uint flags)
    {
        if (uattr.IsNull || pid < 0 || flags != 0 || usize is < FirstAttributesSize or > 4096) return Errno.EINVAL;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        var attributes = new SchedAttr
        {
            size = Math.Min(usize, AttributesSize),
            sched_policy = (uint)target.Policy,
            sched_flags = target.ResetSchedulingOnFork ? 1UL : 0,
            sched_nice = target.Policy is SchedulingPolicy.SCHED_OTHER or SchedulingPolicy.SCHED_BATCH or SchedulingPolicy.SCHED_IDLE ? target.Nice : 0,
            sched_priority = (uint)target.RealTimePriority,
            sched_util_max = 1024,
        };
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<SchedAttr>(in attributes))[..(int)attributes.size];
        return thread.Memory.User.Write(uattr, bytes) == bytes.Length ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.sched_setattr, Missing = EqualTurns + "; SCHED_DEADLINE")]
    internal static SyscallResult SchedSetattr(PosixThread thread, int pid, UserAddress uattr, uint flags)
    {
        if (uattr.IsNull || pid < 0 || flags != 0) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(uattr, out uint size)) return Errno.EFAULT;
        if (size == 0) size = FirstAttributesSize;
        if (size is < FirstAttributesSize or > 4096)
            return thread.Memory.User.TryWrite(uattr, (uint)AttributesSize) ? Errno.E2BIG : Errno.EFAULT;
        SchedAttr wanted = default;
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<SchedAttr>(ref wanted))[..(int)Math.Min(size, AttributesSize)];
        if (thread.Memory.User.Read(uattr, bytes) != bytes.Length) return Errno.EFAULT;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        if ((wanted.sched_flags & ~1UL) != 0 || (int)wanted.sched_policy < 0) return Errno.EINVAL;
        int nice = Math.Clamp(wanted.sched_nice, -20, 19);
        return Set(thread, target, (SchedulingPolicy)wanted.sched_policy, (int)wanted.sched_priority, nice, (wanted.sched_flags & 1) != 0);
    }

    [Syscall(SyscallNumber.sched_get_priority_max)]
    internal static SyscallResult SchedGetPriorityMax(PosixThread thread, SchedulingPolicy policy) => policy switch
    {
        SchedulingPolicy.SCHED_FIFO or SchedulingPolicy.SCHED_RR => 99,
        _ => Enum.IsDefined(policy) ? 0 : Errno.EINVAL,
    };

    [Syscall(SyscallNumber.sched_get_priority_min)]
    internal static SyscallResult SchedGetPriorityMin(PosixThread thread, SchedulingPolicy policy) => policy switch
    {
        SchedulingPolicy.SCHED_FIFO or SchedulingPolicy.SCHED_RR => 1,
        _ => Enum.IsDefined(policy) ? 0 : Errno.EINVAL,
    };

    [Syscall(SyscallNumber.sched_rr_get_interval)]
    internal static SyscallResult SchedRrGetInterval(PosixThread thread, int pid, UserAddress interval)
    {
        if (pid < 0) return Errno.EINVAL;
        if (Find(thread, pid) is not { } target) return Errno.ESRCH;
        long slice = target.Policy == SchedulingPolicy.SCHED_FIFO ? 0 : Scheduler.TimeSlice;
        return thread.Memory.User.TryWrite(interval, PollingTimeout.ToTimespec(slice)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.getpriority)]
    internal static SyscallResult Getpriority(PosixThread thread, int which, int who)
    {
        if (which is < PRIO_PROCESS or > PRIO_USER) return Errno.EINVAL;
        int best = int.MaxValue;
        foreach (var target in Select(thread, which, who)) best = Math.Min(best, target.Nice);
        return best == int.MaxValue ? Errno.ESRCH : 20 - best;
    }

    [Syscall(SyscallNumber.setpriority, Missing = EqualTurns)]
    internal static SyscallResult Setpriority(PosixThread thread, int which, int who, int niceval)
    {
        if (which is < PRIO_PROCESS or > PRIO_USER) return Errno.EINVAL;
        int nice = Math.Clamp(niceval, -20, 19);
        var error = Errno.ESRCH;
        foreach (var target in Select(thread, which, who))
        {
            var result = !MayChange(thread, target) ? Errno.EPERM : MayNice(thread, target, nice) ? Errno.None : Errno.EACCES;
            if (result == Errno.None) target.Nice = nice;
            if (error is Errno.ESRCH || result != Errno.None) error = result;
        }

        return error;
    }

    [Syscall(SyscallNumber.ioprio_get)]
    internal static SyscallResult IoprioGet(PosixThread thread, int which, int who)
    {
        if (which is < 1 or > 3) return Errno.EINVAL;
        foreach (var target in Select(thread, which - 1, who)) return target.IoPriority;
        return Errno.ESRCH;
    }

    [Syscall(SyscallNumber.ioprio_set, Missing = "kept and reported; changes nothing")]
    internal static SyscallResult IoprioSet(PosixThread thread, int which, int who, int ioprio)
    {
        if (which is < 1 or > 3 || ioprio >> 13 is < 0 or > 3 || (ioprio & 0x1FFF) > 7) return Errno.EINVAL;
        var error = Errno.ESRCH;
        foreach (var target in Select(thread, which - 1, who))
        {
            error = MayChange(thread, target) ? Errno.None : Errno.EPERM;
            if (error != Errno.None) break;
            target.IoPriority = ioprio;
        }

        return error;
    }

    private static ulong Present(PosixThread thread)
    {
        int count = thread.Kernel.Scheduler.Vcpus.Length;
        return count >= 64 ? ulong.MaxValue : (1UL << count) - 1;
    }

    private static PosixThread? Find(PosixThread thread, int tid) =>
        tid == 0 ? thread : thread.Kernel.Processes.FindThread(tid) ?? thread.Kernel.Processes.FindProcess(tid)?.Leader;

    private static IEnumerable<PosixThread> Select(PosixThread thread, int which, int who)
    {
        var processes = thread.Kernel.Processes;
        return which switch
        {
            PRIO_PROCESS => Find(thread, who) is { } target ? [target] : [],
            PRIO_PGRP => processes.InGroup(who == 0 ? thread.Process.ProcessGroup : who).SelectMany(process => process.Threads),
            _ => processes.All.SelectMany(process => process.Threads).Where(other => other.Credentials.Uid == (who == 0 ? thread.Credentials.Uid : (uint)who)),
        };
    }

    private static bool MayChange(PosixThread thread, PosixThread target)
    {
        uint own = thread.Credentials.EffectiveUid;
        return own == target.Credentials.Uid || own == target.Credentials.EffectiveUid || thread.Credentials.HasCapability(Capability.CAP_SYS_NICE);
    }

    private static bool MayNice(PosixThread thread, PosixThread target, int nice) =>
        nice >= target.Nice || thread.Credentials.HasCapability(Capability.CAP_SYS_NICE)
        || (ulong)(20 - nice) <= target.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_NICE);

    private static Errno Set(PosixThread thread, PosixThread target, SchedulingPolicy policy, int priority, int nice, bool resetOnFork)
    {
        bool realTime = policy is SchedulingPolicy.SCHED_FIFO or SchedulingPolicy.SCHED_RR;
        if (!Enum.IsDefined(policy) || policy == SchedulingPolicy.SCHED_DEADLINE) return Errno.EINVAL;
        if (realTime ? priority is < 1 or > 99 : priority != 0) return Errno.EINVAL;
        if (!MayChange(thread, target)) return Errno.EPERM;
        ulong allowed = target.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_RTPRIO);
        bool raises = realTime && (policy != target.Policy || priority > target.RealTimePriority) && (ulong)priority > allowed;
        if ((raises || !MayNice(thread, target, nice)) && !thread.Credentials.HasCapability(Capability.CAP_SYS_NICE)) return Errno.EPERM;
        target.Policy = policy;
        target.RealTimePriority = priority;
        target.ResetSchedulingOnFork = resetOnFork;
        if (!realTime) target.Nice = nice;
        return Errno.None;
    }
}
