using System.Collections.Concurrent;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Which templates there are, and how they reach workers.</summary>
public sealed partial class WorkerSandboxHost
{
    private readonly TemplateStore _store;
    private readonly ConcurrentDictionary<string, SharedTemplate> _templates = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Tenant, string Name), SharedTemplate> _own = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<SharedTemplate>>> _reading = new(StringComparer.Ordinal);

    /// <summary>Those that every spare worker has, in the order in which it takes them over. Under the lock.</summary>
    private readonly List<string> _prepared = [];

    private volatile IReadOnlyDictionary<string, HostedTemplate> _described = new Dictionary<string, HostedTemplate>(StringComparer.Ordinal);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, HostedTemplate> Templates => _described;

    /// <inheritdoc/>
    public HostedTemplate? FindTemplate(string name) => _described.TryGetValue(name, out var loaded) ? loaded : _store.Find(name) is { } manifest ? Describe(name, manifest) : null;

    /// <inheritdoc/>
    public IReadOnlyList<HostedTemplate> ListTemplates()
    {
        var all = new Dictionary<string, HostedTemplate>(_described, StringComparer.Ordinal);
        foreach (var manifest in _store.List()) all.TryAdd(manifest.Name, Describe(manifest.Name, manifest));
        string[] builtIn = [.. TemplateStore.KnownNames];
        return [.. all.Values.OrderBy(template => (uint)Array.IndexOf(builtIn, template.Name)).ThenBy(template => template.Name, StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public async Task PrepareAsync(string template, CancellationToken cancellationToken)
    {
        bool isFirst;
        lock (_lock)
        {
            if (!_prepared.Contains(template)) _prepared.Add(template);
            isFirst = _prepared[0] == template;
        }

        // Processes start while templates are read, or built, which blocks for long.
        var starting = Task.Run(StartSpares, cancellationToken);
        SharedTemplate shared;
        try
        {
            shared = await ReadAsync(template).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            lock (_lock) _prepared.Remove(template);
            throw;
        }

        await starting.ConfigureAwait(false);
        List<WorkerProcess> spares;
        lock (_lock) spares = [.. _workers.Where(worker => worker.Tenant is null && !worker.IsGone)];
        foreach (var spare in spares) _ = TakeOverAsync(spare);
        // One that can serve is enough to begin with, and shows that workers can.
        if (isFirst && spares.Count > 0) await LoadAsync(spares[0], shared).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void AddTemplate(string tenant, Template template)
    {
        ArgumentNullException.ThrowIfNull(template);
        _own[(tenant, template.Manifest.Name)] = new SharedTemplate(template, isOwn: true);
    }

    /// <inheritdoc/>
    public void RemoveTemplate(string tenant, string name)
    {
        if (!_own.TryRemove((tenant, name), out var template)) return;
        template.Dispose();
        List<WorkerProcess> workers;
        lock (_lock) workers = [.. _workers.Where(worker => worker.Tenant == tenant && !worker.IsGone)];
        foreach (var worker in workers) _ = UnloadAsync(worker, name);
    }

    /// <summary>A template that a tenant names. One that is on disk only is read now.</summary>
    private async ValueTask<SharedTemplate> FindTemplateAsync(string tenant, string name, CancellationToken cancellationToken)
    {
        if (_templates.TryGetValue(name, out var template) || _own.TryGetValue((tenant, name), out template)) return template;
        if (_store.Find(name) is null) throw new TemplateNotFoundException($"Template '{name}' is not there any more.");
        return await ReadAsync(name).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads a template, once. It goes on for the others when one caller has gone.</summary>
    private Task<SharedTemplate> ReadAsync(string name)
    {
        return _reading.GetOrAdd(name, _ => new Lazy<Task<SharedTemplate>>(() => Task.Run(Read))).Value;

        async Task<SharedTemplate> Read()
        {
            try
            {
                var shared = new SharedTemplate(await _store.EnsureAsync(name, _progress).ConfigureAwait(false), isOwn: false);
                _templates[name] = shared;
                lock (_lock) _described = new Dictionary<string, HostedTemplate>(_described, StringComparer.Ordinal) { [name] = Describe(name, shared.Template.Manifest) };
                return shared;
            }
            catch
            {
                _reading.TryRemove(name, out Lazy<Task<SharedTemplate>>? _);
                throw;
            }
        }
    }

    /// <summary>Has a spare worker take over what was prepared: in its order, one after the other, since the first is what its tenant will most likely ask for.</summary>
    private async Task TakeOverAsync(WorkerProcess worker)
    {
        string[] names;
        lock (_lock) names = [.. _prepared];
        foreach (string name in names)
        {
            try
            {
                await LoadAsync(worker, await ReadAsync(name).ConfigureAwait(false)).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whoever needs it tries again and is told.
            catch (Exception)
#pragma warning restore CA1031
            {
                if (worker.IsGone) return;
            }
        }
    }

    /// <summary>Has a worker take a template over, once. It goes on for the others when one caller has gone.</summary>
    private Task LoadAsync(WorkerProcess worker, SharedTemplate template)
    {
        string name = template.Template.Manifest.Name;
        if (worker.Templates.TryGetValue(name, out var known)) return known.Value;
        return worker.Templates.GetOrAdd(name, _ => new Lazy<Task>(Load)).Value;

        async Task Load()
        {
            try
            {
                using var use = template.Use();
                bool isFirst;
                lock (_lock) isFirst = _prepared.Count > 0 && _prepared[0] == name;
                // Of the others one machine is enough: a pool grows to its size when it is used.
                await worker.CallAsync(
                    WorkerMethod.Load, template.ToArguments(isFirst ? int.MaxValue : 1), WorkerJson.Default.LoadArguments, WorkerJson.Default.JsonElement, [], CancellationToken.None).ConfigureAwait(false);
            }
            catch
            {
                worker.Templates.TryRemove(name, out Lazy<Task>? _);
                throw;
            }
        }
    }

    private static async Task UnloadAsync(WorkerProcess worker, string name)
    {
        if (!worker.Templates.TryRemove(name, out var loading)) return;
        try
        {
            await loading.Value.ConfigureAwait(false);
            await worker.CallAsync(
                WorkerMethod.Unload, new UnloadArguments(name), WorkerJson.Default.UnloadArguments, WorkerJson.Default.JsonElement, [], CancellationToken.None).ConfigureAwait(false);
        }
        catch (SandboxException)
        {
            // It never had it, or is gone.
        }
    }

    private static HostedTemplate Describe(string name, TemplateManifest manifest) => new(name, manifest.Runtime, manifest.MemoryBytes);
}
