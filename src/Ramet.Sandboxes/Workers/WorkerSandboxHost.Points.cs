using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Points of live sandboxes: forks, checkpoints, captures.</summary>
public sealed partial class WorkerSandboxHost
{
    /// <summary>Makes children beside their parent: its memory is there.</summary>
    public async Task<IReadOnlyList<HostedSandbox>> ForkAsync(
        string tenant, string id, int count, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(
            // Not given up halfway: the children would be there, and nobody would know their names.
            LiveMethod.Fork, new LiveArguments { Id = id, Number = count, Timeout = timeout, Metadata = metadata }, null, CancellationToken.None).ConfigureAwait(false);
        var made = worker.Need(answer.Sandboxes);
        if (made.Count != count) throw worker.Distrust();
        foreach (var child in made)
        {
            lock (_lock) Reserve(worker);
            if (TryPlace(tenant, child.Id, worker)) continue;
            Release(worker);
            throw worker.Distrust();
        }

        foreach (var child in made) await DeleteIfGoneAsync(child with { Tenant = tenant }, cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return [.. made.Select(child => child with { Tenant = tenant, Parent = id })];
    }

    /// <inheritdoc/>
    public async Task<HostedCheckpoint> CheckpointAsync(string tenant, string id, string? name, CancellationToken cancellationToken)
    {
        var (worker, answer) = await AskLiveAsync(tenant, LiveMethod.Checkpoint, new LiveArguments { Id = id, Path = name ?? "" }, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Checkpoint);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedCheckpoint>> ListCheckpointsAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var (worker, answer) = await AskLiveAsync(tenant, LiveMethod.ListCheckpoints, new LiveArguments { Id = id }, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Checkpoints);
    }

    /// <inheritdoc/>
    public Task DeleteCheckpointAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.DeleteCheckpoint, new LiveArguments { Id = id, Path = checkpoint }, cancellationToken);

    /// <inheritdoc/>
    public async Task<HostedSandbox> RewindAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken)
    {
        var (worker, answer) = await AskLiveAsync(tenant, LiveMethod.Rewind, new LiveArguments { Id = id, Path = checkpoint }, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Sandbox) with { Id = id, Tenant = tenant };
    }

    /// <inheritdoc/>
    public async Task<HostedDiff> DiffAsync(string tenant, string id, string from, string? to, bool content, CancellationToken cancellationToken)
    {
        var (worker, answer) = await AskLiveAsync(tenant, LiveMethod.Diff, new LiveArguments { Id = id, Path = from, Other = to ?? "", Flag = content }, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Diff);
    }

    /// <inheritdoc/>
    public async Task<HostedMetrics> MetricsAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var (worker, answer) = await AskLiveAsync(tenant, LiveMethod.Metrics, new LiveArguments { Id = id }, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Metrics);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedLogEntry>> HistoryAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var (worker, answer) = await AskLiveAsync(tenant, LiveMethod.History, new LiveArguments { Id = id }, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.History);
    }

    /// <inheritdoc/>
    public Task NoteAsync(string tenant, string id, string what, string text, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.Note, new LiveArguments { Id = id, Path = what, Other = text }, cancellationToken);

    /// <inheritdoc/>
    public async Task<Stream> CaptureAsync(string tenant, string id, HostedCapture capture, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (opened, _) = await worker.LiveAsync(LiveMethod.Capture, new LiveArguments { Id = id, Capture = capture, Path = capture?.Checkpoint ?? "" }, null, cancellationToken).ConfigureAwait(false);
        return StreamOf(worker, opened.Handle, opened.Length, writes: false);
    }

    /// <inheritdoc/>
    public async Task<HostedFrozen> FreezeAsync(string tenant, string id, string name, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (opened, _) = await worker.LiveAsync(LiveMethod.Freeze, new LiveArguments { Id = id, Other = name }, null, cancellationToken).ConfigureAwait(false);
        return new HostedFrozen(worker.Need(opened.Reason), StreamOf(worker, opened.Handle, opened.Length, writes: false));
    }

    /// <inheritdoc/>
    public async Task ReleaseAsync(string tenant, string id, string? leaveFor, CancellationToken cancellationToken)
    {
        await DoAsync(tenant, LiveMethod.Release, new LiveArguments { Id = id, Other = leaveFor ?? "" }, cancellationToken).ConfigureAwait(false);
        // At once, and not when the worker tells of its end: it may be made again under the same name before that.
        if (leaveFor is not null && _sandboxes.TryGetValue(id, out var place)) Forget(id, place, leaveFor);
    }

    /// <inheritdoc/>
    public async Task<HostedSandbox> RestoreAsync(string tenant, HostedRestore restore, Stream content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(restore);
        var template = restore.Spec.Image is null && restore.Spec.Template.Length > 0 ? await FindTemplateAsync(tenant, restore.Spec.Template, cancellationToken).ConfigureAwait(false) : null;
        var worker = await TakeAsync(tenant).ConfigureAwait(false);
        bool placed = false;
        try
        {
            if (template is not null) await LoadAsync(worker, template).WaitAsync(cancellationToken).ConfigureAwait(false);
            uint handle = await SendAsync(worker, content, cancellationToken).ConfigureAwait(false);
            var (answer, _) = await worker.LiveAsync(LiveMethod.Restore, new LiveArguments { Handle = handle, Restore = restore }, null, CancellationToken.None).ConfigureAwait(false);
            var made = worker.Need(answer.Sandbox) with { Tenant = tenant };
            placed = (restore.Id is null || restore.Id == made.Id) && TryPlace(tenant, made.Id, worker);
            if (!placed) throw worker.Distrust();
            await DeleteIfGoneAsync(made, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            return made;
        }
        finally
        {
            if (!placed) Release(worker);
        }
    }

    /// <inheritdoc/>
    public async Task AddCheckpointAsync(string tenant, string id, HostedCheckpoint checkpoint, Stream content, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        uint handle = await SendAsync(worker, content, cancellationToken).ConfigureAwait(false);
        await worker.LiveAsync(LiveMethod.AddCheckpoint, new LiveArguments { Id = id, Handle = handle, Checkpoint = checkpoint }, null, cancellationToken).ConfigureAwait(false);
    }

    private async Task<(WorkerProcess Worker, LiveAnswer Answer)> AskLiveAsync(string tenant, string method, LiveArguments arguments, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, arguments.Id);
        var (answer, _) = await worker.LiveAsync(method, arguments, null, cancellationToken).ConfigureAwait(false);
        return (worker, answer);
    }

    /// <summary>Hands bytes to a worker, which has them under the handle then.</summary>
    private static async Task<uint> SendAsync(WorkerProcess worker, Stream content, CancellationToken cancellationToken)
    {
        var (opened, _) = await worker.LiveAsync(LiveMethod.Receive, new LiveArguments(), null, cancellationToken).ConfigureAwait(false);
        var target = StreamOf(worker, opened.Handle, 0, writes: true);
        try
        {
            await content.CopyToAsync(target, WorkerFileStream.Piece, cancellationToken).ConfigureAwait(false);
            await target.FlushAsync(cancellationToken).ConfigureAwait(false);
            // Not closed: the handle is what the next call names.
            return opened.Handle;
        }
        catch
        {
            await target.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static WorkerFileStream StreamOf(WorkerProcess worker, uint handle, long length, bool writes)
    {
        return new WorkerFileStream(CallAsync, handle, length, writes);

        async Task<ReadOnlyMemory<byte>> CallAsync(string name, LiveArguments call, ReadOnlyMemory<byte>? bytes, CancellationToken token)
        {
            var (_, read) = await worker.LiveAsync(name, call, bytes, token).ConfigureAwait(false);
            return read.Length <= WorkerFileStream.Piece ? read : throw worker.Distrust();
        }
    }
}
