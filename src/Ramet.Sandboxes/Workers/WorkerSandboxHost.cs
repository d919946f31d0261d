using System.Collections.Concurrent;
using Ramet.Host;
using Ramet.Images;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>
/// Sandboxes in worker processes. A worker serves one tenant and ends with his last use; templates are loaded once, here, and reach workers as sealed files in memory. A worker
/// that ends takes its own sandboxes along, and nothing else. What workers answer is looked at as what it is: words of a process that hostile code may have taken over.
/// </summary>
public sealed partial class WorkerSandboxHost : ICapturingSandboxHost
{
    private readonly SandboxEngine _engine;
    private readonly WorkerOptions _options;
    private readonly IProgress<BuildStep>? _progress;
    private readonly ConcurrentDictionary<string, Shared> _templates = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Tenant, string Name), Shared> _own = new();
    private readonly SemaphoreSlim _preparing = new(1, 1);
    private readonly Timer _housekeeping;
    private int _running;

    /// <param name="engine">For images and templates; not disposed with this.</param>
    /// <param name="options">Numbers.</param>
    /// <param name="progress">Told of templates and images that are built.</param>
    public WorkerSandboxHost(SandboxEngine engine, WorkerOptions options, IProgress<BuildStep>? progress = null)
    {
        _engine = engine;
        _options = options;
        _progress = progress;
        _housekeeping = new Timer(_ => KeepHouse(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, HostedTemplate> Templates => _templates.ToDictionary(
        pair => pair.Key,
        pair => new HostedTemplate(pair.Key, pair.Value.Template.Manifest.Runtime, pair.Value.Template.Manifest.MemoryBytes),
        StringComparer.Ordinal);

    /// <summary>Counts; what workers count is up to a second old.</summary>
    public HostStatistics Statistics
    {
        get
        {
            lock (_lock)
            {
                var sum = _ended with { Running = Volatile.Read(ref _running), Live = _sandboxes.Count, Workers = _workers.Count };
                return _workers.Aggregate(sum, (all, worker) => Add(all, worker.LastStatistics));
            }
        }
    }

    /// <inheritdoc/>
    public async Task PrepareAsync(string template, CancellationToken cancellationToken)
    {
        await _preparing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_templates.ContainsKey(template)) return;
            // Processes start while the template is read, or built, which blocks for long.
            var starting = Task.Run(StartSpares, cancellationToken);
            var loaded = await Task.Run(() => _engine.Templates.EnsureAsync(template, _progress, cancellationToken), cancellationToken).ConfigureAwait(false);
            var shared = _templates[template] = new Shared(loaded);
            await starting.ConfigureAwait(false);
            List<WorkerProcess> spares;
            lock (_lock) spares = [.. _workers.Where(worker => worker.Tenant is null && !worker.IsGone)];
            var loads = spares.ConvertAll(worker => LoadAsync(worker, shared));
            // One that can serve is enough to begin with, and shows that workers can.
            if (loads.Count > 0) await loads[0].WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _preparing.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<HostedExecResult> ExecuteAsync(string tenant, HostedExec exec, CancellationToken cancellationToken)
    {
        var template = FindTemplate(tenant, exec.Template);
        var worker = await TakeAsync(tenant).ConfigureAwait(false);
        Interlocked.Increment(ref _running);
        try
        {
            await LoadAsync(worker, template).WaitAsync(cancellationToken).ConfigureAwait(false);
            List<ReadOnlyMemory<byte>> blobs = exec.Input is { } input ? [input] : [];
            blobs.AddRange(exec.Files.Select(file => file.Content));
            var arguments = new ExecArguments(exec with { Input = null, Files = [] }, exec.Input is not null, [.. exec.Files.Select(file => file.Path)]);
            var (answer, output) = await worker.CallAsync(
                WorkerMethod.Exec, arguments, WorkerJson.Default.ExecArguments, WorkerJson.Default.ExecAnswer, blobs, cancellationToken).ConfigureAwait(false);
            return new HostedExecResult(
                answer.End, answer.ExitCode, output.Count > 0 ? output[0].ToArray() : [], output.Count > 1 ? output[1].ToArray() : [], answer.Message, answer.ForkNanoseconds, answer.ExecNanoseconds);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
            Release(worker);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<HostedEvent> ExecuteStreamAsync(string tenant, HostedExec exec, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var template = FindTemplate(tenant, exec.Template);
        var worker = await TakeAsync(tenant).ConfigureAwait(false);
        Interlocked.Increment(ref _running);
        try
        {
            await LoadAsync(worker, template).WaitAsync(cancellationToken).ConfigureAwait(false);
            await foreach (var next in worker.StreamAsync(LiveMethod.ExecStream, new LiveArguments { Exec = exec }, cancellationToken).ConfigureAwait(false)) yield return next;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
            Release(worker);
        }
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

        foreach (var template in _templates.Values.Concat(_own.Values)) template.Dispose();
        _preparing.Dispose();
    }

    private Shared FindTemplate(string tenant, string name) => _templates.TryGetValue(name, out var template) || _own.TryGetValue((tenant, name), out template) ? template : throw new TemplateNotFoundException($"Template '{name}' is not loaded.");

    private static HostStatistics Add(HostStatistics a, HostStatistics b) => a with
    {
        Pooled = a.Pooled + b.Pooled,
        PoolHits = a.PoolHits + b.PoolHits,
        PoolMisses = a.PoolMisses + b.PoolMisses,
        Recycled = a.Recycled + b.Recycled,
        LiveMemoryBytes = a.LiveMemoryBytes + b.LiveMemoryBytes,
        WorkerResidentBytes = a.WorkerResidentBytes + b.WorkerResidentBytes,
    };

    /// <summary>A template whose memory and state other processes can map: both are sealed.</summary>
    private sealed class Shared : IDisposable
    {
        private readonly FileDescriptor _state;
        private readonly FileDescriptor? _largePages;

        public Shared(Template template)
        {
            Template = template;
            _state = MemoryFile.Create("ramet-state");
            _state.WriteAllAt(template.State.Span, 0);
            MemoryFile.Seal(_state);
            _largePages = template.Image.CopyToLargePages(template.Manifest.LargeImagePages);
        }

        public Template Template { get; }

        public LoadArguments ToArguments() => new(Template.Manifest.ToJson(), PathOf(Template.Memory.File), PathOf(_state), _largePages is null ? null : PathOf(_largePages));

        public void Dispose()
        {
            _state.Dispose();
            _largePages?.Dispose();
        }

        private static string PathOf(FileDescriptor file) => $"/proc/{Environment.ProcessId}/fd/{file.Number}";
    }
}
