using Ramet.Kernel.Files;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Sockets;
using Ramet.Kernel.State;

namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>What inodes without a name in any file system belong to (pipes, sockets, epoll ...).</summary>
    internal AnonymousFileSystems AnonymousFileSystems { get; private set; } = new();

    /// <summary>Host memory that pipes and sockets of this sandbox hold.</summary>
    public BufferBudget Buffers { get; private set; } = new();

    /// <summary>Names and ports of sockets.</summary>
    public SocketTable Sockets { get; private set; } = new();

    /// <summary>What the file systems in memory may have together.</summary>
    [NotSaved]
    internal FileSystems.TmpfsBudget TmpfsBudget => field ??= new FileSystems.TmpfsBudget(this);

    /// <summary>Pseudoterminals.</summary>
    public Terminals.TerminalTable Terminals { get; private set; } = new();

    /// <summary>What connects the sandbox's standard streams and its runner to the host.</summary>
    public HostStreams HostStreams { get; private set; } = new();

    /// <summary>Who watches files (inotify).</summary>
    internal FileWatches Watches { get; private set; } = new();

    /// <summary>POSIX message queues.</summary>
    internal MessageQueues.MessageQueueFileSystem MessageQueues { get; set; } = null!;

    /// <summary>Where they are mounted (/dev/mqueue at first); mq_open(3) needs no mount point.</summary>
    internal Mount MessageQueueMount { get; set; } = null!;

    /// <summary>System V shared memory, semaphores and messages.</summary>
    internal SystemV.SystemVIpc SystemV { get; private set; } = new();

    /// <summary>File descriptors that epoll sets watch, all sets together: /proc/sys/fs/epoll/max_user_watches bounds it.</summary>
    internal int EpollWatches { get; set; }

    /// <summary>Queues that threads in poll and select wait on, all threads together.</summary>
    internal int PollWaiters { get; set; }

    /// <summary>The most there may be: each is an object of the host, and threads times descriptors are many.</summary>
    internal const int MaximumPollWaiters = 1 << 19;

    /// <summary>Host memory of the lists that open directories are read from.</summary>
    internal BufferBudget Listings { get; private set; } = new();

    /// <summary>Record and flock locks of all files: <see cref="FileLockList.MaximumPerSandbox"/> bounds it.</summary>
    internal int FileLocks { get; set; }

    /// <summary>The host takes output again after its sink had answered <see cref="OutputSinkResult.Full"/>; call it under <see cref="Lock"/>.</summary>
    /// <param name="stream">The stream's number, as in <see cref="IOutputSink.Write"/>.</param>
    public void OnHostStreamDrained(int stream) => HostStreams.OnDrained(stream);
}
