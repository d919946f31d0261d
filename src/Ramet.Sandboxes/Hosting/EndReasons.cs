namespace Ramet.Sandboxes.Hosting;

/// <summary>Why sandboxes have ended: for a while it can be told to those who ask for them still.</summary>
internal sealed class EndReasons
{
    private const int Most = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Tenant, string Reason)> _reasons = new(StringComparer.Ordinal);
    private readonly Queue<string> _oldest = new();

    /// <summary>Notes one. To be called before the sandbox cannot be found any more, so that there is never one without a reason.</summary>
    public void Add(string tenant, string id, string reason)
    {
        lock (_lock)
        {
            if (!_reasons.ContainsKey(id)) _oldest.Enqueue(id);
            _reasons[id] = (tenant, reason);
            if (_oldest.Count > Most) _reasons.Remove(_oldest.Dequeue());
        }
    }

    /// <summary>Why it has ended; null: nothing is known of it.</summary>
    public string? Find(string id)
    {
        lock (_lock) return _reasons.TryGetValue(id, out var known) ? known.Reason : null;
    }

    /// <summary>The same for a tenant: of the sandboxes of others nothing is known.</summary>
    public string? Find(string tenant, string id)
    {
        lock (_lock) return _reasons.TryGetValue(id, out var known) && known.Tenant == tenant ? known.Reason : null;
    }
}
