using System.Runtime.CompilerServices;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>Sandboxes that run, or are resumed so that they do.</summary>
public sealed partial class DurableSandboxHost
{
    /// <inheritdoc/>
    public async Task<HostedSandbox> CreateAsync(string tenant, HostedSandboxSpec spec, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (spec.Snapshot is not null) return Named(await CreateFromAsync(tenant, spec, cancellationToken).ConfigureAwait(false));
        spec = spec with { Template = await ResolveTemplateAsync(tenant, spec.Template, cancellationToken).ConfigureAwait(false) };
        return Named(Register(await _inner.CreateAsync(tenant, spec, cancellationToken).ConfigureAwait(false), spec));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedSandbox>> ListAsync(string? tenant, CancellationToken cancellationToken)
    {
        var running = await _inner.ListAsync(tenant, cancellationToken).ConfigureAwait(false);
        var paused = _uses.Values.Where(use => tenant is null || use.Tenant == tenant).Select(use => use.Paused).OfType<ArchiveRecord>().ToDictionary(record => record.Id, StringComparer.Ordinal);
        return [.. running.Where(sandbox => !paused.ContainsKey(sandbox.Id)).Select(Named).Concat(paused.Values.Select(Describe)).OrderBy(sandbox => sandbox.Id, StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public async Task<HostedSandbox> GetAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        if (FindPaused(tenant, id) is { } record) return Describe(record);
        try
        {
            return Named(await _inner.GetAsync(tenant, id, cancellationToken).ConfigureAwait(false));
        }
        catch (SandboxGoneException) when (FindPaused(tenant, id) is { } meanwhile)
        {
            return Describe(meanwhile);
        }
    }

    /// <inheritdoc/>
    public SandboxCounts Count(string tenant)
    {
        var (all, own, paused) = _inner.Count(tenant);
        foreach (var use in _uses.Values)
        {
            if (use.Paused is not { } record) continue;
            if (use.Tenant == tenant) paused++;
            // Whoever uses it has it run.
            if (!record.IsAutomatic) continue;
            all++;
            if (use.Tenant == tenant) own++;
        }

        return new SandboxCounts(all, own, paused);
    }

    /// <inheritdoc/>
    public async Task<HostedSandbox> UpdateAsync(string tenant, string id, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var use = await FindAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        await use.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (use.Paused is not null)
            {
                var record = UpdateHeld(use, id, now => now with { Left = timeout ?? now.Left, Spec = now.Spec with { Metadata = metadata ?? now.Spec.Metadata } });
                use.Spec = record.Spec;
                return Describe(record);
            }

            var updated = await _inner.UpdateAsync(tenant, id, timeout, metadata, cancellationToken).ConfigureAwait(false);
            use.Spec = use.Spec with { Metadata = updated.Metadata };
            return Named(updated);
        }
        finally
        {
            use.Gate.Release();
        }
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var use = await FindAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        await use.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (use.Paused is not null)
            {
                _uses.TryRemove(id, out _);
                if (!_paused.Remove(tenant, id)) throw new SandboxGoneException(id);
                return;
            }

            await _inner.DeleteAsync(tenant, id, cancellationToken).ConfigureAwait(false);
            _uses.TryRemove(id, out _);
        }
        finally
        {
            use.Gate.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedSandbox>> ForkAsync(
        string tenant, string id, int count, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        using var held = await UseAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        var made = await _inner.ForkAsync(tenant, id, count, timeout, metadata, cancellationToken).ConfigureAwait(false);
        if (_uses.TryGetValue(id, out var parent))
        {
            foreach (var child in made) Register(child, parent.Spec with { Timeout = timeout ?? parent.Spec.Timeout, Metadata = child.Metadata });
        }

        return [.. made.Select(Named)];
    }

    /// <inheritdoc/>
    public async Task<HostedMetrics> MetricsAsync(string tenant, string id, CancellationToken cancellationToken) =>
        FindPaused(tenant, id)?.Metrics ?? await _inner.MetricsAsync(tenant, id, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedLogEntry>> HistoryAsync(string tenant, string id, CancellationToken cancellationToken) =>
        FindPaused(tenant, id)?.History ?? await _inner.HistoryAsync(tenant, id, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<byte[]> LogAsync(string tenant, string id, CancellationToken cancellationToken) =>
        FindPaused(tenant, id) is not null ? [] : await _inner.LogAsync(tenant, id, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedEvent> RunAsync(string tenant, string id, HostedRun run, CancellationToken cancellationToken) =>
        StreamAsync(tenant, id, () => _inner.RunAsync(tenant, id, run, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedEvent> AttachAsync(string tenant, string id, int pid, CancellationToken cancellationToken) =>
        StreamAsync(tenant, id, () => _inner.AttachAsync(tenant, id, pid, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedFileChange> WatchFilesAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken) =>
        StreamAsync(tenant, id, () => _inner.WatchFilesAsync(tenant, id, path, recursive, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(string tenant, string id, string path, CancellationToken cancellationToken) =>
        await OpenAsync(tenant, id, () => _inner.OpenReadAsync(tenant, id, path, cancellationToken), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<Stream> OpenWriteAsync(string tenant, string id, string path, uint? mode, CancellationToken cancellationToken) =>
        await OpenAsync(tenant, id, () => _inner.OpenWriteAsync(tenant, id, path, mode, cancellationToken), cancellationToken).ConfigureAwait(false);

    private ArchiveRecord? FindPaused(string tenant, string id) => _uses.TryGetValue(id, out var use) && use.Tenant == tenant ? use.Paused : null;

    private async Task<Stream> OpenAsync(string tenant, string id, Func<Task<Stream>> open, CancellationToken cancellationToken)
    {
        var held = await UseAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        try
        {
            return new HeldStream(await open().ConfigureAwait(false), held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private async IAsyncEnumerable<T> StreamAsync<T>(string tenant, string id, Func<IAsyncEnumerable<T>> open, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var held = await UseAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        await foreach (var next in open().WithCancellation(cancellationToken).ConfigureAwait(false)) yield return next;
    }

    private async Task<T> UsingAsync<T>(string tenant, string id, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        using var held = await UseAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        return await call().ConfigureAwait(false);
    }

    private async Task UsingAsync(string tenant, string id, Func<Task> call, CancellationToken cancellationToken)
    {
        using var held = await UseAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        await call().ConfigureAwait(false);
    }
}
