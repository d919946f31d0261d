using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Time;

namespace Ramet.Kernel.Syscalls;

/// <summary>Clocks and sleeping.</summary>
internal static class TimeCalls
{
    private const long NanosecondsPerSecond = 1_000_000_000;
    private const long NanosecondsPerTick = 10_000_000;

    [Syscall(SyscallNumber.clock_gettime)]
    internal static SyscallResult ClockGettime(PosixThread thread, ClockId clockid, UserAddress tp)
    {
        var error = ReadClock(thread, clockid, out long now);
        if (error != Errno.None) return error;
        return thread.Memory.User.TryWrite(tp, PollingTimeout.ToTimespec(now)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.clock_getres)]
    internal static SyscallResult ClockGetres(PosixThread thread, ClockId clockid, UserAddress res)
    {
        var error = ReadClock(thread, clockid, out _);
        if (error != Errno.None) return error;
        return res.IsNull || thread.Memory.User.TryWrite(res, new Timespec { tv_nsec = 1 }) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.clock_settime, Missing = "timers that wait for a time of day already are not moved")]
    internal static SyscallResult ClockSettime(PosixThread thread, ClockId clockid, UserAddress tp)
    {
        if (clockid != ClockId.CLOCK_REALTIME) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(tp, out Timespec time)) return Errno.EFAULT;
        return PollingTimeout.TryConvert(time, out long nanoseconds) ? SetClock(thread, nanoseconds) : Errno.EINVAL;
    }

    /// <summary>Sets the sandbox's own clock. EINVAL: before the start of the machine, or after what fits (kernel/time/timekeeping.c). EPERM.</summary>
    private static Errno SetClock(PosixThread thread, long time)
    {
        // Thirty years before the end, so that a machine may stay up as long (TIME_SETTOD_SEC_MAX).
        const long Latest = long.MaxValue - (30L * 365 * 24 * 3600 * NanosecondsPerSecond);
        if (time > Latest) return Errno.EINVAL;
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_TIME)) return Errno.EPERM;
        if (time < thread.Kernel.MonotonicNow) return Errno.EINVAL;
        thread.Kernel.SetRealtime(time);
        return Errno.None;
    }

    [Syscall(SyscallNumber.gettimeofday)]
    internal static SyscallResult Gettimeofday(PosixThread thread, UserAddress tv, UserAddress tz)
    {
        thread.Kernel.Vdso?.RefreshIfStale();
        if (!tv.IsNull && !thread.Memory.User.TryWrite(tv, PollingTimeout.ToTimeval(thread.Kernel.RealtimeNow))) return Errno.EFAULT;
        return tz.IsNull || thread.Memory.User.TryWrite(tz, default(TimeZoneStructure)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.settimeofday, Missing = "timers that wait for a time of day already are not moved; the time zone is not kept")]
    internal static SyscallResult Settimeofday(PosixThread thread, UserAddress tv, UserAddress tz)
    {
        Timeval time = default;
        if (!tv.IsNull && !thread.Memory.User.TryRead(tv, out time)) return Errno.EFAULT;
        if (!tz.IsNull && !thread.Memory.User.TryRead(tz, out TimeZoneStructure _)) return Errno.EFAULT;
        if (tv.IsNull) return thread.Credentials.HasCapability(Capability.CAP_SYS_TIME) ? 0 : Errno.EPERM;
        if (time.tv_usec is < 0 or >= 1_000_000) return Errno.EINVAL;
        return PollingTimeout.TryConvert(time, out long nanoseconds) ? SetClock(thread, nanoseconds) : Errno.EINVAL;
    }

    [Syscall(SyscallNumber.time)]
    internal static SyscallResult Time(PosixThread thread, UserAddress tloc)
    {
        long now = thread.Kernel.RealtimeNow / NanosecondsPerSecond;
        return tloc.IsNull || thread.Memory.User.TryWrite(tloc, now) ? now : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.times, Missing = "system time is not counted")]
    internal static SyscallResult Times(PosixThread thread, UserAddress buf)
    {
        var times = new Tms
        {
            tms_utime = CpuClock.Of(thread.Process) / NanosecondsPerTick,
            tms_cutime = thread.Process.ChildrenTime / NanosecondsPerTick,
        };
        if (!buf.IsNull && !thread.Memory.User.TryWrite(buf, times)) return Errno.EFAULT;
        return thread.Kernel.MonotonicNow / NanosecondsPerTick;
    }

    [Syscall(SyscallNumber.adjtimex, Missing = "reads only: changes are EPERM")]
    internal static SyscallResult Adjtimex(PosixThread thread, UserAddress buf) => ReadTimex(thread, buf);

    [Syscall(SyscallNumber.clock_adjtime, Missing = "reads only: changes are EPERM")]
    internal static SyscallResult ClockAdjtime(PosixThread thread, ClockId clockid, UserAddress buf) => clockid switch
    {
        ClockId.CLOCK_REALTIME => ReadTimex(thread, buf),
        _ => ReadClock(thread, clockid, out _) == Errno.None ? Errno.EOPNOTSUPP : Errno.EINVAL,
    };

    [Syscall(SyscallNumber.nanosleep)]
    internal static SyscallResult Nanosleep(PosixThread thread, UserAddress rqtp, UserAddress rmtp) =>
        Sleep(thread, ClockId.CLOCK_MONOTONIC, 0, rqtp, rmtp);

    [Syscall(SyscallNumber.clock_nanosleep, Missing = "CPU clocks")]
    internal static SyscallResult ClockNanosleep(PosixThread thread, ClockId clockid, TimerFlags flags, UserAddress rqtp, UserAddress rmtp)
    {
        switch (clockid)
        {
            case ClockId.CLOCK_REALTIME or ClockId.CLOCK_MONOTONIC or ClockId.CLOCK_BOOTTIME or ClockId.CLOCK_TAI:
                return Sleep(thread, clockid, flags, rqtp, rmtp);
            case ClockId.CLOCK_THREAD_CPUTIME_ID:
                return Errno.EINVAL;
            default:
                return ReadClock(thread, clockid, out _) == Errno.None ? Errno.EOPNOTSUPP : Errno.EINVAL;
        }
    }

    /// <summary>A clock's time in ns. EINVAL: no such clock.</summary>
    internal static Errno ReadClock(PosixThread thread, ClockId clock, out long now)
    {
        var kernel = thread.Kernel;
        kernel.Vdso?.RefreshIfStale();
        now = 0;
        switch (clock)
        {
            case ClockId.CLOCK_REALTIME or ClockId.CLOCK_REALTIME_COARSE or ClockId.CLOCK_REALTIME_ALARM or ClockId.CLOCK_TAI:
                now = kernel.RealtimeNow;
                return Errno.None;
            case ClockId.CLOCK_MONOTONIC or ClockId.CLOCK_MONOTONIC_RAW or ClockId.CLOCK_MONOTONIC_COARSE or ClockId.CLOCK_BOOTTIME or ClockId.CLOCK_BOOTTIME_ALARM:
                now = kernel.MonotonicNow;
                return Errno.None;
            case ClockId.CLOCK_PROCESS_CPUTIME_ID:
                now = CpuClock.Of(thread.Process);
                return Errno.None;
            case ClockId.CLOCK_THREAD_CPUTIME_ID:
                now = CpuClock.Of(thread);
                return Errno.None;
            default:
                if (!TryFindCpuClock(thread, clock, out var process, out var other)) return Errno.EINVAL;
                now = other is not null ? CpuClock.Of(other) : CpuClock.Of(process!);
                return Errno.None;
        }
    }

    /// <summary>A CPU clock by number (clock_getcpuclockid(3), pthread_getcpuclockid(3)): ~id &lt;&lt; 3, bit 2 for threads, bits 0 and 1 for the kind.</summary>
    internal static bool TryFindCpuClock(PosixThread thread, ClockId clock, out Process? process, out PosixThread? other)
    {
        process = null;
        other = null;
        int number = (int)clock;
        if (number >= 0 || (number & 3) == 3) return false;
        int id = ~(number >> 3);
        if ((number & 4) != 0)
        {
            other = id == 0 ? thread : thread.Kernel.Processes.FindThread(id);
            if (other?.Process != thread.Process) other = null;
            return other is not null;
        }

        process = id == 0 ? thread.Process : thread.Kernel.Processes.FindProcess(id);
        return process is not null;
    }

    private static SyscallResult Sleep(PosixThread thread, ClockId clock, TimerFlags flags, UserAddress request, UserAddress remaining)
    {
        bool absolute = (flags & TimerFlags.TIMER_ABSTIME) != 0;
        if (!thread.Resuming)
        {
            if (!thread.Memory.User.TryRead(request, out Timespec time)) return Errno.EFAULT;
            if (!PollingTimeout.TryConvert(time, out long wait)) return Errno.EINVAL;
            var kernel = thread.Kernel;
            if (absolute && clock is ClockId.CLOCK_REALTIME or ClockId.CLOCK_TAI) wait = wait == PollingTimeout.Infinite ? wait : wait - kernel.RealtimeNow;
            else if (absolute) wait = wait == PollingTimeout.Infinite ? wait : wait - kernel.MonotonicNow;
            if (wait <= 0)
            {
                // The time has passed before the call has come here. Linux sleeps for the timer slack at least (prctl(2), 50 us), and others run: programs that poll in this way rely on it.
                kernel.Scheduler.Yield(thread);
                return 0;
            }

            thread.WaitUntil(PollingTimeout.DeadlineAfter(kernel, wait));
        }

        if (thread.TimedOut) return 0;
        if (absolute) return thread.Block(RestartKind.ERESTARTNOHAND);
        if (thread.SignalPending && !remaining.IsNull
            && !thread.Memory.User.TryWrite(remaining, PollingTimeout.ToTimespec(PollingTimeout.Left(thread))))
        {
            return Errno.EFAULT;
        }

        return thread.Block(RestartKind.ERESTART_RESTARTBLOCK);
    }

    private static SyscallResult ReadTimex(PosixThread thread, UserAddress address)
    {
        const int TIME_ERROR = 5;
        const int STA_UNSYNC = 0x40;
        if (!thread.Memory.User.TryRead(address, out Timex timex)) return Errno.EFAULT;
        if (timex.modes != 0 && timex.modes != 0xA001) return Errno.EPERM;
        timex = new Timex
        {
            maxerror = 16_000_000,
            esterror = 16_000_000,
            status = STA_UNSYNC,
            constant = 2,
            precision = 1,
            tolerance = 32_768_000,
            time = PollingTimeout.ToTimeval(thread.Kernel.RealtimeNow),
            tick = 10_000,
        };
        return thread.Memory.User.TryWrite(address, timex) ? TIME_ERROR : Errno.EFAULT;
    }
}
