using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Files;

/// <summary>Timeouts of poll, select, epoll_wait and of socket options.</summary>
internal static class PollingTimeout
{
    /// <summary>Nanoseconds for "for ever".</summary>
    public const long Infinite = long.MaxValue;

    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Nanoseconds of a timeout in milliseconds; negative: for ever.</summary>
    public static long FromMilliseconds(int milliseconds) => milliseconds < 0 ? Infinite : milliseconds * 1_000_000L;

    /// <summary>Nanoseconds of a timespec; false: EINVAL.</summary>
    public static bool TryConvert(Timespec time, out long nanoseconds)
    {
        nanoseconds = 0;
        if (time.tv_sec < 0 || time.tv_nsec is < 0 or >= NanosecondsPerSecond) return false;
        nanoseconds = time.tv_sec >= Infinite / NanosecondsPerSecond ? Infinite : time.tv_sec * NanosecondsPerSecond + time.tv_nsec;
        return true;
    }

    /// <summary>Nanoseconds of a timeval (microseconds beyond a second count, too, as select(2) has it); false: EINVAL.</summary>
    public static bool TryConvert(Timeval time, out long nanoseconds)
    {
        nanoseconds = 0;
        if (time.tv_sec < 0 || time.tv_usec < 0) return false;
        long seconds = time.tv_sec + time.tv_usec / 1_000_000;
        if (seconds < 0) return false;
        return TryConvert(new Timespec { tv_sec = seconds, tv_nsec = time.tv_usec % 1_000_000 * 1000 }, out nanoseconds);
    }

    /// <summary>A timespec of nanoseconds.</summary>
    public static Timespec ToTimespec(long nanoseconds) =>
        new() { tv_sec = nanoseconds / NanosecondsPerSecond, tv_nsec = nanoseconds % NanosecondsPerSecond };

    /// <summary>A timeval of nanoseconds.</summary>
    public static Timeval ToTimeval(long nanoseconds) =>
        new() { tv_sec = nanoseconds / NanosecondsPerSecond, tv_usec = nanoseconds % NanosecondsPerSecond / 1000 };

    /// <summary>Reads a timespec that may be null (for ever). EFAULT, EINVAL.</summary>
    public static Errno Read(PosixThread thread, UserAddress address, out long nanoseconds)
    {
        nanoseconds = Infinite;
        if (address.IsNull) return Errno.None;
        if (!thread.Memory.User.TryRead(address, out Timespec time)) return Errno.EFAULT;
        return TryConvert(time, out nanoseconds) ? Errno.None : Errno.EINVAL;
    }

    /// <summary>The deadline of a wait that begins now.</summary>
    public static long DeadlineAfter(Kernel kernel, long nanoseconds)
    {
        long now = kernel.MonotonicNow;
        return nanoseconds >= PosixThread.Never - now ? PosixThread.Never : now + nanoseconds;
    }

    /// <summary>What is left of the wait: 0 when it is over.</summary>
    public static long Left(PosixThread thread) =>
        thread.Deadline == PosixThread.Never ? Infinite : Math.Max(0, thread.Deadline - thread.Kernel.MonotonicNow);
}
