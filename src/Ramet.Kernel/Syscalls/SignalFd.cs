using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Syscalls;

/// <summary>signalfd(2), signalfd4(2).</summary>
internal static class SignalFdSyscalls
{
    [Syscall(SyscallNumber.signalfd)]
    public static SyscallResult SignalFd(PosixThread thread, int fd, UserAddress mask, ulong maskSize) => SignalFd4(thread, fd, mask, maskSize, SignalFdFlags.None);

    [Syscall(SyscallNumber.signalfd4)]
    public static SyscallResult SignalFd4(PosixThread thread, int fd, UserAddress mask, ulong maskSize, SignalFdFlags flags)
    {
        if (maskSize != sizeof(ulong) || (flags & ~(SignalFdFlags.SFD_NONBLOCK | SignalFdFlags.SFD_CLOEXEC)) != 0) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(mask, out ulong set)) return Errno.EFAULT;
        set &= ~Signal.Unblockable;
        if (fd == -1) return DescriptorPair.InstallOne(thread, new SignalFd(thread, set, flags), (flags & SignalFdFlags.SFD_CLOEXEC) != 0);
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        if (description is not SignalFd existing) return Errno.EINVAL;
        existing.SetMask(set);
        return fd;
    }
}
