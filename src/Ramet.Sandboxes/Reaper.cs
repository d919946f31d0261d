namespace Ramet.Sandboxes;

/// <summary>
/// Takes ended sandboxes apart off the path of those who used them: closing a virtual machine takes about as long as making one. One after the other on one thread; when too many wait,
/// those who bring more do the work themselves, so that ended sandboxes cannot pile up.
/// </summary>
internal sealed class Reaper(HostThreads threads)
{
    private const int MaxWaiting = 8;

    private readonly object _gate = new();
    private readonly Queue<Action> _waiting = new();
    private bool _running;

    /// <summary>Does the work soon, or now when too much waits. It must not throw.</summary>
    public void Take(Action work)
    {
        lock (_gate)
        {
            if (_waiting.Count < MaxWaiting)
            {
                _waiting.Enqueue(work);
                if (_running) return;
                _running = true;
                threads.Run(Loop);
                return;
            }
        }

        work();
    }

    /// <summary>Waits until all that was taken is done.</summary>
    public void Drain()
    {
        lock (_gate)
        {
            while (_running) Monitor.Wait(_gate);
        }
    }

    private void Loop()
    {
        while (true)
        {
            Action? work;
            lock (_gate)
            {
                if (!_waiting.TryDequeue(out work))
                {
                    _running = false;
                    Monitor.PulseAll(_gate);
                    return;
                }
            }

            work();
        }
    }
}
