using Ramet.Kernel.State;

namespace Ramet.Kernel.Time;

/// <summary>The timers of one sandbox, by due time.</summary>
[Saved]
public sealed partial class TimerQueue
{
    /// <summary>Timers that one call of <see cref="RunDue"/> runs: the kernel lock is held meanwhile, and a program may have made thousands.</summary>
    internal const int MostAtOnce = 1024;

    private List<KernelTimer> _set = [];
    private long _sequence;

    [NotSaved]
    private SortedSet<KernelTimer> _byDueTime = new(DueTimeComparer.Instance);

    /// <summary>When the first timer is due; long.MaxValue when none is set.</summary>
    public long NextDueTime => _byDueTime.Min?.DueTime ?? long.MaxValue;

    /// <summary>Sets a timer, or sets it anew.</summary>
    public void Set(KernelTimer timer, long dueTime)
    {
        Cancel(timer);
        timer.DueTime = dueTime;
        timer.Sequence = ++_sequence;
        timer.IsSet = true;
        _byDueTime.Add(timer);
    }

    /// <summary>Cancels a timer; one that is not set is left alone.</summary>
    public void Cancel(KernelTimer timer)
    {
        if (!timer.IsSet) return;
        _byDueTime.Remove(timer);
        timer.IsSet = false;
    }

    /// <summary>Runs the timers that are due, the longest overdue first; at most <see cref="MostAtOnce"/>, so that <see cref="NextDueTime"/> may have come already afterwards.</summary>
    public void RunDue(long now)
    {
        for (int i = 0; i < MostAtOnce && _byDueTime.Min is { } timer && timer.DueTime <= now; i++)
        {
            Cancel(timer);
            timer.OnDue();
        }
    }

    /// <summary>The time so long after another; <see cref="Processes.PosixThread.Never"/> when it lies beyond all times. Programs give intervals of any length.</summary>
    internal static long After(long time, long wait) => wait > 0 && time > Processes.PosixThread.Never - wait ? Processes.PosixThread.Never : time + wait;

    private void OnSaving() => _set = [.. _byDueTime];

    private void OnLoaded(StateReader reader)
    {
        foreach (var timer in _set) _byDueTime.Add(timer);
        _set = [];
    }

    private sealed class DueTimeComparer : IComparer<KernelTimer>
    {
        public static readonly DueTimeComparer Instance = new();

        public int Compare(KernelTimer? x, KernelTimer? y)
        {
            int order = x!.DueTime.CompareTo(y!.DueTime);
            return order != 0 ? order : x.Sequence.CompareTo(y.Sequence);
        }
    }
}
