using System.Collections.Concurrent;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>
/// Sandboxes that outlive their machines. Those that run are the inner host's; paused ones and snapshots are files below the data directory, so a server that is killed finds them
/// again. A sandbox that nobody has used for its time is paused, and whoever uses it next resumes it.
/// </summary>
public sealed partial class DurableSandboxHost : IDurableSandboxHost
{
    private static readonly TimeSpan s_period = TimeSpan.FromMilliseconds(200);

    private readonly ICapturingSandboxHost _inner;
    private readonly TimeSpan _pausedLifetime;
    private readonly SandboxArchive _paused;
    private readonly SandboxArchive _snapshots;
    private readonly SandboxArchive _templates;
    private readonly SandboxEngine _engine;
    private readonly ConcurrentDictionary<string, SandboxUse> _uses = new(StringComparer.Ordinal);
    private readonly Timer _housekeeping;
    private long _tidied = Environment.TickCount64;
    private int _keeping;

    /// <param name="inner">Where sandboxes run; disposed with this.</param>
    /// <param name="engine">For images; its data directory is where sandboxes are kept. Not disposed with this.</param>
    /// <param name="pausedLifetime">After this time a paused sandbox is removed.</param>
    public DurableSandboxHost(ICapturingSandboxHost inner, SandboxEngine engine, TimeSpan pausedLifetime)
    {
        ArgumentNullException.ThrowIfNull(engine);
        _engine = engine;
        string dataDirectory = engine.DataDirectory;
        _inner = inner;
        _pausedLifetime = pausedLifetime;
        _paused = new SandboxArchive(Path.Combine(dataDirectory, "sandboxes"));
        _snapshots = new SandboxArchive(Path.Combine(dataDirectory, "snapshots"));
        _templates = new SandboxArchive(Path.Combine(dataDirectory, "sandbox-templates"));
        foreach (var record in _paused.List(null)) _uses[record.Id] = new SandboxUse(record.Tenant, record.Spec) { Paused = record };
        ForgetUnneededTemplates();
        _housekeeping = new Timer(_ => KeepHouse(), null, s_period, s_period);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, HostedTemplate> Templates => _inner.Templates;

    /// <inheritdoc/>
    public HostedTemplate? FindTemplate(string name) => _inner.FindTemplate(name);

    /// <inheritdoc/>
    public IReadOnlyList<HostedTemplate> ListTemplates() => _inner.ListTemplates();

    /// <inheritdoc/>
    public HostStatistics Statistics => _inner.Statistics;

    /// <inheritdoc/>
    public Task PrepareAsync(string template, CancellationToken cancellationToken) => _inner.PrepareAsync(template, cancellationToken);

    /// <inheritdoc/>
    public async Task<HostedExecResult> ExecuteAsync(string tenant, HostedExec exec, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(exec);
        string template = await ResolveTemplateAsync(tenant, exec.Template, cancellationToken).ConfigureAwait(false);
        return await _inner.ExecuteAsync(tenant, template == exec.Template ? exec : exec with { Template = template }, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<HostedEvent> ExecuteStreamAsync(string tenant, HostedExec exec, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(exec);
        string template = await ResolveTemplateAsync(tenant, exec.Template, cancellationToken).ConfigureAwait(false);
        await foreach (var next in _inner.ExecuteStreamAsync(tenant, exec with { Template = template }, cancellationToken).ConfigureAwait(false)) yield return next;
    }

    /// <summary>Ends all that runs. Sandboxes that are paused when nobody uses them are paused now: nobody will for a while.</summary>
    public async ValueTask DisposeAsync()
    {
        await _housekeeping.DisposeAsync().ConfigureAwait(false);
        await Parallel.ForEachAsync(_uses.Where(pair => pair.Value is { Paused: null, Spec.AutoPause: not null }), async (pair, _) =>
        {
            await pair.Value.Gate.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            await PauseIdleAsync(pair.Value, pair.Key, idleFor: null).ConfigureAwait(false);
        }).ConfigureAwait(false);
        await _inner.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Has a sandbox run for as long as it is used.</summary>
    private async ValueTask<IDisposable> UseAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        // Of one that is not known the inner host says why.
        if (!_uses.TryGetValue(id, out var use) || use.Tenant != tenant) return new Held(null);
        if (use.TryEnter()) return new Held(use);
        await use.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (use.Paused is { } record)
            {
                if (!record.IsAutomatic) throw new SandboxConflictException($"The sandbox is paused. Resume it first: POST /v1/sandboxes/{id}/resume");
                // Not to be left half done because the caller goes.
                await ResumeHeldAsync(use, id).ConfigureAwait(false);
            }

            return new Held(use.TryEnter() ? use : null);
        }
        finally
        {
            use.Gate.Release();
        }
    }

    private HostedSandbox Register(HostedSandbox made, HostedSandboxSpec spec)
    {
        _uses[made.Id] = new SandboxUse(made.Tenant, spec);
        return made;
    }

    private void KeepHouse()
    {
        const int TidyingMilliseconds = 20_000;
        foreach (var (id, use) in _uses)
        {
            // Whoever has the gate makes use of it.
            if (use.Paused is null && use.Spec.AutoPause is { } idle && use.Gate.Wait(0)) _ = PauseIdleAsync(use, id, idle);
        }

        if (Environment.TickCount64 - _tidied < TidyingMilliseconds || Interlocked.Exchange(ref _keeping, 1) != 0) return;
        _tidied = Environment.TickCount64;
        _ = TidyAsync();
    }

    /// <summary>Pauses one that nobody uses; nobody can begin to. The gate is held, and given back.</summary>
    private async Task PauseIdleAsync(SandboxUse use, string id, TimeSpan? idleFor)
    {
        try
        {
            if (use.Paused is not null || !use.TryBeginMove(idleFor)) return;
            try
            {
                await PauseHeldAsync(use, id, automatic: true, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (e is SandboxException or Host.HostException or IOException or UnauthorizedAccessException or InvalidOperationException)
            {
                // It has ended meanwhile, or there is no room, or its worker has failed at it: it is tried again after as long, and others are paused in any case.
            }
            finally
            {
                use.EndMove();
            }
        }
        finally
        {
            use.Gate.Release();
        }
    }

    /// <summary>Forgets those that have ended, and removes what was paused for too long.</summary>
    private async Task TidyAsync()
    {
        try
        {
            foreach (var (id, use) in _uses)
            {
                if (use.Paused is { } record)
                {
                    if (record.Archived + _pausedLifetime < TimeProvider.System.GetUtcNow() && _paused.Remove(record.Tenant, id)) _uses.TryRemove(id, out _);
                }
                else if (!_inner.Knows(use.Tenant, id) && await use.Gate.WaitAsync(0).ConfigureAwait(false))
                {
                    // It may have been moved meanwhile: under the gate it stays where it is.
                    if (use.Paused is null && !_inner.Knows(use.Tenant, id)) _uses.TryRemove(id, out _);
                    use.Gate.Release();
                }
            }
        }
        catch (Exception exception) when (exception is SandboxException or IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // The next time.
        }
        finally
        {
            Volatile.Write(ref _keeping, 0);
        }
    }

    private sealed class Held(SandboxUse? use) : IDisposable
    {
        private SandboxUse? _use = use;

        public void Dispose() => Interlocked.Exchange(ref _use, null)?.Leave();
    }
}
