namespace Ramet.Host;

/// <summary>The host's clocks, in nanoseconds. clock_gettime(2).</summary>
public static class HostClock
{
    /// <summary>CLOCK_MONOTONIC: since some point in the past; never goes back.</summary>
    public static long MonotonicNanoseconds => Read(Libc.CLOCK_MONOTONIC);

    /// <summary>CLOCK_REALTIME: since 1970-01-01 UTC; may be set.</summary>
    public static long RealtimeNanoseconds => Read(Libc.CLOCK_REALTIME);

    private static unsafe long Read(int clock)
    {
        Timespec time;
        // SAFETY: the kernel fills the struct on our stack.
        if (Libc.ClockGetTime(clock, &time) != 0)
            throw HostException.FromErrno("clock_gettime");
        return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
    }
}
