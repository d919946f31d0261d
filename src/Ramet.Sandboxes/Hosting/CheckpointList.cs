namespace Ramet.Sandboxes.Hosting;

/// <summary>Checkpoints of a sandbox. They are bounded in number and in memory: automatic ones give way, the oldest first.</summary>
internal sealed class CheckpointList(int most, long mostBytes) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<(HostedCheckpoint Checkpoint, SandboxSnapshot Snapshot)> _all = [];
    private bool _disposed;

    /// <summary>Adds one, which takes the snapshot over.</summary>
    /// <exception cref="SandboxConflictException">There is no room, and nothing that would give way.</exception>
    public void Add(HostedCheckpoint checkpoint, SandboxSnapshot snapshot)
    {
        List<SandboxSnapshot> dropped = [];
        lock (_lock)
        {
            if (_disposed)
            {
                snapshot.Dispose();
                throw new SandboxConflictException("The sandbox ended while its checkpoint was made.");
            }

            while (_all.Count > 0 && (_all.Count >= most || Bytes + checkpoint.MemoryBytes > mostBytes))
            {
                int oldest = _all.FindIndex(one => one.Checkpoint.IsAutomatic);
                if (oldest < 0) break;
                dropped.Add(_all[oldest].Snapshot);
                _all.RemoveAt(oldest);
            }

            if (_all.Count >= most || Bytes + checkpoint.MemoryBytes > mostBytes)
            {
                snapshot.Dispose();
                dropped.ForEach(static one => one.Dispose());
                // A run is not refused because there is no room for what was to be noted before it.
                if (checkpoint.IsAutomatic) return;
                throw new SandboxConflictException($"There is no room for another checkpoint of {checkpoint.MemoryBytes >> 20} MiB: a sandbox has up to {most} of them, and {mostBytes >> 20} MiB in all. Delete some.");
            }

            _all.Add((checkpoint, snapshot));
        }

        dropped.ForEach(static one => one.Dispose());
    }

    /// <summary>The oldest first.</summary>
    public IReadOnlyList<HostedCheckpoint> ToList()
    {
        lock (_lock) return [.. _all.Select(one => one.Checkpoint)];
    }

    /// <summary>The snapshot of one, by its id or its name (the last of that name), to be disposed by the caller.</summary>
    /// <exception cref="CheckpointGoneException">There is none.</exception>
    public SandboxSnapshot Open(string checkpoint)
    {
        lock (_lock) return _all[IndexOf(checkpoint)].Snapshot.AddUser();
    }

    /// <summary>Forgets one.</summary>
    /// <exception cref="CheckpointGoneException">There is none.</exception>
    public void Remove(string checkpoint)
    {
        SandboxSnapshot snapshot;
        lock (_lock)
        {
            int index = IndexOf(checkpoint);
            snapshot = _all[index].Snapshot;
            _all.RemoveAt(index);
        }

        snapshot.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var (_, snapshot) in _all) snapshot.Dispose();
            _all.Clear();
        }
    }

    private long Bytes => _all.Sum(one => one.Checkpoint.MemoryBytes);

    private int IndexOf(string checkpoint)
    {
        int index = _all.FindLastIndex(one => one.Checkpoint.Id == checkpoint);
        if (index < 0) index = _all.FindLastIndex(one => one.Checkpoint.Name == checkpoint);
        return index >= 0 ? index : throw new CheckpointGoneException(checkpoint);
    }
}
