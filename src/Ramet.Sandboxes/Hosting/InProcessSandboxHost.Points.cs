using Ramet.Host;
using Ramet.Sandboxes.Workers;

namespace Ramet.Sandboxes.Hosting;

/// <summary>Points of sandboxes: forks, checkpoints, captures.</summary>
public sealed partial class InProcessSandboxHost
{
    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedSandbox>> ForkAsync(
        string tenant, string id, int count, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var parent = Find(tenant, id);
        return _engine.Threads.Compute(() =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var snapshot = parent.Capture();
            var made = new List<LiveSandbox>();
            try
            {
                for (int i = 0; i < count; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var child = new LiveSandbox(tenant, parent.Spec with { Timeout = timeout ?? parent.Spec.Timeout, Metadata = metadata ?? parent.Spec.Metadata }, parent: parent.Id);
                    child.Restore(_engine, snapshot, isNew: true);
                    child.History.Add("forked", $"from {parent.Id}");
                    made.Add(Publish(child));
                }
            }
            catch
            {
                foreach (var child in made) child.End("its forking failed");
                throw;
            }

            parent.History.Add("fork", $"{count} children; it stood still for {snapshot.PauseNanoseconds / 1e6:0.0} ms");
            return (IReadOnlyList<HostedSandbox>)[.. made.Select(Describe)];
        });
    }

    /// <inheritdoc/>
    public Task<HostedCheckpoint> CheckpointAsync(string tenant, string id, string? name, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        return _engine.Threads.Compute(() => sandbox.AddCheckpoint(name, automatic: false));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedCheckpoint>> ListCheckpointsAsync(string tenant, string id, CancellationToken cancellationToken) => Task.FromResult(Find(tenant, id).Checkpoints.ToList());

    /// <inheritdoc/>
    public Task DeleteCheckpointAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken)
    {
        Find(tenant, id).Checkpoints.Remove(checkpoint);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<HostedSandbox> RewindAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken)
    {
        var old = Find(tenant, id);
        return _engine.Threads.Compute(() =>
        {
            using var snapshot = old.Checkpoints.Open(checkpoint);
            var left = old.Expires - TimeProvider.System.GetUtcNow();
            var sandbox = new LiveSandbox(tenant, old.Spec, old.Id, old.Parent) { Created = old.Created };
            sandbox.Restore(_engine, snapshot, isNew: false, now: old.Describe(), left: left > TimeSpan.Zero ? left : TimeSpan.FromSeconds(1));
            sandbox.History.Add("rewound", $"to {checkpoint}");
            sandbox.Checkpoints.Dispose();
            if (!_live.TryUpdate(id, sandbox, old))
            {
                _ = sandbox.DisposeAsync().AsTask();
                throw new SandboxGoneException(id, old.EndReason);
            }

            sandbox.Checkpoints = old.TakeCheckpoints();
            _ = CollectAsync(sandbox);
            old.Leave("The sandbox was rewound to a checkpoint, and what was under way in it never happened.");
            return Describe(sandbox);
        });
    }

    /// <inheritdoc/>
    public Task<HostedDiff> DiffAsync(string tenant, string id, string from, string? to, bool content, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        return _engine.Threads.Compute(() =>
        {
            using var before = sandbox.Checkpoints.Open(from);
            using var after = to is null ? sandbox.Capture() : sandbox.Checkpoints.Open(to);
            return SnapshotComparison.Compare(_engine, before, after, content, cancellationToken);
        });
    }

    /// <inheritdoc/>
    public Task<HostedMetrics> MetricsAsync(string tenant, string id, CancellationToken cancellationToken) => Task.FromResult(Find(tenant, id).Measure());

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedLogEntry>> HistoryAsync(string tenant, string id, CancellationToken cancellationToken) => Task.FromResult(Find(tenant, id).History.ToList());

    /// <inheritdoc/>
    public Task NoteAsync(string tenant, string id, string what, string text, CancellationToken cancellationToken)
    {
        Find(tenant, id).History.Add(what, text);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<Stream> CaptureAsync(string tenant, string id, HostedCapture capture, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(capture);
        var sandbox = Find(tenant, id);
        return _engine.Threads.Compute<Stream>(() =>
        {
            using var snapshot = capture.Checkpoint is { } checkpoint ? sandbox.Checkpoints.Open(checkpoint) : capture.Hold ? sandbox.Hold(capture.Whole) : sandbox.Capture(capture.Whole);
            try
            {
                return new SnapshotStream(_engine.Describe(snapshot), snapshot);
            }
            catch when (capture.Hold)
            {
                sandbox.Release(leaveFor: null);
                throw;
            }
        });
    }

    /// <inheritdoc/>
    public Task ReleaseAsync(string tenant, string id, string? leaveFor, CancellationToken cancellationToken)
    {
        Find(tenant, id).Release(leaveFor);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<HostedSandbox> RestoreAsync(string tenant, HostedRestore restore, Stream content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(restore);
        using var snapshot = await LoadAsync(content, cancellationToken).ConfigureAwait(false);
        // Whatever was asked for, it has an interpreter or has none.
        var spec = restore.Spec with { Image = snapshot.Live is { HasInterpreter: true } ? null : snapshot.Image.Manifest.Name };
        return await _engine.Threads.Compute(() =>
        {
            var sandbox = new LiveSandbox(tenant, spec, restore.Id, restore.Parent) { Created = restore.Created ?? TimeProvider.System.GetUtcNow() };
            sandbox.Restore(_engine, snapshot, isNew: restore.Id is null, left: restore.Left);
            sandbox.History.Add(restore.Id is null ? "restored" : "resumed", restore.Reason);
            return Describe(Publish(sandbox));
        }).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task AddCheckpointAsync(string tenant, string id, HostedCheckpoint checkpoint, Stream content, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        sandbox.Checkpoints.Add(checkpoint, await LoadAsync(content, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public Task<HostedFrozen> FreezeAsync(string tenant, string id, string name, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        return _engine.Threads.Compute(() =>
        {
            using var snapshot = sandbox.Capture();
            if (snapshot.Template is not { } below || snapshot.Live is not { HasInterpreter: true } live || TemplateRuntime.Find(below.Manifest.Runtime) is not { } runtime)
                throw new SandboxConflictException("A template is made of a sandbox that has an interpreter, and came from a template.");
            if (live.IsBusy) throw new SandboxConflictException("Code runs in the sandbox's interpreter: wait for its end.");
            if (live.Processes.Any(process => process.ExitCode is null)) throw new SandboxConflictException("Processes that were started in the sandbox still run, and would in each of its forks: end them first.");
            using var still = _engine.OpenStill(snapshot);
            using var frozen = TemplateBuilder.Freeze(runtime, snapshot.Image, still.Kernel, still.Machine, below.Manifest.HotRanges);
            var file = new MemoryFileStream();
            try
            {
                long used = SnapshotFile.Write($"/proc/self/fd/{file.Number}", frozen.Memory, frozen.State.Span);
                file.MeasureAgain();
                return new HostedFrozen((frozen.Manifest with { Name = name, From = below.Manifest.Name, UsedBytes = used, Image = snapshot.Image.Manifest.Name }).ToJson(), file);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        });
    }

    /// <inheritdoc/>
    public void AddTemplate(string tenant, Template template)
    {
        ArgumentNullException.ThrowIfNull(template);
        _templates[template.Manifest.Name] = template;
    }

    /// <inheritdoc/>
    public void RemoveTemplate(string tenant, string name)
    {
        // Runs that are under way have it in their hands: its memory goes with the last of them.
        if (_templates.TryRemove(name, out _)) _pools.Drop(name);
    }

    private async Task<SandboxSnapshot> LoadAsync(Stream content, CancellationToken cancellationToken)
    {
        using var file = MemoryFile.Create("ramet-incoming");
        byte[] buffer = new byte[64 << 10];
        long length = 0;
        int count;
        while ((count = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            file.WriteAllAt(buffer.AsSpan(0, count), length);
            length += count;
        }

        MemoryFile.Seal(file);
        return await _engine.LoadAsync(
            "The snapshot", () => new MappedFile(file, isSealed: true), (name, _) => Task.FromResult(Find(name)), _progress, cancellationToken).ConfigureAwait(false);
    }
}
