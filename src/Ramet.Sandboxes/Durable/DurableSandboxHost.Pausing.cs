using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>Pausing, resuming, snapshots.</summary>
public sealed partial class DurableSandboxHost
{
    private const string PausedMessage = "The sandbox was paused. What ran in it goes on when it is resumed; what code prints until its end is in the sandbox's logs then.";

    /// <inheritdoc/>
    public async Task<HostedSandbox> PauseAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var use = await FindAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        await use.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (use.Paused is { } record)
            {
                // It stays paused now until somebody resumes it.
                return Describe(record.IsAutomatic ? UpdateHeld(use, id, now => now with { IsAutomatic = false }) : record);
            }

            use.TryBeginMove(onlyIfIdleFor: null);
            try
            {
                // Not to be left half done because the caller goes.
                return Describe(await PauseHeldAsync(use, id, automatic: false, CancellationToken.None).ConfigureAwait(false));
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

    /// <inheritdoc/>
    public async Task<HostedSandbox> ResumeAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var use = await FindAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        await use.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return Named(use.Paused is null ? await _inner.GetAsync(tenant, id, cancellationToken).ConfigureAwait(false) : await ResumeHeldAsync(use, id, isAskedFor: true).ConfigureAwait(false));
        }
        finally
        {
            use.Gate.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<HostedSnapshot> SnapshotAsync(string tenant, string id, string? name, bool whole, CancellationToken cancellationToken)
    {
        using var held = await UseAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        var sandbox = await _inner.GetAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        var spec = _uses.TryGetValue(id, out var use) ? use.Spec : throw new SandboxGoneException(id);
        var record = NewSnapshot(tenant, name, spec with { Metadata = sandbox.Metadata, Image = sandbox.Image }) with { Parent = id, Generation = sandbox.Generation };
        record = await _snapshots.AddAsync(record, async write =>
        {
            var content = await _inner.CaptureAsync(tenant, id, new HostedCapture(Whole: whole), cancellationToken).ConfigureAwait(false);
            await using var disposal = content.ConfigureAwait(false);
            await write(SandboxArchive.StateName, content).ConfigureAwait(false);
        }).ConfigureAwait(false);
        await _inner.NoteAsync(tenant, id, "snapshot", name ?? record.Id, CancellationToken.None).ConfigureAwait(false);
        return ToSnapshot(record);
    }

    /// <inheritdoc/>
    public async Task<HostedSnapshot> ImportAsync(string tenant, string? name, HostedSandboxSpec spec, ulong mostMemory, Stream content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var record = await _snapshots.AddAsync(NewSnapshot(tenant, name, spec), write => write(SandboxArchive.StateName, content)).ConfigureAwait(false);
        try
        {
            var description = _snapshots.Describe(record.Id);
            spec = spec with { Template = description.Template ?? spec.Template, MemoryBytes = Math.Min(mostMemory, Math.Max(spec.MemoryBytes, description.MemoryBytes)) };
            record = _snapshots.Update(record.Id, now => now with { Spec = spec }) ?? throw new SnapshotGoneException(record.Id);
            // Whether it can be used is found out by using it; a damaged one is not to be kept.
            var probe = await CreateFromAsync(tenant, spec with { Snapshot = record.Id, Timeout = TimeSpan.FromMinutes(1) }, cancellationToken).ConfigureAwait(false);
            await DeleteAsync(tenant, probe.Id, CancellationToken.None).ConfigureAwait(false);
            record = _snapshots.Update(record.Id, now => now with { Spec = spec with { Image = probe.Image } }) ?? throw new SnapshotGoneException(record.Id);
            return ToSnapshot(record);
        }
        catch
        {
            _snapshots.Remove(tenant, record.Id);
            throw;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<HostedSnapshot> ListSnapshots(string tenant) => [.. _snapshots.List(tenant).Select(record => ToSnapshot(record))];

    /// <inheritdoc/>
    public HostedSnapshot GetSnapshot(string tenant, string id) => ToSnapshot(FindSnapshot(tenant, id));

    /// <inheritdoc/>
    public Stream OpenSnapshot(string tenant, string id) => _snapshots.Open(FindSnapshot(tenant, id).Id, SandboxArchive.StateName);

    /// <inheritdoc/>
    public void DeleteSnapshot(string tenant, string id)
    {
        if (!_snapshots.Remove(tenant, id)) throw new SnapshotGoneException(id);
    }

    /// <summary>A sandbox that goes on from a snapshot.</summary>
    private async Task<HostedSandbox> CreateFromAsync(string tenant, HostedSandboxSpec spec, CancellationToken cancellationToken)
    {
        var record = FindSnapshot(tenant, spec.Snapshot!);
        // Its template or image, and what its programs know of, are the snapshot's.
        spec = spec with
        {
            Template = record.Spec.Template,
            Image = record.Spec.Image,
            Environment = spec.Environment ?? record.Spec.Environment,
            WorkingDirectory = spec.WorkingDirectory ?? record.Spec.WorkingDirectory,
            MemoryBytes = Math.Max(spec.MemoryBytes, record.Spec.MemoryBytes),
            MaxThreads = spec.MaxThreads ?? record.Spec.MaxThreads,
            MaxOpenFiles = spec.MaxOpenFiles ?? record.Spec.MaxOpenFiles,
            MaxOutputBytes = spec.MaxOutputBytes ?? record.Spec.MaxOutputBytes,
            Snapshot = null,
        };
        await ResolveTemplateAsync(tenant, spec.Template, cancellationToken).ConfigureAwait(false);
        var content = _snapshots.Open(record.Id, SandboxArchive.StateName);
        await using var disposal = content.ConfigureAwait(false);
        var made = await _inner.RestoreAsync(tenant, new HostedRestore(spec, null, record.Parent, null, $"from snapshot {record.Id}"), content, cancellationToken).ConfigureAwait(false);
        return Register(made, spec with { Image = made.Image });
    }

    /// <summary>Writes a sandbox to disk and gives its machine up. Under the gate, and nobody begins to use it.</summary>
    private async Task<ArchiveRecord> PauseHeldAsync(SandboxUse use, string id, bool automatic, CancellationToken cancellationToken)
    {
        string tenant = use.Tenant;
        var sandbox = await _inner.GetAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        var now = TimeProvider.System.GetUtcNow();
        await _inner.NoteAsync(tenant, id, "paused", automatic ? "unused" : "asked for", cancellationToken).ConfigureAwait(false);
        var record = new ArchiveRecord
        {
            Tenant = tenant,
            Id = id,
            Spec = use.Spec with { Metadata = sandbox.Metadata, Image = sandbox.Image },
            Created = sandbox.Created,
            Archived = now,
            Left = sandbox.Expires - now,
            Parent = sandbox.Parent,
            Generation = sandbox.Generation,
            UsedBytes = sandbox.UsedBytes,
            IsAutomatic = automatic,
            Checkpoints = await _inner.ListCheckpointsAsync(tenant, id, cancellationToken).ConfigureAwait(false),
            Metrics = await _inner.MetricsAsync(tenant, id, cancellationToken).ConfigureAwait(false),
            History = await _inner.HistoryAsync(tenant, id, cancellationToken).ConfigureAwait(false),
        };
        bool holds = false;
        try
        {
            record = await _paused.AddAsync(record, async write =>
            {
                holds = true;
                await CopyAsync(new HostedCapture(Hold: true), SandboxArchive.StateName).ConfigureAwait(false);
                for (int i = 0; i < record.Checkpoints.Count; i++) await CopyAsync(new HostedCapture(record.Checkpoints[i].Id), $"checkpoint-{i}").ConfigureAwait(false);

                async Task CopyAsync(HostedCapture capture, string name)
                {
                    var content = await _inner.CaptureAsync(tenant, id, capture, cancellationToken).ConfigureAwait(false);
                    await using var disposal = content.ConfigureAwait(false);
                    await write(name, content).ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        }
        catch
        {
            if (holds) await TryReleaseAsync(tenant, id, leaveFor: null).ConfigureAwait(false);
            throw;
        }

        use.Paused = record;
        // If its machine goes on its own account now, so much the better.
        await TryReleaseAsync(tenant, id, PausedMessage).ConfigureAwait(false);
        return record;
    }

    private async Task TryReleaseAsync(string tenant, string id, string? leaveFor)
    {
        try
        {
            await _inner.ReleaseAsync(tenant, id, leaveFor, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SandboxException)
        {
            // It has ended.
        }
    }

    /// <summary>Makes a machine for a paused sandbox. Under the gate.</summary>
    private async Task<HostedSandbox> ResumeHeldAsync(SandboxUse use, string id, bool isAskedFor)
    {
        if (_paused.Take(use.Tenant, id) is not { } taken)
        {
            _uses.TryRemove(id, out _);
            throw new SandboxGoneException(id);
        }

        var record = taken.Record;
        HostedSandbox? made = null;
        try
        {
            // Another server of the same data directory may have paused it since.
            if (!isAskedFor && !record.IsAutomatic) throw NotResumed(id);
            await ResolveTemplateAsync(use.Tenant, record.Spec.Template, CancellationToken.None).ConfigureAwait(false);
            var left = record.Left > TimeSpan.FromSeconds(1) ? record.Left : TimeSpan.FromSeconds(1);
            // Whoever uses one that nobody used finds it alive for a while.
            if (record.IsAutomatic && left < record.Spec.Timeout) left = record.Spec.Timeout;
            var content = taken.Open(SandboxArchive.StateName);
            await using (content.ConfigureAwait(false))
            {
                made = await _inner.RestoreAsync(
                    use.Tenant, new HostedRestore(record.Spec, id, record.Parent, record.Created, record.IsAutomatic ? "it was used" : "asked for", left), content, CancellationToken.None).ConfigureAwait(false);
            }

            for (int i = 0; i < record.Checkpoints.Count; i++)
            {
                var checkpoint = taken.Open($"checkpoint-{i}");
                await using (checkpoint.ConfigureAwait(false)) await _inner.AddCheckpointAsync(use.Tenant, id, record.Checkpoints[i], checkpoint, CancellationToken.None).ConfigureAwait(false);
            }

            use.Spec = record.Spec;
            use.Paused = null;
            use.EndMove();
            taken.Discard();
            return made;
        }
        catch
        {
            // What runs already goes: the sandbox is what is on disk.
            if (made is not null) await TryDeleteAsync(use.Tenant, id).ConfigureAwait(false);
            taken.PutBack();
            use.Paused = record;
            throw;
        }
    }

    private async Task TryDeleteAsync(string tenant, string id)
    {
        try
        {
            await _inner.DeleteAsync(tenant, id, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SandboxException)
        {
            // It has ended.
        }
    }

    /// <summary>Changes what is known of a paused sandbox, on disk and then in memory. Under the gate.</summary>
    private ArchiveRecord UpdateHeld(SandboxUse use, string id, Func<ArchiveRecord, ArchiveRecord> change)
    {
        if (_paused.Update(id, change) is { } record) return use.Paused = record;
        _uses.TryRemove(id, out _);
        throw new SandboxGoneException(id);
    }

    private static SandboxConflictException NotResumed(string id) => new($"The sandbox is paused. Resume it first: POST /v1/sandboxes/{id}/resume");

    private async Task<SandboxUse> FindAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        if (_uses.TryGetValue(id, out var use) && use.Tenant == tenant) return use;
        // It says why there is none.
        await _inner.GetAsync(tenant, id, cancellationToken).ConfigureAwait(false);
        throw new SandboxGoneException(id);
    }

    private ArchiveRecord FindSnapshot(string tenant, string id) => _snapshots.Find(tenant, id) ?? throw new SnapshotGoneException(id);

    private static ArchiveRecord NewSnapshot(string tenant, string? name, HostedSandboxSpec spec)
    {
        var now = TimeProvider.System.GetUtcNow();
        return new ArchiveRecord { Tenant = tenant, Id = TimeOrderedId.New("snap_"), Name = name, Spec = spec, Created = now, Archived = now };
    }

    private HostedSandbox Describe(ArchiveRecord record) => Named(new HostedSandbox(
        record.Id, record.Tenant, record.Spec.Template, record.Created, record.Archived + _pausedLifetime, record.Spec.MemoryBytes, record.UsedBytes, record.Spec.Metadata)
    {
        Image = record.Spec.Image,
        IsPaused = true,
        IsPausedAutomatically = record.IsAutomatic,
        Generation = record.Generation,
        Parent = record.Parent,
    });

    private HostedSnapshot ToSnapshot(ArchiveRecord record) =>
        new(record.Id, record.Name, _templates.Find(record.Tenant, record.Spec.Template)?.Name ?? record.Spec.Template, record.Spec.Image, record.Created, record.SizeBytes, record.Spec.Metadata, record.Parent);
}
