using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Time;

/// <summary>
/// A timer of a program: it expires once or again and again, on real time or on CPU time. CPU time is looked at when it could have been used up, at the
/// earliest; it cannot run faster than the virtual CPUs.
/// </summary>
[Saved]
internal abstract partial class ProgramTimer : KernelTimer
{
    /// <summary>Expirations closer than this are counted together: a program cannot keep the host busy with timers.</summary>
    public const long ShortestPeriod = 100_000;

    private const long ShortestLook = 1_000_000;
    private const long LongestLook = 64_000_000;
    private long _expiry;
    private long _interval;
    private long _look;
    private long _lastSeen;

    private protected ProgramTimer()
    {
    }

    private protected ProgramTimer(Process process) => Process = process;

    /// <summary>The process that it belongs to.</summary>
    public Process Process { get; private set; } = null!;

    /// <summary>Time between expirations, ns; 0: it expires once.</summary>
    public long Interval => _interval;

    /// <summary>The thread on whose CPU time it runs; null: the process's, if <see cref="OnCpuTime"/>.</summary>
    public PosixThread? CpuThread { get; private protected set; }

    /// <summary>Whether it runs on CPU time.</summary>
    public bool OnCpuTime { get; private protected set; }

    /// <summary>Its clock now, ns.</summary>
    public long Now => !OnCpuTime ? Process.Kernel.MonotonicNow : CpuThread is not null ? CpuClock.Of(CpuThread) : CpuClock.Of(Process);

    /// <summary>Time until the next expiration, ns; 0 when it is not armed.</summary>
    public long Remaining => IsSet ? Math.Max(1, _expiry - Now) : 0;

    /// <summary>Arms the timer on its own clock; <see cref="PosixThread.Never"/> disarms.</summary>
    public void Arm(long expiry, long interval)
    {
        Process.Kernel.Timers.Cancel(this);
        _interval = interval;
        _expiry = expiry;
        if (expiry == PosixThread.Never) return;
        _look = ShortestLook;
        _lastSeen = OnCpuTime ? Now : 0;
        Schedule();
    }

    /// <inheritdoc/>
    public sealed override void OnDue()
    {
        if (Process.IsZombie) return;
        long now = Now;
        if (now < _expiry)
        {
            // CPU time that was not used. One that stands still is looked at less and less often.
            _look = now == _lastSeen ? Math.Min(_look * 2, LongestLook) : ShortestLook;
            _lastSeen = now;
            Schedule();
            return;
        }

        long missed = 0;
        if (_interval > 0)
        {
            missed = (now - _expiry) / _interval;
            _expiry = TimerQueue.After(_expiry + (missed * _interval), _interval);
            Schedule();
        }

        OnExpired(missed);
    }

    /// <summary>It has expired, and as many times more as were missed.</summary>
    private protected abstract void OnExpired(long missed);

    private void Schedule()
    {
        long now = Process.Kernel.MonotonicNow;
        if (!OnCpuTime)
        {
            // Only a repeated timer can come this often.
            Process.Kernel.Timers.Set(this, _interval is > 0 and < ShortestPeriod ? Math.Max(_expiry, now + ShortestPeriod) : _expiry);
            return;
        }

        long wait = Math.Max((_expiry - Now) / Process.Kernel.Scheduler.Vcpus.Length, _look);
        Process.Kernel.Timers.Set(this, TimerQueue.After(now, wait));
    }
}

/// <summary>A timer of setitimer(2): SIGALRM, SIGVTALRM or SIGPROF.</summary>
[Saved]
internal sealed partial class IntervalProcessTimer : ProgramTimer
{
    private int _signal;

    private IntervalProcessTimer()
    {
    }

    public IntervalProcessTimer(Process process, IntervalTimer which)
        : base(process)
    {
        _signal = which switch
        {
            IntervalTimer.ITIMER_REAL => Signals.Signal.SIGALRM,
            IntervalTimer.ITIMER_VIRTUAL => Signals.Signal.SIGVTALRM,
            _ => Signals.Signal.SIGPROF,
        };
        OnCpuTime = which != IntervalTimer.ITIMER_REAL;
    }

    private protected override void OnExpired(long missed) => Process.SendSignal(_signal);
}

/// <summary>RLIMIT_CPU (getrlimit(2)): SIGXCPU each second from the soft limit on, SIGKILL at the hard one.</summary>
[Saved]
internal sealed partial class CpuLimitTimer : ProgramTimer
{
    private CpuLimitTimer()
    {
    }

    public CpuLimitTimer(Process process)
        : base(process) => OnCpuTime = true;

    private protected override void OnExpired(long missed)
    {
        const long Second = 1_000_000_000;
        long used = Now / Second;
        if ((ulong)used >= Process.ResourceLimits.Hard(ResourceLimit.RLIMIT_CPU))
        {
            Process.SendSignal(Signals.Signal.SIGKILL);
            return;
        }

        Process.SendSignal(Signals.Signal.SIGXCPU);
        Arm((used + 1) * Second, 0);
    }
}

/// <summary>A timer of timer_create(2).</summary>
[Saved]
internal sealed partial class PosixTimer : ProgramTimer
{
    private int _signal;
    private ulong _value;
    private PosixThread? _target;
    private long _overrun;
    private long _deliveredOverrun;

    private PosixTimer()
    {
    }

    /// <summary>A timer that sends a signal.</summary>
    /// <param name="process">The process.</param>
    /// <param name="clock">Its clock, for timer_settime with TIMER_ABSTIME.</param>
    /// <param name="signal">The signal; 0: none (SIGEV_NONE).</param>
    /// <param name="target">The thread that gets it; null: the process.</param>
    /// <param name="value">si_value.</param>
    public PosixTimer(Process process, ClockId clock, int signal, PosixThread? target, ulong value)
        : base(process)
    {
        Clock = clock;
        _signal = signal;
        _target = target;
        _value = value;
    }

    /// <summary>Its id; also the default of si_value.</summary>
    public int Id { get; set; }

    /// <summary>The clock that it was made with.</summary>
    public ClockId Clock { get; private set; }

    /// <summary>Expirations between the one that its last signal to be delivered told of and the delivery (timer_getoverrun(2)).</summary>
    public int Overrun => Clamp(IsPending ? _deliveredOverrun : _overrun);

    /// <summary>timer_create(2) without a sigevent: si_value is the id.</summary>
    public void UseIdAsValue() => _value = (uint)Id;

    /// <summary>Makes it run on CPU time: of a thread, or (null) of the process.</summary>
    public void UseCpuTime(PosixThread? thread)
    {
        OnCpuTime = true;
        CpuThread = thread;
    }

    private protected override void OnExpired(long missed)
    {
        if (_signal == 0) return;
        if (IsPending)
        {
            _overrun += missed + 1;
            Pending.SetTimerOverrun(_signal, Id, Clamp(_overrun));
            return;
        }

        _deliveredOverrun = _overrun;
        _overrun = missed;
        var info = new Signals.SignalInfo { Signal = _signal, Code = Signals.SignalInfo.SI_TIMER, Pid = Id, Uid = Clamp(missed), Value = _value };
        if (_target is null) Process.SendSignal(info);
        else _target.SendSignal(info);
    }

    private Signals.PendingSignals Pending => _target is null ? Process.Pending : _target.Pending;

    private bool IsPending => _signal != 0 && (Pending.Mask & Signals.Signal.Bit(_signal)) != 0;

    private static int Clamp(long count) => (int)Math.Min(count, int.MaxValue);
}

/// <summary>CPU time up to this moment.</summary>
internal static class CpuClock
{
    /// <summary>CPU time of a thread, ns.</summary>
    public static long Of(PosixThread thread)
    {
        long time = thread.CpuTime;
        foreach (var vcpu in thread.Kernel.Scheduler.Vcpus)
        {
            // EnteredAt is on the host's clock.
            if (vcpu.InGuest && vcpu.Current == thread) time += Math.Max(0, thread.Kernel.MonotonicNow - thread.Kernel.MonotonicOffset - vcpu.EnteredAt);
        }

        return time;
    }

    /// <summary>CPU time of a process, ns.</summary>
    public static long Of(Process process)
    {
        long time = process.EndedThreadsTime;
        foreach (var thread in process.Threads) time += Of(thread);
        return time;
    }
}
