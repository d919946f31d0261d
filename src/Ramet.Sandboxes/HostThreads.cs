using System.Collections.Concurrent;

namespace Ramet.Sandboxes;

/// <summary>
/// Host threads that run virtual CPUs. There are as many as sandboxes have something to run; an idle one is kept for some seconds, since KVM (before Linux 6.12) takes
/// milliseconds to move a virtual CPU to another thread, and threads cost as well.
/// </summary>
internal sealed class HostThreads : IDisposable
{
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    private readonly ConcurrentStack<Worker> _idle = new();
    private volatile bool _disposed;

    /// <summary>Runs an action on a thread of its own, soon.</summary>
    public void Run(Action action)
    {
        while (_idle.TryPop(out var worker))
        {
            if (worker.TryGive(action)) return;
        }

        new Worker(this).Start(action);
    }

    /// <summary>Computes something on a thread of its own, beside what the caller does.</summary>
    public Task<T> Compute<T>(Func<T> function)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Run(() =>
        {
            try
            {
                result.SetResult(function());
            }
#pragma warning disable CA1031 // The caller gets it.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                result.SetException(exception);
            }
        });
        return result.Task;
    }

    /// <summary>Ends the threads that are idle now, without their waiting for more to do.</summary>
    public void Trim()
    {
        while (_idle.TryPop(out var worker)) worker.End();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        Trim();
    }

    private sealed class Worker(HostThreads owner)
    {
        private readonly object _gate = new();
        private Action? _action;
        private bool _gone;

        public void Start(Action action)
        {
            _action = action;
            new Thread(Loop) { IsBackground = true, Name = "ramet vcpu" }.Start();
        }

        public bool TryGive(Action action)
        {
            lock (_gate)
            {
                if (_gone) return false;
                _action = action;
                Monitor.Pulse(_gate);
                return true;
            }
        }

        public void End()
        {
            lock (_gate)
            {
                _gone = true;
                Monitor.Pulse(_gate);
            }
        }

        private void Loop()
        {
            while (true)
            {
                _action!();
                lock (_gate)
                {
                    _action = null;
                    if (owner._disposed) return;
                    owner._idle.Push(this);
                    while (_action is null)
                    {
                        if (!_gone && (Monitor.Wait(_gate, IdleTime) || _action is not null)) continue;
                        _gone = true;
                        return;
                    }
                }
            }
        }
    }
}
