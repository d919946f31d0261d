using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Files of live sandboxes.</summary>
public sealed partial class WorkerSandboxHost
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<HostedFileChange> WatchFilesAsync(
        string tenant, string id, string path, bool recursive, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var events = Find(tenant, id).StreamAsync(LiveMethod.WatchFiles, new LiveArguments { Id = id, Path = path, Flag = recursive }, cancellationToken);
        await foreach (var change in events.ConfigureAwait(false))
            yield return new HostedFileChange(change.Details ?? "", System.Text.Encoding.UTF8.GetString(change.Data.Span), change.ExitCode != 0);
    }

    /// <inheritdoc/>
    public async Task<HostedFileInfo> StatFileAsync(string tenant, string id, string path, bool followLinks, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(LiveMethod.Stat, new LiveArguments { Id = id, Path = path, Flag = followLinks }, null, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.File);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HostedFileInfo>> ListFilesAsync(string tenant, string id, string path, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, id);
        var (answer, _) = await worker.LiveAsync(LiveMethod.ListFiles, new LiveArguments { Id = id, Path = path }, null, cancellationToken).ConfigureAwait(false);
        return worker.Need(answer.Files);
    }

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(string tenant, string id, string path, CancellationToken cancellationToken) =>
        OpenAsync(tenant, LiveMethod.OpenRead, new LiveArguments { Id = id, Path = path }, cancellationToken);

    /// <inheritdoc/>
    public Task<Stream> OpenWriteAsync(string tenant, string id, string path, uint? mode, CancellationToken cancellationToken) =>
        OpenAsync(tenant, LiveMethod.OpenWrite, new LiveArguments { Id = id, Path = path, Mode = mode }, cancellationToken);

    /// <inheritdoc/>
    public Task MakeDirectoryAsync(string tenant, string id, string path, bool parents, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.MakeDirectory, new LiveArguments { Id = id, Path = path, Flag = parents }, cancellationToken);

    /// <inheritdoc/>
    public Task MakeSymbolicLinkAsync(string tenant, string id, string path, string target, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.MakeSymbolicLink, new LiveArguments { Id = id, Path = path, Other = target }, cancellationToken);

    /// <inheritdoc/>
    public Task MoveFileAsync(string tenant, string id, string from, string to, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.Move, new LiveArguments { Id = id, Path = from, Other = to }, cancellationToken);

    /// <inheritdoc/>
    public Task RemoveFileAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken) =>
        DoAsync(tenant, LiveMethod.Remove, new LiveArguments { Id = id, Path = path, Flag = recursive }, cancellationToken);

    private async Task<Stream> OpenAsync(string tenant, string method, LiveArguments arguments, CancellationToken cancellationToken)
    {
        var worker = Find(tenant, arguments.Id);
        var (opened, _) = await worker.LiveAsync(method, arguments, null, cancellationToken).ConfigureAwait(false);
        return new WorkerFileStream(CallAsync, opened.Handle, opened.Length, method == LiveMethod.OpenWrite);

        // With the name of the sandbox and the file, for the message of an error.
        async Task<ReadOnlyMemory<byte>> CallAsync(string name, LiveArguments call, ReadOnlyMemory<byte>? bytes, CancellationToken token)
        {
            var (_, read) = await worker.LiveAsync(name, call with { Id = arguments.Id, Path = arguments.Path }, bytes, token).ConfigureAwait(false);
            return read.Length <= WorkerFileStream.Piece ? read : throw worker.Distrust();
        }
    }
}
