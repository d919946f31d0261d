using System.Collections.Concurrent;
using Ramet.Images;

namespace Ramet.Sandboxes.Hosting;

/// <summary>Sandboxes in this process.</summary>
public sealed partial class InProcessSandboxHost : ICapturingSandboxHost
{
    /// <summary>Less than this was allocated since housekeeping last looked, bytes: nothing has run.</summary>
    private const long IdleAllocation = 128 << 10;

    /// <summary>So much must have been allocated since the last compaction, bytes.</summary>
    private const long WorthCompacting = 4 << 20;

    private readonly SandboxEngine _engine;
    private readonly TenantPools _pools;
    private readonly IProgress<BuildStep>? _progress;
    private readonly ConcurrentDictionary<string, Template> _templates = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _preparing = new(1, 1);
    private readonly Timer _housekeeping;
    private int _running;
    private long _allocatedBefore, _allocatedAtCompaction;

    /// <param name="engine">Not disposed with this.</param>
    /// <param name="options">Pools.</param>
    /// <param name="progress">Told of templates and images that are built.</param>
    public InProcessSandboxHost(SandboxEngine engine, TenantPoolOptions options, IProgress<BuildStep>? progress = null)
    {
        _engine = engine;
        _pools = new TenantPools(engine, options);
        _progress = progress;
        var period = TimeSpan.FromTicks(Math.Clamp(options.IdleTime.Ticks / 4, TimeSpan.TicksPerMillisecond * 50, TimeSpan.TicksPerMinute));
        _housekeeping = new Timer(_ => KeepHouse(), null, period, period);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, HostedTemplate> Templates => _templates.ToDictionary(pair => pair.Key, pair => Describe(pair.Value), StringComparer.Ordinal);

    /// <summary>One that was prepared or added; none is loaded when it is used.</summary>
    public HostedTemplate? FindTemplate(string name) => _templates.TryGetValue(name, out var template) ? Describe(template) : null;

    /// <inheritdoc/>
    public IReadOnlyList<HostedTemplate> ListTemplates() => [.. _templates.Values.Select(Describe).OrderBy(template => template.Name, StringComparer.Ordinal)];

    /// <inheritdoc/>
    public HostStatistics Statistics => _pools.Statistics(Volatile.Read(ref _running)) with
    {
        Live = _live.Count,
        LiveMemoryBytes = _live.Values.Aggregate(0UL, (sum, sandbox) => sum + (sandbox.Ended.IsCompleted ? 0 : sandbox.MemoryBytes)),
    };

    /// <inheritdoc/>
    public async Task PrepareAsync(string template, CancellationToken cancellationToken)
    {
        await _preparing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Building blocks for long; loading reads the whole snapshot.
            var loaded = await Task.Run(() => _engine.Templates.EnsureAsync(template, _progress, cancellationToken), cancellationToken).ConfigureAwait(false);
            await _engine.Threads.Compute(() =>
            {
                _pools.FillSpare(loaded, int.MaxValue);
                return true;
            }).ConfigureAwait(false);
            _templates[template] = loaded;
        }
        finally
        {
            _preparing.Release();
        }
    }

    /// <summary>Takes a template that is loaded, and makes its pool for a tenant.</summary>
    /// <param name="template">The template.</param>
    /// <param name="tenant">The tenant.</param>
    /// <param name="machines">How many machines are made ready at once, if a pool has so many.</param>
    internal void Add(Template template, string tenant, int machines)
    {
        _pools.FillSpare(template, machines);
        _pools.Rent(tenant, template);
        _pools.Return(tenant, template.Manifest.Name);
        _templates[template.Manifest.Name] = template;
    }

    /// <summary>Runs code on this thread.</summary>
    internal HostedExecResult Execute(string tenant, HostedExec exec, CancellationToken cancellationToken) => Execute(tenant, Find(exec.Template), exec, cancellationToken);

    /// <inheritdoc/>
    public Task<HostedExecResult> ExecuteAsync(string tenant, HostedExec exec, CancellationToken cancellationToken)
    {
        var template = Find(exec.Template);
        // The guest runs on the calling thread, which is to be one of those that are made for it.
        return _engine.Threads.Compute(() => Execute(tenant, template, exec, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _housekeeping.DisposeAsync().ConfigureAwait(false);
        foreach (var sandbox in _live.Values) await sandbox.DisposeAsync().ConfigureAwait(false);
        _pools.Dispose();
        _preparing.Dispose();
    }

    private void KeepHouse()
    {
        _pools.DropIdle();
        foreach (var sandbox in _live.Values) sandbox.TrimIfIdle();
        CompactIfIdle();
    }

    /// <summary>
    /// When nothing has run for a while: what the last runs left on the heap is collected and given back, once. It is half as much as what the sandboxes need, and takes some
    /// ten milliseconds in which nothing else runs.
    /// </summary>
    private void CompactIfIdle()
    {
        long allocated = GC.GetTotalAllocatedBytes();
        bool idle = Volatile.Read(ref _running) == 0 && allocated - _allocatedBefore < IdleAllocation;
        _allocatedBefore = allocated;
        if (!idle || allocated - _allocatedAtCompaction < WorthCompacting) return;
        ManagedHeap.GiveBack();
        _allocatedAtCompaction = GC.GetTotalAllocatedBytes();
    }

    private Template Find(string name) => _templates.TryGetValue(name, out var template) ? template : throw new TemplateNotFoundException($"Template '{name}' is not loaded.");

    private static HostedTemplate Describe(Template template) => new(template.Manifest.Name, template.Manifest.Runtime, template.Manifest.MemoryBytes);

    /// <inheritdoc/>
    public async IAsyncEnumerable<HostedEvent> ExecuteStreamAsync(string tenant, HostedExec exec, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var template = Find(exec.Template);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var output = new ExecOutput(leaving.Token);
        var running = _engine.Threads.Compute(() =>
        {
            try
            {
                return Execute(tenant, template, exec, leaving.Token, output);
            }
            finally
            {
                output.Complete();
            }
        });
        try
        {
            await foreach (var piece in output.ReadAllAsync(cancellationToken).ConfigureAwait(false)) yield return piece;
            var result = await running.ConfigureAwait(false);
            yield return new HostedEvent(
                HostedEventKind.End, default, result.ExitCode, new HostedExecEnd(result.End, result.Message, result.ForkNanoseconds, result.ExecNanoseconds).ToDetails(), result.End == SandboxEnd.TimedOut);
        }
        finally
        {
            // Whoever asked may have gone: its code ends.
            await leaving.CancelAsync().ConfigureAwait(false);
            await Task.WhenAny(running).ConfigureAwait(false);
        }
    }

    private HostedExecResult Execute(string tenant, Template template, HostedExec exec, CancellationToken cancellationToken, IOutputReceiver? output = null)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Interlocked.Increment(ref _running);
        CancellationTokenRegistration kill = default;
        var pool = _pools.Rent(tenant, template);
        try
        {
            var request = new ExecRequest
            {
                Code = exec.Code,
                Arguments = exec.Arguments is { Count: > 0 } arguments ? ["-c", .. arguments] : null,
                Environment = exec.Environment,
                Input = exec.Input,
                OnStarted = sandbox =>
                {
                    WriteFiles(sandbox, exec.Files);
                    kill = cancellationToken.UnsafeRegister(static state => ((Sandbox)state!).Kill(), sandbox);
                },
            };
            var result = pool.Execute(request, new SandboxOptions { MemoryBytes = exec.MemoryBytes, Timeout = exec.Timeout, MaxOutputBytes = exec.MaxOutputBytes, Output = output });
            cancellationToken.ThrowIfCancellationRequested();
            var program = result.Result;
            return new HostedExecResult(program.End, program.ExitCode, program.Stdout, program.Stderr, program.Message, result.ForkNanoseconds, result.ExecNanoseconds);
        }
        finally
        {
            kill.Dispose();
            _pools.Return(tenant, template.Manifest.Name);
            Interlocked.Decrement(ref _running);
        }
    }

    private static void WriteFiles(Sandbox sandbox, IReadOnlyList<HostedFile> files)
    {
        if (files.Count == 0) return;
        var inside = new Kernel.Hosting.HostFiles(sandbox.Kernel);
        foreach (var file in files)
        {
            var error = inside.Write(file.Path, file.Content.Span);
            if (error != Abi.Errno.None) throw new HostedFileException(file.Path, error);
        }
    }
}
