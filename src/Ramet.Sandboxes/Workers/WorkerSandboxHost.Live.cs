using System.Collections.Concurrent;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Live sandboxes: who has which, and the way to it.</summary>
public sealed partial class WorkerSandboxHost
{
    private const string Lost = "its worker process has ended unexpectedly, and with it all that ran there; make a new sandbox";

    private static readonly System.Buffers.SearchValues<char> s_idCharacters = System.Buffers.SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz");
    private readonly ConcurrentDictionary<string, Place> _sandboxes = new(StringComparer.Ordinal);
    private readonly EndReasons _reasons = new();

    /// <inheritdoc/>
    public async Task<HostedSandbox> CreateAsync(string tenant, HostedSandboxSpec spec, CancellationToken cancellationToken)
    {
        var template = spec.Image is null ? await FindTemplateAsync(tenant, spec.Template, cancellationToken).ConfigureAwait(false) : null;
        var worker = await TakeAsync(tenant).ConfigureAwait(false);
        bool placed = false;
        try
        {
            if (template is not null) await LoadAsync(worker, template).WaitAsync(cancellationToken).ConfigureAwait(false);
            // Not given up halfway: it would be there, and nobody would know its name.
            var (answer, _) = await worker.LiveAsync(LiveMethod.Create, new LiveArguments { Spec = spec }, null, CancellationToken.None).ConfigureAwait(false);
            var made = worker.Need(answer.Sandbox) with { Tenant = tenant };
            // One that names a sandbox of others is not to be believed.
            placed = TryPlace(tenant, made.Id, worker);
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

    /// <summary>Ends a sandbox whose maker has gone.</summary>
    private async Task DeleteIfGoneAsync(HostedSandbox made, CancellationToken cancellationToken)
    {
        if (!cancellationToken.IsCancellationRequested) return;
        try
        {
            await DeleteAsync(made.Tenant, made.Id, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SandboxGoneException)
        {
            // It has ended by itself.
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedSandbox>> ListAsync(string? tenant, CancellationToken cancellationToken)
    {
        var workers = _sandboxes.Values.Where(place => tenant is null || place.Tenant == tenant).Select(place => place.Worker).Distinct();
        var lists = await Task.WhenAll(workers.Select(worker => ListAsync(worker, cancellationToken))).ConfigureAwait(false);
        return [.. lists.SelectMany(list => list).OrderBy(sandbox => sandbox.Id, StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public SandboxCounts Count(string tenant)
    {
        var places = _sandboxes.Values;
        return new SandboxCounts(places.Count, places.Count(place => place.Tenant == tenant), 0);
    }

    /// <inheritdoc/>
    public bool Knows(string tenant, string id) => _sandboxes.TryGetValue(id, out var place) && place.Tenant == tenant;

    /// <inheritdoc/>
    public async Task<HostedSandbox> GetAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(LiveMethod.Get, new LiveArguments { Id = id }, null, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Sandbox) with { Id = id, Tenant = tenant };
    }

    /// <inheritdoc/>
    public async Task<HostedSandbox> UpdateAsync(string tenant, string id, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(LiveMethod.Update, new LiveArguments { Id = id, Timeout = timeout, Metadata = metadata }, null, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Sandbox) with { Id = id, Tenant = tenant };
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        await DoAsync(tenant, LiveMethod.Delete, new LiveArguments { Id = id }, cancellationToken).ConfigureAwait(false);
        if (_sandboxes.TryGetValue(id, out var place)) Forget(id, place, "it was deleted");
    }

    /// <inheritdoc/>
    public async Task<byte[]> LogAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var (_, bytes) = await Find(tenant, id).LiveAsync(LiveMethod.Log, new LiveArguments { Id = id }, null, cancellationToken).ConfigureAwait(false);
        return bytes.ToArray();
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedEvent> RunAsync(string tenant, string id, HostedRun run, CancellationToken cancellationToken) =>
        Find(tenant, id).StreamAsync(LiveMethod.Run, new LiveArguments { Id = id, Run = run }, cancellationToken);

    /// <inheritdoc/>
    public async Task<HostedProcess> StartProcessAsync(string tenant, string id, HostedProgram program, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(LiveMethod.StartProcess, new LiveArguments { Id = id, Program = program }, null, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Process);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedProcess>> ListProcessesAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(LiveMethod.ListProcesses, new LiveArguments { Id = id }, null, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Processes);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedEvent> AttachAsync(string tenant, string id, int pid, CancellationToken cancellationToken) =>
        Find(tenant, id).StreamAsync(LiveMethod.Attach, new LiveArguments { Id = id, Pid = pid }, cancellationToken);

    /// <inheritdoc/>
    public Task WaitProcessAsync(string tenant, string id, int pid, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.WaitProcess, new LiveArguments { Id = id, Pid = pid }, cancellationToken);

    /// <inheritdoc/>
    public async Task WriteInputAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        do
        {
            var piece = bytes[..Math.Min(bytes.Length, WorkerFileStream.Piece)];
            bytes = bytes[piece.Length..];
            var arguments = new LiveArguments { Id = id, Pid = pid, Flag = close && bytes.IsEmpty };
            await worker.LiveAsync(LiveMethod.WriteInput, arguments, piece, cancellationToken).ConfigureAwait(false);
        }
        while (!bytes.IsEmpty);
    }

    /// <inheritdoc/>
    public async Task<bool> SignalAsync(string tenant, string id, int pid, int signal, CancellationToken cancellationToken)
    {
        var (answer, _) = await Find(tenant, id).LiveAsync(LiveMethod.Signal, new LiveArguments { Id = id, Pid = pid, Number = signal }, null, cancellationToken).ConfigureAwait(false);
        return answer.Flag;
    }

    /// <inheritdoc/>
    public Task ResizeAsync(string tenant, string id, int pid, HostedTerminalSize size, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.Resize, new LiveArguments { Id = id, Pid = pid, Size = size }, cancellationToken);

    /// <summary>Names as workers make them: they become parts of addresses.</summary>
    private static bool IsId(string? id) => id is { Length: > 3 and <= 64 } && id.StartsWith("sb_", StringComparison.Ordinal) && id.AsSpan(3).IndexOfAnyExcept(s_idCharacters) < 0;

    private async Task DoAsync(string tenant, string method, LiveArguments arguments, CancellationToken cancellationToken) =>
        await Find(tenant, arguments.Id).LiveAsync(method, arguments, null, cancellationToken).ConfigureAwait(false);

    private async Task<IReadOnlyList<HostedSandbox>> ListAsync(WorkerProcess worker, CancellationToken cancellationToken)
    {
        try
        {
            var (answer, _) = await worker.LiveAsync(LiveMethod.List, new LiveArguments(), null, cancellationToken).ConfigureAwait(false);
            return [.. worker.Need(answer.Sandboxes)
                .Where(sandbox => sandbox.Id is not null && _sandboxes.TryGetValue(sandbox.Id, out var place) && place.Worker == worker)
                .Select(sandbox => sandbox with { Tenant = worker.Tenant! })];
        }
        catch (WorkerLostException)
        {
            return [];
        }
    }

    private WorkerProcess Find(string tenant, string id)
    {
        if (_sandboxes.TryGetValue(id, out var place) && place.Tenant == tenant)
        {
            if (!place.Worker.IsGone) return place.Worker;
            throw new SandboxGoneException(id, Lost);
        }

        throw new SandboxGoneException(id, _reasons.Find(tenant, id));
    }

    /// <summary>Notes where a new sandbox is. False: this cannot be one.</summary>
    private bool TryPlace(string tenant, string id, WorkerProcess worker)
    {
        var place = new Place(tenant, worker);
        if (!IsId(id) || !_sandboxes.TryAdd(id, place)) return false;
        _ = WatchAsync(id, place);
        return true;
    }

    /// <summary>Waits for the end of a sandbox, however that comes.</summary>
    private async Task WatchAsync(string id, Place place)
    {
        string? reason;
        try
        {
            var (answer, _) = await place.Worker.LiveAsync(LiveMethod.WaitEnd, new LiveArguments { Id = id }, null, CancellationToken.None).ConfigureAwait(false);
            reason = answer.Reason is { Length: < 1000 } given ? given : "it has ended";
        }
        catch (SandboxException)
        {
            reason = Lost;
        }

        Forget(id, place, reason);
    }

    private void Forget(string id, Place place, string reason)
    {
        if (!_sandboxes.TryGetValue(id, out var current) || current != place) return;
        _reasons.Add(place.Tenant, id, reason);
        if (_sandboxes.TryRemove(new KeyValuePair<string, Place>(id, place))) Release(place.Worker);
    }

    private sealed class Place(string tenant, WorkerProcess worker)
    {
        public string Tenant { get; } = tenant;

        public WorkerProcess Worker { get; } = worker;
    }
}
