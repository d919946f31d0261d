using Ramet.Kernel.State;

namespace Ramet.Kernel.Time;

/// <summary>The timers of one sandbox, by due time.</summary>
[Saved]
public sealed partial class TimerQueue
{
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

    /// <summary>Runs all timers that are due.</summary>
    public void RunDue(long now)
    {
        while (_byDueTime.Min is { } timer && timer.DueTime <= now)
        {
            Cancel(timer);
            timer.OnDue();
        }
    }

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
