using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Ramet.Abi;
using Ramet.Kernel.Hosting;

namespace Ramet.Sandboxes.Hosting;

/// <summary>Sandboxes that live on between calls.</summary>
public sealed partial class InProcessSandboxHost
{
    private const int RememberedProcesses = 256;

    private readonly ConcurrentDictionary<string, LiveSandbox> _live = new(StringComparer.Ordinal);
    private readonly EndReasons _reasons = new();

    /// <inheritdoc/>
    public async Task<HostedSandbox> CreateAsync(string tenant, HostedSandboxSpec spec, CancellationToken cancellationToken)
    {
        LiveSandbox sandbox;
        if (spec.Image is { } name)
        {
            ImageLayer image;
            try
            {
                // What requests name is not built for them: that takes the server's network, disk and minutes.
                if (!_engine.Images.Exists(name) && Images.BuiltInSpecs.Names.Contains(name, StringComparer.Ordinal))
                    throw new SandboxException($"'image': image '{name}' is not on the server's disk yet. Whoever runs the server builds it with: ramet run --image {name} -- true");
                image = await _engine.OpenImageAsync(name, _progress, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is Images.ImageException or Images.ImageSpecException)
            {
                throw new SandboxException($"'image': {exception.Message}");
            }

            // An empty sandbox has its own working directory for programs that say nothing of theirs.
            sandbox = new LiveSandbox(tenant, spec with { WorkingDirectory = spec.WorkingDirectory ?? image.Manifest.WorkingDirectory, Environment = Join(image.Manifest.Environment, spec.Environment) });
            await _engine.Threads.Compute(() => Begin(sandbox, options => _engine.StartEmpty(image, options))).ConfigureAwait(false);
        }
        else
        {
            var template = Find(spec.Template);
            sandbox = new LiveSandbox(tenant, spec) { IsPooled = true };
            await _engine.Threads.Compute(() =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                var pool = _pools.Rent(tenant, template);
                try
                {
                    return Begin(sandbox, options => pool.Take(options, driven: false));
                }
                catch
                {
                    _pools.Return(tenant, spec.Template);
                    throw;
                }
            }).ConfigureAwait(false);
        }

        sandbox.History.Add("created", spec.Image is null ? $"from template {spec.Template}" : $"from image {spec.Image}");
        if (await sandbox.PrepareAsync().ConfigureAwait(false) is { } wrong)
        {
            await DeleteAsync(tenant, sandbox.Id, CancellationToken.None).ConfigureAwait(false);
            throw new SandboxException($"'env' and 'cwd' cannot be used: {wrong}");
        }

        return Describe(sandbox);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedSandbox>> ListAsync(string? tenant, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<HostedSandbox>>(
        [.. _live.Values.Where(sandbox => (tenant is null || sandbox.Tenant == tenant) && !sandbox.Ended.IsCompleted).OrderBy(sandbox => sandbox.Id, StringComparer.Ordinal).Select(Describe)]);

    /// <inheritdoc/>
    public Task<HostedSandbox> GetAsync(string tenant, string id, CancellationToken cancellationToken) => Task.FromResult(Describe(Find(tenant, id)));

    /// <inheritdoc/>
    public Task<HostedSandbox> UpdateAsync(string tenant, string id, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        if (timeout is { } time) sandbox.Extend(time);
        if (metadata is not null) sandbox.SetMetadata(metadata);
        return Task.FromResult(Describe(sandbox));
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        _live.TryRemove(new KeyValuePair<string, LiveSandbox>(id, sandbox));
        await sandbox.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<byte[]> LogAsync(string tenant, string id, CancellationToken cancellationToken) => Task.FromResult(Find(tenant, id).Log());

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedEvent> RunAsync(string tenant, string id, HostedRun run, CancellationToken cancellationToken) => Find(tenant, id).RunAsync(run, cancellationToken);

    /// <inheritdoc/>
    public Task<HostedProcess> StartProcessAsync(string tenant, string id, HostedProgram program, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        return _engine.Threads.Compute(() =>
        {
            // Those that have ended are remembered for whoever asks, but not without bound.
            var ended = sandbox.Processes.Where(process => process.ExitCode is not null).OrderBy(process => process.Started).ToList();
            foreach (var old in ended.Take(Math.Max(0, ended.Count - RememberedProcesses + 1))) sandbox.Forget(old);
            return Describe(sandbox.StartProcess(program));
        });
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedProcess>> ListProcessesAsync(string tenant, string id, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<HostedProcess>>([.. Find(tenant, id).Processes.OrderBy(process => process.Started).Select(Describe)]);

    /// <inheritdoc/>
    public async IAsyncEnumerable<HostedEvent> AttachAsync(string tenant, string id, int pid, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        var process = FindProcess(tenant, id, pid);
        using var reader = process.Output.Open(fromStart: true);
        while (true)
        {
            var next = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (next.Kind == HostedEventKind.End && sandbox.LeftFor is { } why) throw new SandboxConflictException(why);
            yield return next;
            if (next.Kind == HostedEventKind.End) yield break;
        }
    }

    /// <inheritdoc/>
    public async Task WaitProcessAsync(string tenant, string id, int pid, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        await FindProcess(tenant, id, pid).Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (sandbox.LeftFor is { } why) throw new SandboxConflictException(why);
    }

    /// <inheritdoc/>
    public async Task WriteInputAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, CancellationToken cancellationToken)
    {
        var process = FindProcess(tenant, id, pid);
        while (!bytes.IsEmpty && process.ExitCode is null)
        {
            int taken = process.Write(bytes.Span);
            bytes = bytes[taken..];
            // The program reads slowly. Nobody tells when it has read, and it matters to nobody in milliseconds.
            if (!bytes.IsEmpty) await Task.Delay(5, cancellationToken).ConfigureAwait(false);
        }

        if (close) process.CloseInput();
    }

    /// <inheritdoc/>
    public Task<bool> SignalAsync(string tenant, string id, int pid, int signal, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        FindProcess(tenant, id, pid);
        return Task.FromResult(sandbox.Kernel.SendSignal(pid, signal, wholeGroup: true) == Errno.None);
    }

    /// <inheritdoc/>
    public Task ResizeAsync(string tenant, string id, int pid, HostedTerminalSize size, CancellationToken cancellationToken)
    {
        FindProcess(tenant, id, pid).Resize(size);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<HostedFileInfo> StatFileAsync(string tenant, string id, string path, bool followLinks, CancellationToken cancellationToken)
    {
        Check(path, Files(tenant, id).Stat(path, followLinks, out var info));
        return Task.FromResult(Describe(info!));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<HostedFileInfo>> ListFilesAsync(string tenant, string id, string path, CancellationToken cancellationToken)
    {
        Check(path, Files(tenant, id).List(path, out var entries));
        return Task.FromResult<IReadOnlyList<HostedFileInfo>>([.. entries.Select(Describe)]);
    }

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(string tenant, string id, string path, CancellationToken cancellationToken)
    {
        Check(path, Files(tenant, id).OpenRead(path, out var file));
        return Task.FromResult<Stream>(new SandboxFileStream(file!, path, writes: false));
    }

    /// <inheritdoc/>
    public Task<Stream> OpenWriteAsync(string tenant, string id, string path, uint? mode, CancellationToken cancellationToken)
    {
        Check(path, Files(tenant, id).OpenWrite(path, mode, makeParents: true, out var file));
        return Task.FromResult<Stream>(new SandboxFileStream(file!, path, writes: true));
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<HostedFileChange> WatchFilesAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken)
    {
        var sandbox = Find(tenant, id);
        Check(path, sandbox.Files.Watch(path, recursive, out var watch));
        return FollowAsync(sandbox, watch!, cancellationToken);
    }

    /// <inheritdoc/>
    public Task MakeDirectoryAsync(string tenant, string id, string path, bool parents, CancellationToken cancellationToken) =>
        Checked(path, Files(tenant, id).MakeDirectory(path, parents));

    /// <inheritdoc/>
    public Task MakeSymbolicLinkAsync(string tenant, string id, string path, string target, CancellationToken cancellationToken) =>
        Checked(path, Files(tenant, id).MakeSymbolicLink(path, target));

    /// <inheritdoc/>
    public Task MoveFileAsync(string tenant, string id, string from, string to, CancellationToken cancellationToken) => Checked(from, Files(tenant, id).Move(from, to));

    /// <inheritdoc/>
    public Task RemoveFileAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken) => Checked(path, Files(tenant, id).Remove(path, recursive));

    private static async IAsyncEnumerable<HostedFileChange> FollowAsync(LiveSandbox sandbox, HostFileWatch watch, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        const int QuietRounds = 150;
        using (watch)
        {
            // Looked after every tenth of a second: a callback would have to be part of the kernel's saved state.
            for (int quiet = 0; !sandbox.Ended.IsCompleted; quiet++)
            {
                foreach (var change in watch.Read())
                {
                    quiet = 0;
                    yield return new HostedFileChange(change.Kind, change.Path, change.IsDirectory);
                }

                if (quiet % QuietRounds == 0) yield return new HostedFileChange("", "", false);
                await Task.WhenAny(sandbox.Ended, Task.Delay(100, cancellationToken)).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    private static void Check(string path, Errno error)
    {
        if (error != Errno.None) throw new HostedFileException(path, error);
    }

    private static Task Checked(string path, Errno error)
    {
        Check(path, error);
        return Task.CompletedTask;
    }

    private static HostedSandbox Describe(LiveSandbox sandbox) => new(
        sandbox.Id, sandbox.Tenant, sandbox.Spec.Template, sandbox.Created, sandbox.Expires, sandbox.Spec.MemoryBytes, sandbox.MemoryBytes, sandbox.Spec.Metadata)
    {
        Image = sandbox.Spec.Image,
        Generation = sandbox.Generation,
        Parent = sandbox.Parent,
    };

    private static HostedProcess Describe(LiveProcess process) =>
        new(process.Pid, process.Description, process.Started, process.Program.Terminal is not null, process.ExitCode);

    private static HostedFileInfo Describe(HostFileInfo file) => new(
        file.Path,
        KindOf(file.Type),
        file.Mode, file.Uid, file.Gid, file.Size, DateTimeOffset.UnixEpoch.AddTicks(file.ModifyTime / 100), file.LinkTarget);

    /// <summary>What a type of file is called.</summary>
    internal static string KindOf(DirectoryEntryType type) => type switch
    {
        DirectoryEntryType.DT_REG => "file",
        DirectoryEntryType.DT_DIR => "directory",
        DirectoryEntryType.DT_LNK => "symlink",
        DirectoryEntryType.DT_FIFO => "fifo",
        DirectoryEntryType.DT_SOCK => "socket",
        DirectoryEntryType.DT_CHR or DirectoryEntryType.DT_BLK => "device",
        _ => "unknown",
    };

    private static Dictionary<string, string> Join(IReadOnlyDictionary<string, string> image, IReadOnlyDictionary<string, string>? own)
    {
        var all = new Dictionary<string, string>(image, StringComparer.Ordinal);
        foreach (var (name, value) in own ?? new Dictionary<string, string>(StringComparer.Ordinal)) all[name] = value;
        return all;
    }

    /// <summary>Starts a sandbox, which is known by its id from then on.</summary>
    private LiveSandbox Begin(LiveSandbox sandbox, Func<SandboxOptions, Sandbox> make)
    {
        sandbox.Start(make);
        return Publish(sandbox);
    }

    private LiveSandbox Publish(LiveSandbox sandbox)
    {
        _live[sandbox.Id] = sandbox;
        _ = CollectAsync(sandbox);
        return sandbox;
    }

    /// <inheritdoc/>
    public SandboxCounts Count(string tenant)
    {
        var running = _live.Values.Where(sandbox => !sandbox.Ended.IsCompleted).ToList();
        return new SandboxCounts(running.Count, running.Count(sandbox => sandbox.Tenant == tenant), 0);
    }

    /// <inheritdoc/>
    public bool Knows(string tenant, string id) => _live.TryGetValue(id, out var sandbox) && sandbox.Tenant == tenant && !sandbox.Ended.IsCompleted;

    private LiveSandbox Find(string tenant, string id)
    {
        if (!_live.TryGetValue(id, out var sandbox) || sandbox.Tenant != tenant) throw new SandboxGoneException(id, _reasons.Find(tenant, id));
        return !sandbox.Ended.IsCompleted ? sandbox : throw new SandboxGoneException(id, sandbox.LeftFor is null ? sandbox.EndReason : null);
    }

    private LiveProcess FindProcess(string tenant, string id, int pid) => Find(tenant, id).FindProcess(pid) ?? throw new ProcessGoneException(pid);

    private HostFiles Files(string tenant, string id) => Find(tenant, id).Files;

    /// <summary>Takes a sandbox apart when it has ended, however that came.</summary>
    private async Task CollectAsync(LiveSandbox sandbox)
    {
        await sandbox.Ended.ConfigureAwait(false);
        if (sandbox.LeftFor is null) _reasons.Add(sandbox.Tenant, sandbox.Id, sandbox.EndReason);
        _live.TryRemove(new KeyValuePair<string, LiveSandbox>(sandbox.Id, sandbox));
        await sandbox.DisposeAsync().ConfigureAwait(false);
        if (sandbox.IsPooled) _pools.Return(sandbox.Tenant, sandbox.Spec.Template);
    }
}
