using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct rusage (getrusage(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct RUsage
{
    public Timeval ru_utime;
    public Timeval ru_stime;
    public long ru_maxrss;
    public long ru_ixrss;
    public long ru_idrss;
    public long ru_isrss;
    public long ru_minflt;
    public long ru_majflt;
    public long ru_nswap;
    public long ru_inblock;
    public long ru_oublock;
    public long ru_msgsnd;
    public long ru_msgrcv;
    public long ru_nsignals;
    public long ru_nvcsw;
    public long ru_nivcsw;
}

/// <summary>struct rlimit, struct rlimit64 (getrlimit(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct RLimit
{
    public ulong rlim_cur;
    public ulong rlim_max;
}

/// <summary>struct sysinfo (sysinfo(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysInfo
{
    public long uptime;

    /// <summary>Load over 1, 5 and 15 minutes, shifted left by 16.</summary>
    public ulong loads;
    private ulong _load5;
    private ulong _load15;
    public ulong totalram;
    public ulong freeram;
    public ulong sharedram;
    public ulong bufferram;
    public ulong totalswap;
    public ulong freeswap;
    public ushort procs;
    private ushort _pad;
    public ulong totalhigh;
    public ulong freehigh;
    public uint mem_unit;
}

/// <summary>struct sched_param (sched_setparam(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedParam
{
    public int sched_priority;
}

/// <summary>struct sched_attr (sched_setattr(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedAttr
{
    public uint size;
    public uint sched_policy;
    public ulong sched_flags;
    public int sched_nice;
    public uint sched_priority;
    public ulong sched_runtime;
    public ulong sched_deadline;
    public ulong sched_period;
    public uint sched_util_min;
    public uint sched_util_max;
}

/// <summary>struct __user_cap_header_struct (capget(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CapabilityHeader
{
    public uint version;
    public int pid;
}

/// <summary>struct __user_cap_data_struct (capget(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CapabilityData
{
    public uint effective;
    public uint permitted;
    public uint inheritable;
}

/// <summary>struct robust_list_head (get_robust_list(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct RobustListHead
{
    /// <summary>list.next.</summary>
    public ulong list;
    public long futex_offset;
    public ulong list_op_pending;
}

/// <summary>struct futex_waitv (futex_waitv(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FutexWaitV
{
    public ulong val;
    public ulong uaddr;
    public uint flags;
    public uint __reserved;
}

/// <summary>Scheduling policies (sched(7)).</summary>
public enum SchedulingPolicy
{
    SCHED_OTHER = 0,
    SCHED_FIFO = 1,
    SCHED_RR = 2,
    SCHED_BATCH = 3,
    SCHED_IDLE = 5,
    SCHED_DEADLINE = 6,
}

/// <summary>Operations of futex(2).</summary>
public enum FutexOperation
{
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_FD = 2,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_TRYLOCK_PI = 8,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_LOCK_PI2 = 13,
}

/// <summary>Operations of prctl(2).</summary>
public enum PrctlOperation
{
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_UNALIGN = 5,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_SET_SECCOMP = 22,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_TSC = 25,
    PR_SET_TSC = 26,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_MM = 35,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_SET_VMA = 0x53564d41,
}

/// <summary>Operations of arch_prctl(2) on x86-64.</summary>
public enum ArchPrctlOperation
{
    ARCH_SET_GS = 0x1001,
    ARCH_SET_FS = 0x1002,
    ARCH_GET_FS = 0x1003,
    ARCH_GET_GS = 0x1004,
    ARCH_GET_CPUID = 0x1011,
    ARCH_SET_CPUID = 0x1012,
    ARCH_GET_XCOMP_SUPP = 0x1021,
    ARCH_GET_XCOMP_PERM = 0x1022,
}

/// <summary>Commands of membarrier(2).</summary>
public enum MembarrierCommand
{
    MEMBARRIER_CMD_QUERY = 0,
    MEMBARRIER_CMD_GLOBAL = 1,
    MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64,
}

/// <summary>Flags of getrandom(2).</summary>
[Flags]
public enum RandomFlags : uint
{
    GRND_NONBLOCK = 1,
    GRND_RANDOM = 2,
    GRND_INSECURE = 4,
}
