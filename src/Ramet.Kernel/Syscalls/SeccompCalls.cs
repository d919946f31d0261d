using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Seccomp;

namespace Ramet.Kernel.Syscalls;

/// <summary>seccomp(2), and its older form in prctl(2).</summary>
internal static class SeccompCalls
{
    private const uint SECCOMP_SET_MODE_STRICT = 0;
    private const uint SECCOMP_SET_MODE_FILTER = 1;
    private const uint SECCOMP_GET_ACTION_AVAIL = 2;
    private const uint SECCOMP_FILTER_FLAG_TSYNC = 1;
    private const uint SECCOMP_FILTER_FLAG_LOG = 2;
    private const uint SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
    private const uint SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 16;

    [Syscall(SyscallNumber.seccomp, Missing = "user notification (EINVAL); nothing is logged")]
    internal static SyscallResult Seccomp(PosixThread thread, uint operation, uint flags, UserAddress arguments)
    {
        switch (operation)
        {
            case SECCOMP_SET_MODE_STRICT:
                return flags != 0 || !arguments.IsNull ? Errno.EINVAL : SetMode(thread, SeccompGate.Strict, default);
            case SECCOMP_SET_MODE_FILTER:
                return SetFilter(thread, flags, arguments);
            case SECCOMP_GET_ACTION_AVAIL:
                if (flags != 0) return Errno.EINVAL;
                if (!thread.Memory.User.TryRead(arguments, out uint action)) return Errno.EFAULT;
                return action is SeccompAction.KillProcess or SeccompAction.KillThread or SeccompAction.Trap or SeccompAction.Error or SeccompAction.Trace
                    or SeccompAction.Log or SeccompAction.Allow ? 0 : Errno.EOPNOTSUPP;
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>PR_SET_SECCOMP.</summary>
    internal static SyscallResult SetMode(PosixThread thread, ulong mode, UserAddress program)
    {
        if (mode == SeccompGate.Filter) return SetFilter(thread, 0, program);
        if (mode != SeccompGate.Strict || thread.SeccompMode == SeccompGate.Filter) return Errno.EINVAL;
        thread.SeccompMode = SeccompGate.Strict;
        return 0;
    }

    private static SyscallResult SetFilter(PosixThread thread, uint flags, UserAddress address)
    {
        const uint Known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
        if ((flags & ~Known) != 0) return Errno.EINVAL;

        // struct sock_fprog: a count and, 8 bytes on, the instructions.
        if (!thread.Memory.User.TryRead(address, out ushort length) || !thread.Memory.User.TryRead(address + 8, out ulong instructions)) return Errno.EFAULT;
        if (length is 0 or > SeccompFilter.MaximumLength) return Errno.EINVAL;
        if (!thread.Credentials.NoNewPrivileges && !thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EACCES;
        var program = new BpfInstruction[length];
        if (!thread.Memory.User.TryReadArray<BpfInstruction>(new UserAddress(instructions), program)) return Errno.EFAULT;
        if (!ClassicBpf.IsValid(program) || thread.SeccompMode == SeccompGate.Strict) return Errno.EINVAL;
        if (length + 4 + (thread.SeccompFilter?.TotalLength ?? 0) > SeccompFilter.MaximumTotal) return Errno.ENOMEM;

        bool all = (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0;
        if (all)
        {
            foreach (var other in thread.Process.Threads)
            {
                if (other == thread) continue;
                bool follows = other.SeccompMode != SeccompGate.Strict && SeccompFilter.IsAncestor(other.SeccompFilter, thread.SeccompFilter);
                if (!follows) return (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) != 0 ? Errno.ESRCH : other.Tid;
            }
        }

        var filter = new SeccompFilter(thread.SeccompFilter, program);
        foreach (var each in all ? thread.Process.Threads : [thread])
        {
            each.SeccompMode = SeccompGate.Filter;
            each.SeccompFilter = filter;
            if (!thread.Credentials.NoNewPrivileges || each.Credentials.NoNewPrivileges) continue;
            each.Credentials = each.Credentials.Clone();
            each.Credentials.NoNewPrivileges = true;
        }

        return 0;
    }
}
