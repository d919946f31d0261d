using Ramet.Kernel.State;

namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>CLOCK_MONOTONIC of the sandbox minus that of the host, ns: a restored sandbox goes on from where it was frozen.</summary>
    private long _monotonicOffset;

    /// <summary>CLOCK_MONOTONIC of the sandbox minus that of the host, ns.</summary>
    internal long MonotonicOffset => _monotonicOffset;

    /// <summary>CLOCK_MONOTONIC of the sandbox, ns. All deadlines are in it.</summary>
    public long MonotonicNow => _ports.Clock.MonotonicNanoseconds + _monotonicOffset;

    /// <summary>CLOCK_REALTIME of the sandbox minus that of the host, ns: 0 until a program sets the clock. A fork begins with the host's time again.</summary>
    internal long RealtimeOffset { get; private set; }

    /// <summary>CLOCK_REALTIME, ns since 1970: the host's, unless a program has set it.</summary>
    public long RealtimeNow => _ports.Clock.RealtimeNanoseconds + RealtimeOffset;

    /// <summary>clock_settime(2): from now on the sandbox's clock goes on from this time, ns since 1970. Nothing outside changes.</summary>
    internal void SetRealtime(long time)
    {
        RealtimeOffset = time - _ports.Clock.RealtimeNanoseconds;
        Vdso.Refresh();
    }

    [NotSaved]
    private bool _clockStopped;

    /// <summary>CLOCK_MONOTONIC stands still, and no timer fires, until <see cref="StartClock"/>. The sandbox must stand still.</summary>
    public void StopClock()
    {
        lock (Lock)
        {
            _savedMonotonic = MonotonicNow;
            _clockStopped = true;
        }
    }

    /// <summary>CLOCK_MONOTONIC goes on from where <see cref="StopClock"/> stopped it.</summary>
    public void StartClock()
    {
        lock (Lock)
        {
            if (!_clockStopped) return;
            _clockStopped = false;
            SetClock();
            Vdso.Refresh();
            // What is set was in the host's time before.
            _alarm = long.MinValue;
        }
    }

    /// <summary>When the sandbox's oldest ancestor started, on <see cref="MonotonicNow"/>.</summary>
    public long BootTime { get; private set; }
}
