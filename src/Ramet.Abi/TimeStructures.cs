using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct itimerval (setitimer(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ITimerval
{
    public Timeval it_interval;
    public Timeval it_value;
}

/// <summary>struct timezone (gettimeofday(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TimeZoneStructure
{
    public int tz_minuteswest;
    public int tz_dsttime;
}

/// <summary>struct tms (times(2)); clock ticks.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Tms
{
    public long tms_utime;
    public long tms_stime;
    public long tms_cutime;
    public long tms_cstime;
}

/// <summary>struct sigevent as the kernel reads it (timer_create(2)).</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public struct SigEvent
{
    public ulong sigev_value;
    public int sigev_signo;
    public int sigev_notify;

    /// <summary>_sigev_un._tid.</summary>
    public int sigev_notify_thread_id;
}

/// <summary>struct timex (adjtimex(2)).</summary>
[StructLayout(LayoutKind.Sequential, Size = 208)]
public struct Timex
{
    public uint modes;
    public long offset;
    public long freq;
    public long maxerror;
    public long esterror;
    public int status;
    public long constant;
    public long precision;
    public long tolerance;
    public Timeval time;
    public long tick;
    public long ppsfreq;
    public long jitter;
    public int shift;
    public long stabil;
    public long jitcnt;
    public long calcnt;
    public long errcnt;
    public long stbcnt;
    public int tai;
}

/// <summary>Clocks (clock_gettime(2)). Negative ids are CPU clocks.</summary>
public enum ClockId
{
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME_ID = 2,
    CLOCK_THREAD_CPUTIME_ID = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_TAI = 11,
}

/// <summary>TIMER_ABSTIME and its kin (clock_nanosleep(2), timer_settime(2)).</summary>
[Flags]
public enum TimerFlags
{
    TIMER_ABSTIME = 1,
}

/// <summary>Timers of setitimer(2).</summary>
public enum IntervalTimer
{
    ITIMER_REAL = 0,
    ITIMER_VIRTUAL = 1,
    ITIMER_PROF = 2,
}
