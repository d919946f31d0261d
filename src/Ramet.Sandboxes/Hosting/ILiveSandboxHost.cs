namespace Ramet.Sandboxes.Hosting;

/// <summary>
/// Sandboxes that live on between calls. All methods throw <see cref="SandboxGoneException"/> when the tenant has no such sandbox (any more), and
/// <see cref="HostedFileException"/> when a file cannot be used.
/// </summary>
public interface ILiveSandboxHost
{
    /// <summary>Makes one.</summary>
    Task<HostedSandbox> CreateAsync(string tenant, HostedSandboxSpec spec, CancellationToken cancellationToken);

    /// <summary>Those of a tenant, the oldest first; null: of all.</summary>
    Task<IReadOnlyList<HostedSandbox>> ListAsync(string? tenant, CancellationToken cancellationToken);

    /// <summary>How many there are, as far as is known here, without asking whoever runs them.</summary>
    SandboxCounts Count(string tenant);

    /// <summary>What is known of one.</summary>
    Task<HostedSandbox> GetAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>Changes when it ends (from now), or what is noted with it; null: as it is.</summary>
    Task<HostedSandbox> UpdateAsync(string tenant, string id, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken);

    /// <summary>Ends it.</summary>
    Task DeleteAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>The last of what its interpreter has printed.</summary>
    Task<byte[]> LogAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>Runs code in its warm interpreter, where names stay defined. The last event is the end. Cancellation interrupts the code.</summary>
    IAsyncEnumerable<HostedEvent> RunAsync(string tenant, string id, HostedRun run, CancellationToken cancellationToken);

    /// <summary>Starts a process beside the interpreter.</summary>
    /// <exception cref="SandboxException">It cannot be started.</exception>
    Task<HostedProcess> StartProcessAsync(string tenant, string id, HostedProgram program, CancellationToken cancellationToken);

    /// <summary>Processes that were started by <see cref="StartProcessAsync"/>, also those that have ended.</summary>
    Task<IReadOnlyList<HostedProcess>> ListProcessesAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>Output of a process: what is kept of it, then what comes; the last event is the end. Cancellation only ends the looking.</summary>
    IAsyncEnumerable<HostedEvent> AttachAsync(string tenant, string id, int pid, CancellationToken cancellationToken);

    /// <summary>Waits until a process has ended. Cancellation only ends the waiting.</summary>
    Task WaitProcessAsync(string tenant, string id, int pid, CancellationToken cancellationToken);

    /// <summary>Gives a process bytes to read. Waits while it reads slowly.</summary>
    Task WriteInputAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, CancellationToken cancellationToken);

    /// <summary>Sends a signal to a process and its group. False: it has ended.</summary>
    Task<bool> SignalAsync(string tenant, string id, int pid, int signal, CancellationToken cancellationToken);

    /// <summary>The window of its terminal has another size.</summary>
    Task ResizeAsync(string tenant, string id, int pid, HostedTerminalSize size, CancellationToken cancellationToken);

    /// <summary>Makes sandboxes that go on from this very point, processes included; this one goes on as well.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The parent.</param>
    /// <param name="count">How many.</param>
    /// <param name="timeout">When they end by themselves; null: after as long as the parent was given.</param>
    /// <param name="metadata">What is noted with them; null: what is noted with the parent.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    Task<IReadOnlyList<HostedSandbox>> ForkAsync(
        string tenant, string id, int count, TimeSpan? timeout, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken);

    /// <summary>Keeps this point of it, to come back to.</summary>
    /// <exception cref="SandboxConflictException">It has as many checkpoints as it may.</exception>
    Task<HostedCheckpoint> CheckpointAsync(string tenant, string id, string? name, CancellationToken cancellationToken);

    /// <summary>Its checkpoints, the oldest first.</summary>
    Task<IReadOnlyList<HostedCheckpoint>> ListCheckpointsAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>Forgets a checkpoint.</summary>
    /// <exception cref="CheckpointGoneException">There is none.</exception>
    Task DeleteCheckpointAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken);

    /// <summary>Goes back to a checkpoint: what came after it never happened. Its checkpoints stay, later ones too.</summary>
    /// <exception cref="CheckpointGoneException">There is none.</exception>
    Task<HostedSandbox> RewindAsync(string tenant, string id, string checkpoint, CancellationToken cancellationToken);

    /// <summary>What differs between two points.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The sandbox.</param>
    /// <param name="from">A checkpoint.</param>
    /// <param name="to">A checkpoint; null: now.</param>
    /// <param name="content">Whether contents of files are wanted.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CheckpointGoneException">There is none.</exception>
    Task<HostedDiff> DiffAsync(string tenant, string id, string from, string? to, bool content, CancellationToken cancellationToken);

    /// <summary>What it has used.</summary>
    Task<HostedMetrics> MetricsAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>The last of what has happened to it.</summary>
    Task<IReadOnlyList<HostedLogEntry>> HistoryAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>What is known of a file.</summary>
    Task<HostedFileInfo> StatFileAsync(string tenant, string id, string path, bool followLinks, CancellationToken cancellationToken);

    /// <summary>Entries of a directory.</summary>
    Task<IReadOnlyList<HostedFileInfo>> ListFilesAsync(string tenant, string id, string path, CancellationToken cancellationToken);

    /// <summary>Opens a regular file to read it from the start.</summary>
    Task<Stream> OpenReadAsync(string tenant, string id, string path, CancellationToken cancellationToken);

    /// <summary>Opens a regular file to write it anew; directories that are missing are made.</summary>
    Task<Stream> OpenWriteAsync(string tenant, string id, string path, uint? mode, CancellationToken cancellationToken);

    /// <summary>What happens to files below a directory, as it happens, until cancellation. An empty kind says that nothing has happened for a while; the first comes at once.</summary>
    IAsyncEnumerable<HostedFileChange> WatchFilesAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken);

    /// <summary>Makes a directory.</summary>
    Task MakeDirectoryAsync(string tenant, string id, string path, bool parents, CancellationToken cancellationToken);

    /// <summary>Makes a symbolic link.</summary>
    Task MakeSymbolicLinkAsync(string tenant, string id, string path, string target, CancellationToken cancellationToken);

    /// <summary>Renames.</summary>
    Task MoveFileAsync(string tenant, string id, string from, string to, CancellationToken cancellationToken);

    /// <summary>Removes a file, or a directory.</summary>
    Task RemoveFileAsync(string tenant, string id, string path, bool recursive, CancellationToken cancellationToken);
}

/// <summary>A sandbox to make.</summary>
/// <param name="Template">The template.</param>
/// <param name="MemoryBytes">Memory limit.</param>
/// <param name="Timeout">When it ends by itself.</param>
/// <param name="Metadata">What the caller wants to be noted with it.</param>
public sealed record HostedSandboxSpec(string Template, ulong MemoryBytes, TimeSpan Timeout, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The image, for one without an interpreter: processes and files only; null: it is forked from <see cref="Template"/>.</summary>
    public string? Image { get; init; }

    /// <summary>The snapshot that it goes on from, whose template or image it has then; null: none.</summary>
    public string? Snapshot { get; init; }

    /// <summary>Environment variables of the interpreter and of processes.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Working directory of the interpreter and of processes; null: the template's or the image's.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Limit of processes and threads; null: the default.</summary>
    public int? MaxThreads { get; init; }

    /// <summary>Limit of open files; null: the default.</summary>
    public int? MaxOpenFiles { get; init; }

    /// <summary>Bytes that a run or a process may print; then it reads EPIPE. Null: no limit.</summary>
    public long? MaxOutputBytes { get; init; }

    /// <summary>Unused for this long, it is paused, until it is used again; null: it is not.</summary>
    public TimeSpan? AutoPause { get; init; }

    /// <summary>Whether there is a checkpoint before each run.</summary>
    public bool CheckpointEveryRun { get; init; }

    /// <summary>Most checkpoints.</summary>
    public int MaxCheckpoints { get; init; } = 64;

    /// <summary>Most bytes that checkpoints take together.</summary>
    public long MaxCheckpointBytes { get; init; } = 256L << 20;
}

/// <summary>A live sandbox.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Tenant">Whose it is.</param>
/// <param name="Template">What it was forked from.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Expires">When it ends by itself.</param>
/// <param name="MemoryBytes">Its limit.</param>
/// <param name="UsedBytes">What it uses.</param>
/// <param name="Metadata">What was noted with it.</param>
public sealed record HostedSandbox(
    string Id, string Tenant, string Template, DateTimeOffset Created, DateTimeOffset Expires, ulong MemoryBytes, ulong UsedBytes, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The image of one without an interpreter; null: it was forked from <see cref="Template"/>.</summary>
    public string? Image { get; init; }

    /// <summary>Whether it stands still, on disk.</summary>
    public bool IsPaused { get; init; }

    /// <summary>Whether it was paused because nobody used it: whoever uses it resumes it.</summary>
    public bool IsPausedAutomatically { get; init; }

    /// <summary>How many forks and restores it has come through, those of its ancestors included.</summary>
    public long Generation { get; init; }

    /// <summary>The sandbox that it was forked from, or that its snapshot is of; null: it was made from a template or an image.</summary>
    public string? Parent { get; init; }
}

/// <summary>Code for a warm interpreter.</summary>
/// <param name="Code">The source text.</param>
/// <param name="Timeout">Wall time; then it gets KeyboardInterrupt.</param>
/// <param name="Environment">Environment variables to set; they stay set.</param>
/// <param name="WorkingDirectory">Working directory to change to; null: as it is.</param>
public sealed record HostedRun(string Code, TimeSpan Timeout, IReadOnlyDictionary<string, string?>? Environment, string? WorkingDirectory);

/// <summary>Size of a terminal's window.</summary>
/// <param name="Rows">Lines.</param>
/// <param name="Columns">Characters in a line.</param>
public sealed record HostedTerminalSize(int Rows, int Columns);

/// <summary>A process to start.</summary>
/// <param name="Command">argv.</param>
/// <param name="Environment">NAME=value.</param>
/// <param name="WorkingDirectory">Working directory; null: the interpreter's.</param>
/// <param name="User">USER or USER:GROUP; null: root.</param>
/// <param name="Terminal">Its terminal; null: none.</param>
public sealed record HostedProgram(IReadOnlyList<string> Command, IReadOnlyList<string> Environment, string? WorkingDirectory, string? User, HostedTerminalSize? Terminal);

/// <summary>A process that was started.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="Command">argv.</param>
/// <param name="Started">When.</param>
/// <param name="HasTerminal">Whether it has a terminal.</param>
/// <param name="ExitCode">Exit code, or 128 + signal; null: it runs.</param>
public sealed record HostedProcess(int Pid, IReadOnlyList<string> Command, DateTimeOffset Started, bool HasTerminal, int? ExitCode);

/// <summary>A file of a sandbox.</summary>
/// <param name="Path">Where.</param>
/// <param name="Type">file, directory, symlink, fifo, socket, device or unknown.</param>
/// <param name="Mode">Permission bits.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Modified">Last change of the content.</param>
/// <param name="Target">Where a symbolic link leads; null: it is none.</param>
public sealed record HostedFileInfo(string Path, string Type, uint Mode, uint Uid, uint Gid, long Size, DateTimeOffset Modified, string? Target);

/// <summary>A change of a file.</summary>
/// <param name="Kind">created, modified, removed, moved_from, moved_to, attributes; overflow: some were lost; empty: nothing has happened for a while.</param>
/// <param name="Path">The file.</param>
/// <param name="IsDirectory">Whether it is a directory.</param>
public sealed record HostedFileChange(string Kind, string Path, bool IsDirectory);

/// <summary>Numbers of sandboxes.</summary>
/// <param name="All">Those that run, of all tenants; those that were paused by themselves are among them.</param>
/// <param name="Own">The same of one tenant.</param>
/// <param name="Paused">Paused ones of the tenant, in whatever way.</param>
public readonly record struct SandboxCounts(int All, int Own, int Paused);

/// <summary>The tenant has no such sandbox.</summary>
/// <param name="id">What was asked for.</param>
/// <param name="reason">Why it has gone; null: it is not known that it was ever there.</param>
public sealed class SandboxGoneException(string id, string? reason = null)
    : SandboxException(reason is null ? $"There is no sandbox '{id}'; it may have ended." : $"The sandbox '{id}' is gone: {reason}.")
{
    /// <summary>Why it has gone; null: it is not known that it was ever there.</summary>
    public string? Reason { get; } = reason;
}

/// <summary>The sandbox has no such process that was started from outside.</summary>
/// <param name="pid">What was asked for.</param>
public sealed class ProcessGoneException(int pid) : SandboxException($"There is no process {pid} that was started through this interface.");
