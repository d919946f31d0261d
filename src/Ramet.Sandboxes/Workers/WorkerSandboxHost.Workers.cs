using Ramet.Images;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Which workers there are, and who gets which.</summary>
public sealed partial class WorkerSandboxHost
{
    /// <summary>A worker that says nothing for this long does nothing more either.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    /// <summary>So long after its last use the host counts as quiet.</summary>
    private const int QuietMilliseconds = 100;

    /// <summary>After so long spare workers are started even if it is not.</summary>
    private const int MostMissingMilliseconds = 5000;

    private readonly Lock _lock = new();
    private readonly List<WorkerProcess> _workers = [];
    private readonly Dictionary<string, Task> _startingFor = new(StringComparer.Ordinal);
    private HostStatistics _ended = new(0, 0, 0, 0, 0);
    private long _tidied = Environment.TickCount64;
    private long _sparesMissing; // since when (ms); 0: they are there
    private int _starting;
    private bool _disposed;

    /// <summary>Process ids of the workers.</summary>
    public IReadOnlyList<int> WorkerIds
    {
        get
        {
            lock (_lock) return [.. _workers.Select(worker => worker.Id)];
        }
    }

    /// <summary>
    /// A place in a worker of the tenant: in the one that has least to do, or in a spare one if he has none, or if his are full. To be given back with <see cref="Release"/>.
    /// </summary>
    private async ValueTask<WorkerProcess> TakeAsync(string tenant)
    {
        const int MostStarts = 5;
        for (int start = 0; ; start++)
        {
            Task starting;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                WorkerProcess? best = null, spare = null, idle = null;
                int count = _starting;
                foreach (var worker in _workers)
                {
                    if (worker.IsGone) continue;
                    count++;
                    if (worker.Tenant == tenant)
                    {
                        if (best is null || worker.Places < best.Places) best = worker;
                    }
                    else if (worker.Tenant is null)
                    {
                        spare ??= worker;
                    }
                    else if (worker.Places == 0 && (idle is null || worker.LastUsed < idle.LastUsed))
                    {
                        idle = worker;
                    }
                }

                if (best is not null && best.Places < _options.SandboxesPerWorker) return Reserve(best);
                if (spare is { HasExited: true })
                {
                    // Nobody has had to do with it, so its end is nothing that a caller need hear of.
                    spare.Dispose();
                    start--;
                    continue;
                }

                if (spare is not null)
                {
                    spare.Tenant = tenant;
                    _ = StartSparesSoonAsync();
                    return Reserve(spare);
                }

                if (start == MostStarts) throw new SandboxException("Worker processes end as soon as they are started; what they say is in the server's log.");
                // Those who come at the same time wait for the same one.
                if (!_startingFor.TryGetValue(tenant, out starting!))
                {
                    if (count >= _options.Maximum)
                    {
                        if (idle is null) return best is not null ? Reserve(best) : throw new WorkersBusyException(_options.Maximum);
                        idle.Dispose();
                    }

                    _starting++;
                    starting = _startingFor[tenant] = Task.Run(() => Start(tenant));
                }
            }

            await starting.ConfigureAwait(false);
        }
    }

    private static WorkerProcess Reserve(WorkerProcess worker)
    {
        worker.Places++;
        worker.Touch();
        return worker;
    }

    private void Release(WorkerProcess worker)
    {
        lock (_lock)
        {
            worker.Places--;
            worker.Touch();
        }
    }

    /// <summary>Soon, and not in the moment in which the tenant's first code runs.</summary>
    private async Task StartSparesSoonAsync()
    {
        await Task.Delay(QuietMilliseconds).ConfigureAwait(false);
        StartSparesInQuiet();
    }

    /// <summary>
    /// Starts the workers that are to stand ready if nothing is running, or if they have been missing for long: a process that starts takes a processor from code that runs, and whoever comes
    /// for the first time before there is one only waits for its start.
    /// </summary>
    private void StartSparesInQuiet()
    {
        lock (_lock)
        {
            long now = Environment.TickCount64;
            if (CountSpares() >= _options.Spares)
            {
                _sparesMissing = 0;
                return;
            }

            if (_sparesMissing == 0) _sparesMissing = now;
            bool isBusy = Volatile.Read(ref _running) > 0 || _workers.Exists(worker => worker.Tenant is not null && now - worker.LastUsed < QuietMilliseconds);
            if (isBusy && now - _sparesMissing < MostMissingMilliseconds) return;
            _sparesMissing = 0;
        }

        StartSpares();
    }

    /// <summary>Those that stand ready, or are about to. Under the lock.</summary>
    private int CountSpares() => _workers.Count(worker => worker.Tenant is null && !worker.IsGone) + _starting - _startingFor.Count;

    /// <summary>Starts as many workers as are to stand ready; they take over templates by themselves.</summary>
    private void StartSpares()
    {
        while (true)
        {
            lock (_lock)
            {
                int living = _workers.Count(worker => !worker.IsGone) + _starting;
                if (_disposed || CountSpares() >= _options.Spares || living >= _options.Maximum) return;
                _starting++;
            }

            try
            {
                _ = TakeOverAsync(Start(tenant: null));
            }
            catch (SandboxException exception)
            {
                _progress?.Report(new BuildStep(BuildStage.Waiting, exception.Message));
                return;
            }
        }
    }

    /// <summary>Starts one that was counted as starting.</summary>
    private WorkerProcess Start(string? tenant)
    {
        WorkerProcess? worker = null;
        try
        {
            return worker = new WorkerProcess(_options.Command(), OnEnded) { Tenant = tenant };
        }
        finally
        {
            lock (_lock)
            {
                _starting--;
                if (tenant is not null) _startingFor.Remove(tenant);
                if (worker is not null)
                {
                    _workers.Add(worker);
                    if (_disposed) worker.Dispose();
                }
            }

            worker?.Listen();
        }
    }

    private void OnEnded(WorkerProcess worker)
    {
        // Another one is not started in a circle, if workers cannot live at all: it comes with the next request or the next second.
        lock (_lock)
        {
            _workers.Remove(worker);
            _ended = Add(_ended, worker.LastStatistics with { Pooled = 0, LiveMemoryBytes = 0, WorkerResidentBytes = 0 });
        }
    }

    private void KeepHouse()
    {
        List<WorkerProcess> all;
        long limit = Environment.TickCount64 - (long)_options.IdleTime.TotalMilliseconds;
        lock (_lock)
        {
            if (_disposed) return;
            // Under the lock, so that none is given away at the same time.
            foreach (var worker in _workers.Where(worker => worker.Tenant is not null && worker.Places == 0 && worker.LastUsed < limit)) worker.Dispose();
            all = [.. _workers.Where(worker => !worker.IsGone)];
        }

        foreach (var worker in all) _ = AskAsync(worker);
        if (!_templates.IsEmpty) StartSparesInQuiet();
        Tidy(all);
    }

    /// <summary>What busy times have left of the heap goes back when nobody has come for some seconds: collections happen by themselves only while there is work.</summary>
    private void Tidy(List<WorkerProcess> workers)
    {
        const int UnusedMilliseconds = 10_000;
        long now = Environment.TickCount64, used = workers.Count == 0 ? 0 : workers.Max(worker => worker.LastUsed);
        if (used < _tidied || now - used < UnusedMilliseconds) return;
        _tidied = now;
        ManagedHeap.GiveBack();
    }

    /// <summary>Asks a worker for its counts, and so whether it is well.</summary>
    private static async Task AskAsync(WorkerProcess worker)
    {
        if (!worker.BeginAsking()) return;
        try
        {
            // On a thread of its own: what is sent to a process that reads nothing waits for ever.
            var asking = Task.Run(() => worker.CallAsync(WorkerMethod.Statistics, new LiveArguments(), WorkerJson.Default.LiveArguments, WorkerJson.Default.HostStatistics, [], CancellationToken.None));
            var (statistics, _) = await asking.WaitAsync(s_patience).ConfigureAwait(false);
            worker.LastStatistics = statistics;
        }
        catch (TimeoutException)
        {
            worker.Dispose();
        }
        catch (SandboxException)
        {
            // It is gone: OnEnded takes it off the list.
        }
        finally
        {
            worker.EndAsking();
        }
    }
}

/// <summary>There are as many workers as there may be, and others have them.</summary>
/// <param name="maximum">How many that is.</param>
public sealed class WorkersBusyException(int maximum) : SandboxException($"All {maximum} workers are in use by others. Try again later, or raise workers.max.");
