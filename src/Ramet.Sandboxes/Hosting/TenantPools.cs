using Ramet.Host;

namespace Ramet.Sandboxes.Hosting;

/// <summary>When pools are made and given up.</summary>
public sealed record TenantPoolOptions
{
    /// <summary>Sizes of each pool.</summary>
    public SandboxPoolOptions Pool { get; init; } = new();

    /// <summary>Whether a spare pool stands ready for the next tenant.</summary>
    public bool KeepsSpare { get; init; } = true;

    /// <summary>A pool that nobody has used for this long goes.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>
/// One pool for each tenant and template. A spare pool, whose machines have run nothing but Ramet's own warm-up code, stands ready for a tenant who comes for the first
/// time; from then on its machines are his until they are gone.
/// </summary>
internal sealed class TenantPools(SandboxEngine engine, TenantPoolOptions options) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Tenant, string Template), Entry> _pools = [];
    private readonly Dictionary<string, SandboxPool> _spares = new(StringComparer.Ordinal);
    private long _hits, _misses, _recycled;
    private bool _disposed;

    /// <summary>Counts over all pools, also of those that are gone.</summary>
    public HostStatistics Statistics(int running)
    {
        lock (_lock)
        {
            var all = _pools.Values.Select(entry => entry.Pool).Concat(_spares.Values).ToList();
            return new HostStatistics(
                running, all.Sum(pool => pool.Count), _hits + all.Sum(pool => pool.Hits), _misses + all.Sum(pool => pool.Misses), _recycled + all.Sum(pool => pool.Recycled));
        }
    }

    /// <summary>Makes the spare pool of a template ready, on this thread, with so many machines, or as many as a pool is to have.</summary>
    public void FillSpare(Template template, int machines) => AddSpare(template)?.Fill(machines);

    /// <summary>The pool of a tenant. It stays for as long as the tenant uses it: give it back with <see cref="Return"/>.</summary>
    public SandboxPool Rent(string tenant, Template template)
    {
        string name = template.Manifest.Name;
        bool spareTaken = false;
        SandboxPool pool;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_pools.TryGetValue((tenant, name), out var entry))
            {
                spareTaken = _spares.Remove(name, out var spare);
                entry = _pools[(tenant, name)] = new Entry(spare ?? new SandboxPool(engine, template, options.Pool));
            }

            entry.Users++;
            pool = entry.Pool;
        }

        if (spareTaken && options.KeepsSpare) engine.Threads.Run(() => AddSpare(template)?.FillIfPossible());
        return pool;
    }

    /// <summary>The tenant's use is over for now.</summary>
    public void Return(string tenant, string template)
    {
        lock (_lock)
        {
            if (!_pools.TryGetValue((tenant, template), out var entry)) return;
            entry.Users--;
            entry.LastUsed = HostClock.MonotonicNanoseconds;
        }
    }

    /// <summary>Lets go of pools that nobody has used for long.</summary>
    public void DropIdle()
    {
        List<SandboxPool> dropped = [];
        lock (_lock)
        {
            long limit = HostClock.MonotonicNanoseconds - (options.IdleTime.Ticks * 100);
            foreach (var (key, entry) in _pools.Where(pair => pair.Value.Users == 0 && pair.Value.LastUsed <= limit).ToList())
            {
                _pools.Remove(key);
                Forget(entry.Pool);
                dropped.Add(entry.Pool);
            }
        }

        foreach (var pool in dropped) pool.Dispose();
    }

    /// <summary>Lets go of the pools of a template; one that is in use goes when it has not been for a while.</summary>
    public void Drop(string template)
    {
        List<SandboxPool> dropped = [];
        lock (_lock)
        {
            if (_spares.Remove(template, out var spare)) dropped.Add(spare);
            foreach (var (key, entry) in _pools.Where(pair => pair.Key.Template == template && pair.Value.Users == 0).ToList())
            {
                _pools.Remove(key);
                Forget(entry.Pool);
                dropped.Add(entry.Pool);
            }
        }

        foreach (var pool in dropped) pool.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        List<SandboxPool> all;
        lock (_lock)
        {
            _disposed = true;
            all = [.. _pools.Values.Select(entry => entry.Pool), .. _spares.Values];
            _pools.Clear();
            _spares.Clear();
        }

        foreach (var pool in all) pool.Dispose();
    }

    /// <summary>An empty spare pool; null: there is one.</summary>
    private SandboxPool? AddSpare(Template template)
    {
        lock (_lock)
        {
            if (_disposed || _spares.ContainsKey(template.Manifest.Name)) return null;
            return _spares[template.Manifest.Name] = new SandboxPool(engine, template, options.Pool);
        }
    }

    private void Forget(SandboxPool pool)
    {
        _hits += pool.Hits;
        _misses += pool.Misses;
        _recycled += pool.Recycled;
    }

    private sealed class Entry(SandboxPool pool)
    {
        public SandboxPool Pool { get; } = pool;

        public int Users { get; set; }

        public long LastUsed { get; set; } = HostClock.MonotonicNanoseconds;
    }
}
