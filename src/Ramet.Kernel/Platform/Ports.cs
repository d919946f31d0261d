namespace Ramet.Kernel.Platform;

/// <summary>The host's clocks. A port, so that a run can be tested and replayed exactly.</summary>
public interface IHostClock
{
    /// <summary>CLOCK_MONOTONIC of the host in nanoseconds.</summary>
    long MonotonicNanoseconds { get; }

    /// <summary>CLOCK_REALTIME of the host in nanoseconds since 1970.</summary>
    long RealtimeNanoseconds { get; }
}

/// <summary>The host's randomness (getrandom(2)).</summary>
public interface IHostRandom
{
    /// <summary>Fills the span with bytes fit for keys.</summary>
    void Fill(Span<byte> destination);
}

/// <summary>
/// What a kernel asks of the process that runs it. Called under the kernel lock: implementations post the request to their own threads
/// and return at once.
/// </summary>
public interface IKernelHost
{
    /// <summary>
    /// A thread became ready to run and a virtual CPU is idle: see to it that some host thread calls <c>Kernel.RunVcpu</c>.
    /// </summary>
    void RequestVcpu(int index);

    /// <summary>
    /// A program calls the kernel so often that it is worth a host processor's time to serve it without exits: let some host thread call <c>Kernel.PollVcpu</c>.
    /// </summary>
    /// <returns>False when no processor is to spare.</returns>
    bool RequestPolling(int index) => false;

    /// <summary>Call <c>Kernel.OnAlarm</c> at this time of the host's monotonic clock (ns); replaces the earlier request. long.MaxValue: never.</summary>
    void SetAlarm(long hostMonotonicNanoseconds);

    /// <summary>The last process of the sandbox has ended.</summary>
    void OnExited();

    /// <summary>A process has ended. Called under the kernel lock: it must not block and must not call the kernel.</summary>
    /// <param name="pid">Its id.</param>
    /// <param name="status">Its wait status (wait(2)).</param>
    void OnProcessEnded(int pid, int status)
    {
    }
}

/// <summary>
/// The read-only files of an image: the layer below the writable one. Immutable and shared by all sandboxes of the image.
/// Names are bytes held as Latin-1 characters (one byte, one char), so that none is lost.
/// </summary>
public interface IReadOnlyImage
{
    /// <summary>Identifies the content (a digest).</summary>
    string Id { get; }

    /// <summary>Number of the root directory's node.</summary>
    int Root { get; }

    /// <summary>Number of nodes; they are numbered from 0.</summary>
    int NodeCount { get; }

    /// <summary>What stat(2) says of a node.</summary>
    ImageNode GetNode(int node);

    /// <summary>Looks a name up in a directory.</summary>
    bool TryLookup(int directory, string name, out int node);

    /// <summary>The entries of a directory, without "." and "..".</summary>
    IEnumerable<KeyValuePair<string, int>> EnumerateDirectory(int directory);

    /// <summary>The target of a symbolic link.</summary>
    string GetLinkTarget(int node);

    /// <summary>Bytes of the image's data file, from which file contents are served. Beyond the end: empty.</summary>
    ReadOnlySpan<byte> ReadData(long offset, int length);
}

/// <summary>A file of an image.</summary>
/// <param name="Mode">Type and permissions (st_mode).</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="LinkCount">Hard links within the image.</param>
/// <param name="Size">Bytes.</param>
/// <param name="ModifiedNanoseconds">st_mtim, ns since 1970.</param>
/// <param name="Device">st_rdev for device nodes.</param>
/// <param name="DataOffset">
/// Where a regular file's bytes start in the data file: a multiple of 4096, so that they can be page frames. Guest-physical address: image base + this.
/// </param>
public readonly record struct ImageNode(
    uint Mode, uint Uid, uint Gid, uint LinkCount, long Size, long ModifiedNanoseconds, ulong Device, long DataOffset);
