using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>What is passed on while the sandbox is held.</summary>
public sealed partial class DurableSandboxHost
{
    /// <inheritdoc/>
    public Task<HostedProcess> StartProcessAsync(string tenant, string id, HostedProgram program, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.StartProcessAsync(tenant, id, program, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedProcess>> ListProcessesAsync(string tenant, string id, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.ListProcessesAsync(tenant, id, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task WaitProcessAsync(string tenant, string id, int pid, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.WaitProcessAsync(tenant, id, pid, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task WriteInputAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.WriteInputAsync(tenant, id, pid, bytes, close, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> SignalAsync(string tenant, string id, int pid, int signal, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.SignalAsync(tenant, id, pid, signal, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task ResizeAsync(string tenant, string id, int pid, HostedTerminalSize size, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.ResizeAsync(tenant, id, pid, size, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<HostedCheckpoint> CheckpointAsync(string tenant, string id, string? name, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.CheckpointAsync(tenant, id, name, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedCheckpoint>> ListCheckpointsAsync(string tenant, string id, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.ListCheckpointsAsync(tenant, id, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task DeleteCheckpointAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.DeleteCheckpointAsync(tenant, id, checkpoint, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<HostedSandbox> RewindAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, async () => Named(await _inner.RewindAsync(tenant, id, checkpoint, cancellationToken).ConfigureAwait(false)), cancellationToken);

    /// <inheritdoc/>
    public Task<HostedDiff> DiffAsync(string tenant, string id, string from, string? to, bool content, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.DiffAsync(tenant, id, from, to, content, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<HostedFileInfo> StatFileAsync(string tenant, string id, string path, bool followLinks, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.StatFileAsync(tenant, id, path, followLinks, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedFileInfo>> ListFilesAsync(string tenant, string id, string path, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.ListFilesAsync(tenant, id, path, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task MakeDirectoryAsync(string tenant, string id, string path, bool parents, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.MakeDirectoryAsync(tenant, id, path, parents, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task MakeSymbolicLinkAsync(string tenant, string id, string path, string target, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.MakeSymbolicLinkAsync(tenant, id, path, target, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task MoveFileAsync(string tenant, string id, string from, string to, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.MoveFileAsync(tenant, id, from, to, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task RemoveFileAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken) =>
        UsingAsync(tenant, id, () => _inner.RemoveFileAsync(tenant, id, path, recursive, cancellationToken), cancellationToken);
}
