using Ramet.Kernel.Time;

namespace Ramet.Kernel.Processes;

/// <summary>Timers of a process: setitimer(2), alarm(2), timer_create(2).</summary>
public sealed partial class Process
{
    private IntervalProcessTimer?[] _intervalTimers = new IntervalProcessTimer?[3];
    private Dictionary<int, PosixTimer> _posixTimers = [];
    private int _nextPosixTimer;
    private CpuLimitTimer? _cpuLimit;
    private const ulong MaximumSeconds = 9_000_000_000;

    /// <summary>Number of POSIX timers.</summary>
    internal int PosixTimerCount => _posixTimers.Count;

    /// <summary>The interval timer of a kind, made on first use.</summary>
    internal IntervalProcessTimer GetIntervalTimer(IntervalTimer which) => _intervalTimers[(int)which] ??= new IntervalProcessTimer(this, which);

    /// <summary>RLIMIT_CPU was set or inherited: from now on the process is watched.</summary>
    internal void WatchCpuLimit()
    {
        ulong seconds = ResourceLimits.Soft(ResourceLimit.RLIMIT_CPU);
        if (_cpuLimit is null && seconds == ResourceLimitSet.Infinity) return;
        _cpuLimit ??= new CpuLimitTimer(this);
        // Linux takes a limit of 0 as one second.
        _cpuLimit.Arm(seconds >= MaximumSeconds ? PosixThread.Never : (long)Math.Max(seconds, 1) * 1_000_000_000, 0);
    }

    /// <summary>The POSIX timer with this id, or null.</summary>
    internal PosixTimer? FindPosixTimer(int id) => _posixTimers.GetValueOrDefault(id);

    /// <summary>Adds a POSIX timer under the next free id.</summary>
    internal int AddPosixTimer(PosixTimer timer)
    {
        while (_posixTimers.ContainsKey(_nextPosixTimer)) _nextPosixTimer = (_nextPosixTimer + 1) & int.MaxValue;
        int id = _nextPosixTimer;
        _nextPosixTimer = (_nextPosixTimer + 1) & int.MaxValue;
        _posixTimers.Add(id, timer);
        return id;
    }

    /// <summary>Deletes a POSIX timer.</summary>
    internal void DeletePosixTimer(int id)
    {
        if (_posixTimers.Remove(id, out var timer)) Kernel.Timers.Cancel(timer);
    }

    /// <summary>Deletes all POSIX timers: execve, and the end.</summary>
    internal void DeletePosixTimers()
    {
        foreach (var timer in _posixTimers.Values) Kernel.Timers.Cancel(timer);
        _posixTimers.Clear();
    }

    /// <summary>The process has ended: no timer of it fires any more.</summary>
    internal void StopTimers()
    {
        DeletePosixTimers();
        if (_cpuLimit is not null) Kernel.Timers.Cancel(_cpuLimit);
        foreach (var timer in _intervalTimers)
        {
            if (timer is not null) Kernel.Timers.Cancel(timer);
        }
    }
}
