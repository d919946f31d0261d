namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>CLOCK_MONOTONIC of the sandbox minus that of the host, ns: a restored sandbox goes on from where it was frozen.</summary>
    private long _monotonicOffset;

    /// <summary>CLOCK_MONOTONIC of the sandbox minus that of the host, ns.</summary>
    internal long MonotonicOffset => _monotonicOffset;

    /// <summary>CLOCK_MONOTONIC of the sandbox, ns. All deadlines are in it.</summary>
    public long MonotonicNow => _ports.Clock.MonotonicNanoseconds + _monotonicOffset;

    /// <summary>CLOCK_REALTIME, ns since 1970: the host's.</summary>
    public long RealtimeNow => _ports.Clock.RealtimeNanoseconds;

    /// <summary>When the sandbox's oldest ancestor started, on <see cref="MonotonicNow"/>.</summary>
    public long BootTime { get; private set; }
}
