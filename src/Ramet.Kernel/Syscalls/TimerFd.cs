using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).</summary>
internal static class TimerFdSyscalls
{
    [Syscall(SyscallNumber.timerfd_create)]
    public static SyscallResult TimerFdCreate(PosixThread thread, TimerFdClock clock, TimerFdFlags flags)
    {
        if ((flags & ~(TimerFdFlags.TFD_NONBLOCK | TimerFdFlags.TFD_CLOEXEC)) != 0 || !Enum.IsDefined(clock)) return Errno.EINVAL;
        return DescriptorPair.InstallOne(thread, new TimerFd(thread.Kernel, clock, flags), (flags & TimerFdFlags.TFD_CLOEXEC) != 0);
    }

    [Syscall(SyscallNumber.timerfd_settime)]
    public static SyscallResult TimerFdSetTime(PosixThread thread, int fd, TimerFdFlags flags, UserAddress newValue, UserAddress oldValue)
    {
        var memory = thread.Memory.User;
        if (!memory.TryRead(newValue, out ITimerspec wanted)) return Errno.EFAULT;
        if ((flags & ~(TimerFdFlags.TFD_TIMER_ABSTIME | TimerFdFlags.TFD_TIMER_CANCEL_ON_SET)) != 0) return Errno.EINVAL;
        if (!PollingTimeout.TryConvert(wanted.it_value, out long value) || !PollingTimeout.TryConvert(wanted.it_interval, out long interval)) return Errno.EINVAL;
        var error = Get(thread, fd, out var timer);
        if (error != Errno.None) return error;
        var old = Describe(thread, timer);
        timer.Set(thread.Kernel, flags, value, interval);
        return oldValue.IsNull || memory.TryWrite(oldValue, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.timerfd_gettime)]
    public static SyscallResult TimerFdGetTime(PosixThread thread, int fd, UserAddress value)
    {
        var error = Get(thread, fd, out var timer);
        if (error != Errno.None) return error;
        return thread.Memory.User.TryWrite(value, Describe(thread, timer)) ? 0 : Errno.EFAULT;
    }

    private static Errno Get(PosixThread thread, int fd, out TimerFd timer)
    {
        timer = null!;
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        if (description is not TimerFd found) return Errno.EINVAL;
        timer = found;
        return Errno.None;
    }

    private static ITimerspec Describe(PosixThread thread, TimerFd timer)
    {
        var (left, interval) = timer.Get(thread.Kernel);
        return new ITimerspec { it_value = PollingTimeout.ToTimespec(left), it_interval = PollingTimeout.ToTimespec(interval) };
    }
}
