namespace Ramet.Sandboxes;

/// <summary>
/// One host thread that calls back at given times: time-outs, timers and time slices of all sandboxes. Callbacks must be short; they run on that
/// thread, outside the clock's lock.
/// </summary>
internal sealed class AlarmClock : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SortedSet<Alarm> _alarms = new(Alarm.ByTime);

    // No spinning: what waits here waits for milliseconds, and virtual CPUs want the processor.
    private readonly ManualResetEventSlim _changed = new(initialState: false, spinCount: 0);
    private readonly Thread _thread;
    private long _sequence;
    private long _wakeAt = long.MaxValue;
    private bool _disposed;

    public AlarmClock()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "ramet alarms" };
        _thread.Start();
    }

    /// <summary>A call-back that can be set again and again.</summary>
    public Alarm Create(Action callback) => new(this, callback);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock) _disposed = true;
        _changed.Set();
        if (Thread.CurrentThread != _thread) _thread.Join();
        _changed.Dispose();
    }

    private void Set(Alarm alarm, long time)
    {
        lock (_lock)
        {
            if (alarm.Time != long.MaxValue) _alarms.Remove(alarm);
            alarm.Time = time;
            if (time == long.MaxValue) return;
            alarm.Sequence = ++_sequence;
            _alarms.Add(alarm);
            if (time >= _wakeAt) return;
        }

        _changed.Set();
    }

    private void Run()
    {
        while (true)
        {
            Alarm? due = null;
            long wait = long.MaxValue;
            lock (_lock)
            {
                if (_disposed) return;
                _changed.Reset();
                long now = Host.HostClock.MonotonicNanoseconds;
                if (_alarms.Min is { } first)
                {
                    if (first.Time <= now)
                    {
                        _alarms.Remove(first);
                        first.Time = long.MaxValue;
                        due = first;
                    }
                    else
                    {
                        wait = first.Time - now;
                    }
                }

                _wakeAt = due is null && wait != long.MaxValue ? now + wait : long.MaxValue;
                if (due is not null) _wakeAt = 0;
            }

            if (due is not null) due.Callback();
            else if (wait == long.MaxValue) _changed.Wait();
            else _changed.Wait((int)Math.Min((wait + 999_999) / 1_000_000, 1_000_000));
        }
    }

    /// <summary>A call-back at a time.</summary>
    internal sealed class Alarm(AlarmClock clock, Action callback)
    {
        internal static readonly Comparer<Alarm> ByTime = Comparer<Alarm>.Create(static (a, b) =>
            a.Time != b.Time ? a.Time.CompareTo(b.Time) : a.Sequence.CompareTo(b.Sequence));

        internal Action Callback { get; } = callback;

        internal long Time { get; set; } = long.MaxValue;

        internal long Sequence { get; set; }

        /// <summary>Calls back at this time of the host's monotonic clock (ns); replaces the earlier one. long.MaxValue: never.</summary>
        public void Set(long time) => clock.Set(this, time);
    }
}
