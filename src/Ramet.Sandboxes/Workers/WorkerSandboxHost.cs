using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Ramet.Host;
using Ramet.Images;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>How many workers there are.</summary>
public sealed record WorkerOptions
{
    /// <summary>The command that runs <see cref="WorkerServer"/> with its standard streams.</summary>
    public required Func<ProcessStartInfo> Command { get; init; }

    /// <summary>Sandboxes that run in one worker at the same time, before the tenant gets another.</summary>
    public int SandboxesPerWorker { get; init; } = 32;

    /// <summary>Workers that stand ready for tenants who come for the first time.</summary>
    public int Spares { get; init; } = 1;

    /// <summary>All workers together, spares too.</summary>
    public int Maximum { get; init; } = 64;

    /// <summary>A worker that nobody has used for this long ends.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>
/// Sandboxes in worker processes. A worker serves one tenant and ends with his last use; templates are loaded once, here, and reach workers as sealed files in memory. A worker
/// that ends takes its own sandboxes along, and nothing else.
/// </summary>
public sealed class WorkerSandboxHost : IExecHost
{
    private readonly SandboxEngine _engine;
    private readonly WorkerOptions _options;
    private readonly IProgress<BuildStep>? _progress;
    private readonly ConcurrentDictionary<string, Shared> _templates = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly List<WorkerProcess> _workers = [];
    private readonly SemaphoreSlim _preparing = new(1, 1);
    private readonly Timer _housekeeping;
    private HostStatistics _ended = new(0, 0, 0, 0, 0);
    private int _starting;
    private bool _disposed;

    /// <param name="engine">For images and templates; not disposed with this.</param>
    /// <param name="options">Numbers.</param>
    /// <param name="progress">Told of templates and images that are built.</param>
    public WorkerSandboxHost(SandboxEngine engine, WorkerOptions options, IProgress<BuildStep>? progress = null)
    {
        _engine = engine;
        _options = options;
        _progress = progress;
        _housekeeping = new Timer(_ => _ = KeepHouseAsync(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, HostedTemplate> Templates => _templates.ToDictionary(
        pair => pair.Key,
        pair => new HostedTemplate(pair.Key, pair.Value.Template.Manifest.Runtime, pair.Value.Template.Manifest.MemoryBytes),
        StringComparer.Ordinal);

    /// <inheritdoc/>
    public HostStatistics Statistics
    {
        get
        {
            lock (_lock)
            {
                var sum = _ended with { Running = _workers.Sum(worker => worker.Running) };
                return _workers.Aggregate(sum, (all, worker) => Add(all, worker.LastStatistics));
            }
        }
    }

    /// <summary>Process ids of the workers.</summary>
    public IReadOnlyList<int> WorkerIds
    {
        get
        {
            lock (_lock) return [.. _workers.Select(worker => worker.Id)];
        }
    }

    /// <inheritdoc/>
    public async Task PrepareAsync(string template, CancellationToken cancellationToken)
    {
        await _preparing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_templates.ContainsKey(template)) return;
            // Building blocks for long; loading reads the whole snapshot.
            var loaded = await Task.Run(() => _engine.Templates.EnsureAsync(template, _progress, cancellationToken), cancellationToken).ConfigureAwait(false);
            _templates[template] = new Shared(loaded);
            await StartSparesAsync().ConfigureAwait(false);
        }
        finally
        {
            _preparing.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<HostedExecResult> ExecuteAsync(string tenant, HostedExec exec, CancellationToken cancellationToken)
    {
        if (!_templates.TryGetValue(exec.Template, out var template)) throw new TemplateNotFoundException($"Template '{exec.Template}' is not loaded.");
        var worker = await FindAsync(tenant).ConfigureAwait(false);
        if (!worker.Templates.Contains(exec.Template)) await LoadAsync(worker, template, cancellationToken).ConfigureAwait(false);
        List<ReadOnlyMemory<byte>> blobs = exec.Input is { } input ? [input] : [];
        blobs.AddRange(exec.Files.Select(file => file.Content));
        var arguments = new ExecArguments(exec with { Input = null, Files = [] }, exec.Input is not null, [.. exec.Files.Select(file => file.Path)]);
        var (answer, output) = await worker.CallAsync(
            WorkerMethod.Exec, arguments, WorkerJson.Default.ExecArguments, WorkerJson.Default.ExecAnswer, blobs, cancellationToken).ConfigureAwait(false);
        return new HostedExecResult(
            answer.End, answer.ExitCode, output.Count > 0 ? output[0].ToArray() : [], output.Count > 1 ? output[1].ToArray() : [], answer.Message, answer.ForkNanoseconds, answer.ExecNanoseconds);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        List<WorkerProcess> workers;
        lock (_lock)
        {
            _disposed = true;
            workers = [.. _workers];
        }

        await _housekeeping.DisposeAsync().ConfigureAwait(false);
        foreach (var worker in workers) worker.Dispose();
        while (true)
        {
            lock (_lock)
            {
                if (_workers.Count == 0 && _starting == 0) break;
            }

            await Task.Delay(5).ConfigureAwait(false);
        }

        foreach (var template in _templates.Values) template.Dispose();
        _preparing.Dispose();
    }

    /// <summary>The tenant's worker that has least to do; a spare one if he has none, or if his are full.</summary>
    private async Task<WorkerProcess> FindAsync(string tenant)
    {
        bool mayStart;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var best = _workers.Where(worker => worker.Tenant == tenant && !worker.IsGone).MinBy(worker => worker.Running);
            if (best is not null && best.Running < _options.SandboxesPerWorker) return best;
            if (_workers.FirstOrDefault(worker => worker.Tenant is null && !worker.IsGone && worker.Templates.Count > 0) is { } spare)
            {
                spare.Tenant = tenant;
                _ = StartSparesAsync();
                return spare;
            }

            mayStart = _workers.Count + _starting < _options.Maximum;
            if (!mayStart && best is not null) return best;
        }

        if (!mayStart) throw new SandboxException($"All {_options.Maximum} workers are in use by others. Try again later, or raise workers.max.");
        return await StartAsync(tenant).ConfigureAwait(false);
    }

    private async Task StartSparesAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                int spares = _workers.Count(worker => worker.Tenant is null) + _starting;
                if (_disposed || spares >= _options.Spares || _workers.Count + _starting >= _options.Maximum) return;
            }

            try
            {
                await StartAsync(tenant: null).ConfigureAwait(false);
            }
            catch (SandboxException exception)
            {
                _progress?.Report(new BuildStep(BuildStage.Waiting, $"A worker could not be started: {exception.Message}"));
                return;
            }
        }
    }

    private async Task<WorkerProcess> StartAsync(string? tenant)
    {
        lock (_lock) _starting++;
        try
        {
            var worker = new WorkerProcess(_options.Command(), OnEnded) { Tenant = tenant };
            lock (_lock) _workers.Add(worker);
            // In order of use: the first template is the one that is asked for most.
            foreach (var template in _templates.Values) await LoadAsync(worker, template, CancellationToken.None).ConfigureAwait(false);
            return worker;
        }
        finally
        {
            lock (_lock) _starting--;
        }
    }

    private static async Task LoadAsync(WorkerProcess worker, Shared template, CancellationToken cancellationToken)
    {
        await worker.CallAsync(WorkerMethod.Load, template.ToArguments(), WorkerJson.Default.LoadArguments, WorkerJson.Default.JsonElement, [], cancellationToken).ConfigureAwait(false);
        lock (worker.Templates) worker.Templates.Add(template.Template.Manifest.Name);
    }

    private void OnEnded(WorkerProcess worker)
    {
        lock (_lock)
        {
            _workers.Remove(worker);
            _ended = Add(_ended, worker.LastStatistics with { Pooled = 0, Live = 0, LiveMemoryBytes = 0 });
            if (_disposed) return;
        }

        // Not in a circle, if workers cannot live at all: the next one comes with the next request or the next second.
    }

    private async Task KeepHouseAsync()
    {
        List<WorkerProcess> all;
        lock (_lock)
        {
            if (_disposed) return;
            all = [.. _workers];
        }

        long limit = Environment.TickCount64 - (long)_options.IdleTime.TotalMilliseconds;
        foreach (var worker in all)
        {
            if (worker.Tenant is not null && worker.Running == 0 && worker.LastStatistics.Live == 0 && worker.LastUsed < limit)
            {
                worker.Dispose();
                continue;
            }

            try
            {
                long used = worker.LastUsed;
                var (statistics, _) = await worker.CallAsync(
                    WorkerMethod.Statistics, default, WorkerJson.Default.JsonElement, WorkerJson.Default.HostStatistics, [], CancellationToken.None).ConfigureAwait(false);
                worker.LastStatistics = statistics;
                worker.Touch(used);
            }
            catch (SandboxException)
            {
                // It is gone: OnEnded takes it off the list.
            }
        }

        if (!_templates.IsEmpty) await StartSparesAsync().ConfigureAwait(false);
    }

    private static HostStatistics Add(HostStatistics a, HostStatistics b) => a with
    {
        Pooled = a.Pooled + b.Pooled,
        PoolHits = a.PoolHits + b.PoolHits,
        PoolMisses = a.PoolMisses + b.PoolMisses,
        Recycled = a.Recycled + b.Recycled,
        Live = a.Live + b.Live,
        LiveMemoryBytes = a.LiveMemoryBytes + b.LiveMemoryBytes,
    };

    /// <summary>A template whose memory and state other processes can map: both are sealed.</summary>
    private sealed class Shared : IDisposable
    {
        private readonly FileDescriptor _state;

        public Shared(Template template)
        {
            Template = template;
            _state = MemoryFile.Create("ramet-state");
            _state.WriteAllAt(template.State.Span, 0);
            MemoryFile.Seal(_state);
        }

        public Template Template { get; }

        public LoadArguments ToArguments() => new(Template.Manifest.ToJson(), PathOf(Template.Memory.File), PathOf(_state));

        public void Dispose() => _state.Dispose();

        private static string PathOf(FileDescriptor file) => $"/proc/{Environment.ProcessId}/fd/{file.Number}";
    }
}
