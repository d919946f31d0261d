using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>The rlimits of a process (getrlimit(2)).</summary>
[Saved]
public sealed partial class ResourceLimitSet
{
    /// <summary>RLIM_INFINITY.</summary>
    public const ulong Infinity = ulong.MaxValue;

    private ulong[] _soft = new ulong[16];
    private ulong[] _hard = new ulong[16];

    /// <summary>The soft limit of a resource (RLIMIT_*, 0 to 15).</summary>
    public ulong Soft(ResourceLimit resource) => _soft[(int)resource];

    /// <summary>The hard limit of a resource.</summary>
    public ulong Hard(ResourceLimit resource) => _hard[(int)resource];

    /// <summary>Sets both.</summary>
    public void Set(ResourceLimit resource, ulong soft, ulong hard) => (_soft[(int)resource], _hard[(int)resource]) = (soft, hard);

    /// <summary>A copy, for fork.</summary>
    public ResourceLimitSet Clone() => new() { _soft = [.. _soft], _hard = [.. _hard] };
}

/// <summary>RLIMIT_* (include/uapi/asm-generic/resource.h).</summary>
public enum ResourceLimit
{
    RLIMIT_CPU = 0,
    RLIMIT_FSIZE = 1,
    RLIMIT_DATA = 2,
    RLIMIT_STACK = 3,
    RLIMIT_CORE = 4,
    RLIMIT_RSS = 5,
    RLIMIT_NPROC = 6,
    RLIMIT_NOFILE = 7,
    RLIMIT_MEMLOCK = 8,
    RLIMIT_AS = 9,
    RLIMIT_LOCKS = 10,
    RLIMIT_SIGPENDING = 11,
    RLIMIT_MSGQUEUE = 12,
    RLIMIT_NICE = 13,
    RLIMIT_RTPRIO = 14,
    RLIMIT_RTTIME = 15,
}
