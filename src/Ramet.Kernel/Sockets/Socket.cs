using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>A socket (socket(7)). Addresses are sockaddr bytes; their lengths have been checked against sockaddr_storage, nothing else.</summary>
[Saved]
public abstract partial class Socket : FileDescription
{
    /// <summary>Largest address: sizeof(struct sockaddr_storage).</summary>
    public const int MaximumAddress = 128;

    private protected WaitQueue _queue = new();

    private protected Socket()
    {
    }

    private protected void Initialize(Kernel kernel, AddressFamily family, SocketType type, int protocol, PosixThread? creator)
    {
        Family = family;
        Type = type;
        Protocol = protocol;
        Flags = OpenFlags.O_RDWR;
        Inode = new AnonymousInode(kernel, "socket", InodeMode.S_IFSOCK | (InodeMode)0x1FF, creator);
    }

    /// <summary>Address family (SO_DOMAIN).</summary>
    public AddressFamily Family { get; private set; }

    /// <summary>What was sent to it and not received yet; null for kinds of sockets that descriptions cannot be sent to.</summary>
    internal virtual SegmentQueue? Messages => null;

    /// <summary>Type (SO_TYPE).</summary>
    public SocketType Type { get; private set; }

    /// <summary>Protocol (SO_PROTOCOL).</summary>
    public int Protocol { get; private set; }

    /// <summary>Options of level SOL_SOCKET that are values.</summary>
    internal SocketSettings Settings { get; private protected set; } = new();

    /// <summary>Error to be reported once (SO_ERROR).</summary>
    internal Errno PendingError { get; set; }

    /// <summary>Whether this accepts connections (SO_ACCEPTCONN).</summary>
    public virtual bool IsListening => false;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _queue;

    /// <inheritdoc/>
    internal override bool SupportsAsync => true;

    /// <summary>bind(2).</summary>
    internal abstract Errno Bind(PosixThread thread, ReadOnlySpan<byte> address);

    /// <summary>connect(2).</summary>
    internal abstract SyscallResult Connect(PosixThread thread, ReadOnlySpan<byte> address);

    /// <summary>listen(2).</summary>
    internal virtual Errno Listen(PosixThread thread, int backlog) => Errno.EOPNOTSUPP;

    /// <summary>accept(2).</summary>
    internal virtual SyscallResult Accept(PosixThread thread, out Socket? accepted)
    {
        accepted = null;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>sendmsg(2).</summary>
    internal abstract SyscallResult Send(PosixThread thread, ref IoBuffer buffer, ref OutgoingMessage message);

    /// <summary>recvmsg(2).</summary>
    internal abstract SyscallResult Receive(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message);

    /// <summary>shutdown(2).</summary>
    internal abstract Errno Shutdown(PosixThread thread, ShutdownHow how);

    /// <summary>getsockname(2): a sockaddr.</summary>
    internal abstract byte[] GetLocalAddress();

    /// <summary>getpeername(2): a sockaddr. ENOTCONN.</summary>
    internal abstract Errno GetPeerAddress(out byte[] address);

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        var message = default(IncomingMessage);
        var result = Receive(thread, ref buffer, ref message);

        // read(2) has nowhere to put them.
        if (message.Rights is not null) foreach (var description in message.Rights) description.Release(thread.Kernel);
        return result;
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        var message = default(OutgoingMessage);
        return Send(thread, ref buffer, ref message);
    }

    /// <summary>Takes the pending error.</summary>
    internal Errno TakeError()
    {
        var error = PendingError;
        PendingError = Errno.None;
        return error;
    }

    /// <summary>SIGPIPE unless MSG_NOSIGNAL, and EPIPE unless something had been sent before.</summary>
    private protected static SyscallResult BrokenPipe(PosixThread thread, MessageFlags flags)
    {
        if ((flags & MessageFlags.MSG_NOSIGNAL) == 0) return Pipes.Pipe.BrokenPipe(thread);
        return thread.Progress > 0 ? thread.Progress : Errno.EPIPE;
    }

    /// <summary>Whether a call must not wait.</summary>
    private protected bool MustNotWait(MessageFlags flags) => NonBlocking || (flags & MessageFlags.MSG_DONTWAIT) != 0;

    /// <summary>
    /// Waits, within a timeout (SO_RCVTIMEO, SO_SNDTIMEO). What had been transferred before (<see cref="PosixThread.Progress"/>) is the result when the wait cannot
    /// go on. A call with a timeout is not restarted after a signal (signal(7)).
    /// </summary>
    private protected static SyscallResult Wait(PosixThread thread, WaitQueue queue, PollEvents events, bool mustNotWait, long timeout, Errno timedOut = Errno.EAGAIN)
    {
        if (thread.Progress > 0 && (mustNotWait || thread.SignalPending || thread.TimedOut)) return thread.Progress;
        if (mustNotWait) return Errno.EAGAIN;
        if (timeout != PollingTimeout.Infinite)
        {
            if (thread.SignalPending) return Errno.EINTR;
            if (thread.TimedOut) return timedOut;
            thread.WaitUntil(PollingTimeout.DeadlineAfter(thread.Kernel, timeout));
        }

        return thread.BlockOn(queue, events | Readiness.Always);
    }

    /// <summary>Whose credentials go with what this thread sends.</summary>
    private protected static UCred CredentialsOf(PosixThread thread) =>
        new() { pid = thread.Process.Pid, uid = thread.Credentials.EffectiveUid, gid = thread.Credentials.EffectiveGid };
}

/// <summary>Settings of a socket (socket(7)).</summary>
[Saved]
internal sealed partial class SocketSettings
{
    /// <summary>Default of SO_SNDBUF and SO_RCVBUF (net.core.wmem_default).</summary>
    public const int DefaultBuffer = 212992;

    /// <summary>Largest value that SO_SNDBUF takes before it is doubled (net.core.wmem_max).</summary>
    public const int MaximumBuffer = 212992;

    public int SendBuffer { get; set; } = DefaultBuffer;
    public int ReceiveBuffer { get; set; } = DefaultBuffer;
    public bool BuffersWereSet { get; set; }
    public long SendTimeout { get; set; } = PollingTimeout.Infinite;
    public long ReceiveTimeout { get; set; } = PollingTimeout.Infinite;
    public int ReceiveLowWater { get; set; } = 1;
    public bool LingerOn { get; set; }
    public int LingerSeconds { get; set; }
    public bool PassCredentials { get; set; }
    public bool ReuseAddress { get; set; }
    public bool ReusePort { get; set; }
    public bool Broadcast { get; set; }

    /// <summary>Options that are accepted and have no effect here, by level and name.</summary>
    public Dictionary<long, int> Inert { get; private set; } = [];

    /// <summary>A copy, for an accepted socket.</summary>
    public SocketSettings Clone()
    {
        var copy = (SocketSettings)MemberwiseClone();
        copy.Inert = new Dictionary<long, int>(Inert);
        return copy;
    }
}
