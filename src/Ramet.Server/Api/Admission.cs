using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>
/// How many sandboxes, paused sandboxes, snapshots and templates there may be. What is being made counts: requests that come at the same time do not get past a limit together. The counts are the
/// server's own, no worker is asked. A sandbox that was paused by itself counts as one that runs, since whoever uses it has it run.
/// </summary>
internal sealed class Admission(IDurableSandboxHost host, ServerSettings settings)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Tenant, Kind Kind), int> _making = [];

    private enum Kind
    {
        Sandbox,
        Paused,
        Snapshot,
        Template,
    }

    /// <summary>Admits further sandboxes of a key, which are being made until the result is disposed.</summary>
    /// <exception cref="ProblemException">There would be too many.</exception>
    public IDisposable EnterSandboxes(string tenant, int count) => Enter(tenant, Kind.Sandbox, count, making =>
    {
        var counts = host.Count(tenant);
        int all = _making.Where(pair => pair.Key.Kind == Kind.Sandbox).Sum(pair => pair.Value);
        if (counts.All + all + count > settings.Sandboxes)
            throw new ProblemException(503, "The server is full", $"It has as many sandboxes as it may ({settings.Sandboxes}, limits.sandboxes); try again later.", 5);
        if (counts.Own + making + count > settings.KeySandboxes)
            throw new ProblemException(429, "Too many sandboxes", $"The key would have more sandboxes than it may ({counts.Own + making} and {count} of {settings.KeySandboxes}, keys.sandboxes); delete or pause some.");
    });

    /// <summary>Admits another paused sandbox of a key.</summary>
    /// <exception cref="ProblemException">It may not have another one.</exception>
    public IDisposable EnterPaused(string tenant) => Enter(tenant, Kind.Paused, 1, making =>
    {
        if (host.Count(tenant).Paused + making >= settings.KeyPaused)
            throw new ProblemException(429, "Too many paused sandboxes", $"The key has as many paused sandboxes as it may ({settings.KeyPaused}, keys.paused); delete some.");
    });

    /// <summary>Admits another snapshot of a key.</summary>
    /// <exception cref="ProblemException">It may not have another one.</exception>
    public IDisposable EnterSnapshot(string tenant) => Enter(tenant, Kind.Snapshot, 1, making =>
    {
        if (host.ListSnapshots(tenant).Count + making >= settings.KeySnapshots)
            throw new ProblemException(429, "Too many snapshots", $"The key has as many snapshots as it may ({settings.KeySnapshots}, keys.snapshots); delete some.");
    });

    /// <summary>Admits another template of a key.</summary>
    /// <exception cref="ProblemException">It may not have another one.</exception>
    public IDisposable EnterTemplate(string tenant) => Enter(tenant, Kind.Template, 1, making =>
    {
        if (host.ListTemplates(tenant).Count + making >= settings.KeyTemplates)
            throw new ProblemException(429, "Too many templates", $"The key has as many templates as it may ({settings.KeyTemplates}, keys.templates); delete some.");
    });

    private Place Enter(string tenant, Kind kind, int count, Action<int> check)
    {
        lock (_lock)
        {
            int making = _making.GetValueOrDefault((tenant, kind));
            check(making);
            _making[(tenant, kind)] = making + count;
        }

        return new Place(this, tenant, kind, count);
    }

    private void Leave(string tenant, Kind kind, int count)
    {
        lock (_lock)
        {
            int left = _making[(tenant, kind)] -= count;
            if (left == 0) _making.Remove((tenant, kind));
        }
    }

    private sealed class Place(Admission admission, string tenant, Kind kind, int count) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) admission.Leave(tenant, kind, count);
        }
    }
}
