using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Time;

namespace Ramet.Kernel.Syscalls;

/// <summary>Timers that send signals.</summary>
internal static class TimerCalls
{
    private const int SIGEV_SIGNAL = 0;
    private const int SIGEV_NONE = 1;
    private const int SIGEV_THREAD = 2;
    private const int SIGEV_THREAD_ID = 4;

    [Syscall(SyscallNumber.getitimer, Missing = "system time is not counted by ITIMER_PROF")]
    internal static SyscallResult Getitimer(PosixThread thread, IntervalTimer which, UserAddress value)
    {
        if (!Enum.IsDefined(which)) return Errno.EINVAL;
        return thread.Memory.User.TryWrite(value, Describe(thread.Process.GetIntervalTimer(which))) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.setitimer, Missing = "system time is not counted by ITIMER_PROF")]
    internal static SyscallResult Setitimer(PosixThread thread, IntervalTimer which, UserAddress value, UserAddress ovalue)
    {
        if (!Enum.IsDefined(which)) return Errno.EINVAL;
        var wanted = default(ITimerval);
        if (!value.IsNull && !thread.Memory.User.TryRead(value, out wanted)) return Errno.EFAULT;
        if (!TryConvert(wanted.it_value, out long first) || !TryConvert(wanted.it_interval, out long interval)) return Errno.EINVAL;
        var timer = thread.Process.GetIntervalTimer(which);
        var old = Describe(timer);
        timer.Arm(first == 0 ? PosixThread.Never : TimerQueue.After(timer.Now, first), interval);
        return ovalue.IsNull || thread.Memory.User.TryWrite(ovalue, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.alarm)]
    internal static SyscallResult Alarm(PosixThread thread, uint seconds)
    {
        var timer = thread.Process.GetIntervalTimer(IntervalTimer.ITIMER_REAL);
        long left = timer.Remaining;
        timer.Arm(seconds == 0 ? PosixThread.Never : timer.Now + (seconds * 1_000_000_000L), 0);

        // Rounded to the nearest second, but never to 0 while something was left.
        return left == 0 ? 0 : Math.Max(1, (left + 500_000_000) / 1_000_000_000);
    }

    [Syscall(SyscallNumber.timer_create)]
    internal static SyscallResult TimerCreate(PosixThread thread, ClockId clockid, UserAddress sevp, UserAddress timerid)
    {
        var process = thread.Process;
        Process? cpuProcess = null;
        PosixThread? cpuThread = null;
        switch (clockid)
        {
            case ClockId.CLOCK_REALTIME or ClockId.CLOCK_MONOTONIC or ClockId.CLOCK_BOOTTIME or ClockId.CLOCK_TAI
                or ClockId.CLOCK_REALTIME_ALARM or ClockId.CLOCK_BOOTTIME_ALARM:
                break;
            case ClockId.CLOCK_PROCESS_CPUTIME_ID:
                cpuProcess = process;
                break;
            case ClockId.CLOCK_THREAD_CPUTIME_ID:
                cpuThread = thread;
                break;
            case ClockId.CLOCK_MONOTONIC_RAW or ClockId.CLOCK_REALTIME_COARSE or ClockId.CLOCK_MONOTONIC_COARSE:
                return Errno.EOPNOTSUPP;
            default:
                if (!TimeCalls.TryFindCpuClock(thread, clockid, out cpuProcess, out cpuThread)) return Errno.EINVAL;
                // The CPU time of another process cannot be watched from here.
                if (cpuProcess is not null && cpuProcess != process) return Errno.EINVAL;
                break;
        }

        int signal = Signal.SIGALRM;
        PosixThread? target = null;
        ulong value = 0;
        if (!sevp.IsNull)
        {
            if (!thread.Memory.User.TryRead(sevp, out SigEvent wanted)) return Errno.EFAULT;
            var error = ReadEvent(thread, wanted, out signal, out target);
            if (error != Errno.None) return error;
            value = wanted.sigev_value;
        }

        // Pending signals are what RLIMIT_SIGPENDING bounds on Linux, timers included.
        if (process.PosixTimerCount >= process.SignalQueueLimit) return Errno.EAGAIN;
        var timer = new PosixTimer(process, clockid, signal, target, value);
        if (cpuProcess is not null || cpuThread is not null) timer.UseCpuTime(cpuThread);
        int id = timer.Id = process.AddPosixTimer(timer);
        if (sevp.IsNull) timer.UseIdAsValue();
        if (thread.Memory.User.TryWrite(timerid, id)) return 0;
        process.DeletePosixTimer(id);
        return Errno.EFAULT;
    }

    [Syscall(SyscallNumber.timer_settime)]
    internal static SyscallResult TimerSettime(PosixThread thread, int timerid, TimerFlags flags, UserAddress value, UserAddress ovalue)
    {
        if (value.IsNull) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(value, out ITimerspec wanted)) return Errno.EFAULT;
        if (!PollingTimeout.TryConvert(wanted.it_value, out long first) || !PollingTimeout.TryConvert(wanted.it_interval, out long interval)) return Errno.EINVAL;
        if (thread.Process.FindPosixTimer(timerid) is not { } timer) return Errno.EINVAL;
        var old = DescribePrecisely(timer);
        timer.Arm(Expiry(timer, first, (flags & TimerFlags.TIMER_ABSTIME) != 0), interval == PollingTimeout.Infinite ? 0 : interval);
        return ovalue.IsNull || thread.Memory.User.TryWrite(ovalue, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.timer_gettime)]
    internal static SyscallResult TimerGettime(PosixThread thread, int timerid, UserAddress value)
    {
        if (thread.Process.FindPosixTimer(timerid) is not { } timer) return Errno.EINVAL;
        return thread.Memory.User.TryWrite(value, DescribePrecisely(timer)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.timer_getoverrun)]
    internal static SyscallResult TimerGetoverrun(PosixThread thread, int timerid) =>
        thread.Process.FindPosixTimer(timerid) is { } timer ? timer.Overrun : Errno.EINVAL;

    [Syscall(SyscallNumber.timer_delete)]
    internal static SyscallResult TimerDelete(PosixThread thread, int timerid)
    {
        if (thread.Process.FindPosixTimer(timerid) is null) return Errno.EINVAL;
        thread.Process.DeletePosixTimer(timerid);
        return 0;
    }

    private static Errno ReadEvent(PosixThread thread, in SigEvent wanted, out int signal, out PosixThread? target)
    {
        signal = 0;
        target = null;
        switch (wanted.sigev_notify)
        {
            case SIGEV_NONE:
                return Errno.None;
            case SIGEV_SIGNAL or SIGEV_THREAD:
                break;
            case SIGEV_THREAD_ID | SIGEV_SIGNAL:
                target = thread.Kernel.Processes.FindThread(wanted.sigev_notify_thread_id);
                if (target?.Process != thread.Process) return Errno.EINVAL;
                break;
            default:
                return Errno.EINVAL;
        }

        signal = wanted.sigev_signo;
        return Signal.IsValid(signal) ? Errno.None : Errno.EINVAL;
    }

    private static long Expiry(PosixTimer timer, long time, bool absolute)
    {
        if (time is 0 or PollingTimeout.Infinite) return PosixThread.Never;
        if (!absolute) return TimerQueue.After(timer.Now, time);
        bool realTime = timer.Clock is ClockId.CLOCK_REALTIME or ClockId.CLOCK_REALTIME_ALARM or ClockId.CLOCK_TAI;
        var kernel = timer.Process.Kernel;
        return realTime ? TimerQueue.After(time - kernel.RealtimeNow, kernel.MonotonicNow) : time;
    }

    /// <summary>Unlike those of select(2), microseconds beyond a second are refused (setitimer(2)).</summary>
    private static bool TryConvert(Timeval time, out long nanoseconds)
    {
        nanoseconds = 0;
        return time.tv_usec is >= 0 and < 1_000_000 && PollingTimeout.TryConvert(time, out nanoseconds);
    }

    private static ITimerval Describe(ProgramTimer timer)
    {
        // Rounded up: an armed timer never reads as 0.
        long left = timer.Remaining;
        return new() { it_interval = PollingTimeout.ToTimeval(timer.Interval), it_value = PollingTimeout.ToTimeval(left == 0 ? 0 : Math.Max(left, 1000)) };
    }

    private static ITimerspec DescribePrecisely(ProgramTimer timer) =>
        new() { it_interval = PollingTimeout.ToTimespec(timer.Interval), it_value = PollingTimeout.ToTimespec(timer.Remaining) };
}
