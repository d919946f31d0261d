using System.Runtime.InteropServices;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Time;

namespace Ramet.Kernel.Files;

/// <summary>CLOCK_* that timerfd_create(2) takes.</summary>
public enum TimerFdClock
{
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
}

/// <summary>TFD_* of timerfd_create(2) and timerfd_settime(2).</summary>
[Flags]
public enum TimerFdFlags
{
    None = 0,
    TFD_TIMER_ABSTIME = 0x1,
    TFD_TIMER_CANCEL_ON_SET = 0x2,
    TFD_NONBLOCK = OpenFlags.O_NONBLOCK,
    TFD_CLOEXEC = OpenFlags.O_CLOEXEC,
}

/// <summary>A timer whose expirations are read (timerfd_create(2)).</summary>
[Saved]
public sealed partial class TimerFd : FileDescription
{
    private TimerFdTimer _timer = null!;
    private WaitQueue _queue = new();
    private TimerFdClock _clock;
    private long _expiry;
    private long _interval;
    private ulong _expirations;
    private long _generation = -1;

    private TimerFd()
    {
    }

    /// <summary>A timer that is not set.</summary>
    public TimerFd(Kernel kernel, TimerFdClock clock, TimerFdFlags flags)
    {
        _clock = clock;
        _timer = new TimerFdTimer(this, kernel);
        Flags = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
        Inode = new AnonymousInode(kernel, "[timerfd]", InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <inheritdoc/>
    public override string AnonymousName => ((AnonymousInode)Inode).LinkName;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _queue;

    /// <summary>
    /// Whether the wall clock has jumped since a timer with TFD_TIMER_CANCEL_ON_SET was set. Programs cannot set it; it jumps when the sandbox goes on from a snapshot.
    /// </summary>
    private bool IsCancelled => _generation >= 0 && _generation != _timer.Kernel.Generation;

    private bool IsWallClock => _clock is TimerFdClock.CLOCK_REALTIME or TimerFdClock.CLOCK_REALTIME_ALARM;

    /// <inheritdoc/>
    public override PollEvents Poll() => _expirations > 0 || IsCancelled ? Readiness.In : PollEvents.None;

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining < sizeof(ulong)) return Errno.EINVAL;
        if (IsCancelled)
        {
            _generation = _timer.Kernel.Generation;
            _expirations = 0;
            return Errno.ECANCELED;
        }

        if (_expirations == 0) return NonBlocking ? Errno.EAGAIN : thread.BlockOn(_queue, PollEvents.POLLIN);
        ulong value = _expirations;
        _expirations = 0;
        return buffer.CopyFrom(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))) == sizeof(ulong) ? sizeof(ulong) : Errno.EFAULT;
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer) => Errno.EINVAL;

    /// <summary>timerfd_settime(2); times are ns, a value of 0 stops the timer.</summary>
    internal void Set(Kernel kernel, TimerFdFlags flags, long value, long interval)
    {
        kernel.Timers.Cancel(_timer);
        _expirations = 0;
        _interval = interval;
        const TimerFdFlags Cancels = TimerFdFlags.TFD_TIMER_ABSTIME | TimerFdFlags.TFD_TIMER_CANCEL_ON_SET;
        _generation = (flags & Cancels) == Cancels && IsWallClock ? kernel.Generation : -1;
        if (value == 0) return;
        if ((flags & TimerFdFlags.TFD_TIMER_ABSTIME) == 0)
        {
            _expiry = PollingTimeout.DeadlineAfter(kernel, value);
            kernel.Timers.Set(_timer, _expiry);
            return;
        }

        // The host's clock may be set later, or be another after a restore: the timer keeps to the time that it is now.
        _expiry = IsWallClock ? PollingTimeout.DeadlineAfter(kernel, Math.Max(0, value - kernel.RealtimeNow)) : value;

        // A time that has passed has expired already, without waiting for the host's alarm.
        if (_expiry <= kernel.MonotonicNow) OnDue(kernel);
        else kernel.Timers.Set(_timer, _expiry);
    }

    /// <summary>timerfd_gettime(2): what is left, and the interval.</summary>
    internal (long Left, long Interval) Get(Kernel kernel) =>
        (_timer.IsSet ? Math.Max(1, _expiry - kernel.MonotonicNow) : 0, _interval);

    internal void OnDue(Kernel kernel)
    {
        long now = kernel.MonotonicNow;
        long times = 1;
        if (_interval > 0)
        {
            long missed = Math.Max(0, now - _expiry) / _interval;
            times += missed;
            _expiry = TimerQueue.After(_expiry + (missed * _interval), _interval);
            // What comes more often is counted together: the alarms are the host's, also while the sandbox sleeps.
            kernel.Timers.Set(_timer, _interval < ProgramTimer.ShortestPeriod ? Math.Max(_expiry, now + ProgramTimer.ShortestPeriod) : _expiry);
        }

        _expirations += (ulong)times;
        _queue.Wake(Readiness.In);
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel) => kernel.Timers.Cancel(_timer);
}

/// <summary>The timer behind a <see cref="TimerFd"/>.</summary>
[Saved]
internal sealed partial class TimerFdTimer : KernelTimer
{
    private TimerFd _owner = null!;
    private Kernel _kernel = null!;

    private TimerFdTimer()
    {
    }

    public Kernel Kernel => _kernel;

    public TimerFdTimer(TimerFd owner, Kernel kernel) => (_owner, _kernel) = (owner, kernel);

    public override void OnDue() => _owner.OnDue(_kernel);
}
