using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>eventfd(2), eventfd2(2).</summary>
internal static class EventFdSyscalls
{
    [Syscall(SyscallNumber.eventfd)]
    public static SyscallResult EventFd(PosixThread thread, uint initial) => EventFd2(thread, initial, EventFdFlags.None);

    [Syscall(SyscallNumber.eventfd2)]
    public static SyscallResult EventFd2(PosixThread thread, uint initial, EventFdFlags flags)
    {
        if ((flags & ~(EventFdFlags.EFD_SEMAPHORE | EventFdFlags.EFD_NONBLOCK | EventFdFlags.EFD_CLOEXEC)) != 0) return Errno.EINVAL;
        return DescriptorPair.InstallOne(thread, new EventFd(thread.Kernel, initial, flags), (flags & EventFdFlags.EFD_CLOEXEC) != 0);
    }
}
