namespace Ramet.Sandboxes.Hosting;

/// <summary>The last of what has happened to a sandbox: a bounded ring.</summary>
internal sealed class SandboxHistory
{
    private const int MostEntries = 256;
    private const int LongestText = 200;

    private readonly Queue<HostedLogEntry> _entries = new();
    private readonly Lock _lock = new();

    /// <summary>Notes something.</summary>
    public void Add(string what, string text)
    {
        text = text.Length <= LongestText ? text : string.Concat(text.AsSpan(0, LongestText), "...");
        lock (_lock)
        {
            _entries.Enqueue(new HostedLogEntry(TimeProvider.System.GetUtcNow(), what, text));
            while (_entries.Count > MostEntries) _entries.Dequeue();
        }
    }

    /// <summary>Takes what another one has noted.</summary>
    public void Restore(IEnumerable<HostedLogEntry> entries)
    {
        lock (_lock)
        {
            foreach (var entry in entries.TakeLast(MostEntries)) _entries.Enqueue(entry);
        }
    }

    /// <summary>The oldest first.</summary>
    public IReadOnlyList<HostedLogEntry> ToList()
    {
        lock (_lock) return [.. _entries];
    }
}
