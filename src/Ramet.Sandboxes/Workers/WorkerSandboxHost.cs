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
    private readonly Timer _housekeeping;
    private int _running;

    /// <param name="engine">For images and templates; not disposed with this.</param>
    /// <param name="options">Numbers.</param>
    /// <param name="progress">Told of templates and images that are built.</param>
    public WorkerSandboxHost(SandboxEngine engine, WorkerOptions options, IProgress<BuildStep>? progress = null)
    {
        _engine = engine;
        _store = engine.Templates;
        _options = options;
        _progress = progress;
        _housekeeping = new Timer(_ => KeepHouse(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

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
    public async Task<HostedExecResult> ExecuteAsync(string tenant, HostedExec exec, CancellationToken cancellationToken)
    {
        var template = await FindTemplateAsync(tenant, exec.Template, cancellationToken).ConfigureAwait(false);
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
        var template = await FindTemplateAsync(tenant, exec.Template, cancellationToken).ConfigureAwait(false);
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
    }

    private static HostStatistics Add(HostStatistics a, HostStatistics b) => a with
    {
        Pooled = a.Pooled + b.Pooled,
        PoolHits = a.PoolHits + b.PoolHits,
        PoolMisses = a.PoolMisses + b.PoolMisses,
        Recycled = a.Recycled + b.Recycled,
        LiveMemoryBytes = a.LiveMemoryBytes + b.LiveMemoryBytes,
        WorkerResidentBytes = a.WorkerResidentBytes + b.WorkerResidentBytes,
    };
}
