using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>A Unix socket of type SOCK_STREAM or SOCK_SEQPACKET (unix(7)).</summary>
[Saved]
internal sealed partial class UnixConnectionSocket : ConnectionSocket
{
    private UnixName _name = new();
    private UCred _peerCredentials = NoPeer;

    private UnixConnectionSocket()
    {
    }

    public UnixConnectionSocket(Kernel kernel, SocketType type, PosixThread? creator) => Initialize(kernel, AddressFamily.AF_UNIX, type, 0, creator);

    private static UCred NoPeer => new() { uid = uint.MaxValue, gid = uint.MaxValue };

    /// <summary>SO_PEERCRED: who called connect, listen or socketpair at the other side.</summary>
    public UCred PeerCredentials => _peerCredentials;

    /// <summary>socketpair(2).</summary>
    public static (Socket A, Socket B) CreatePair(PosixThread thread, SocketType type)
    {
        var a = new UnixConnectionSocket(thread.Kernel, type, thread);
        var b = new UnixConnectionSocket(thread.Kernel, type, thread);
        Join(a, b);
        a._peerCredentials = b._peerCredentials = CredentialsOf(thread);
        return (a, b);
    }

    internal override Errno Bind(PosixThread thread, ReadOnlySpan<byte> address) => _name.Bind(thread, this, address);

    internal override Errno Listen(PosixThread thread, int backlog)
    {
        if (!_name.IsBound || State is ConnectionState.Connected) return Errno.EINVAL;
        State = ConnectionState.Listening;
        Backlog = SocketAddresses.ClampBacklog(backlog);
        _peerCredentials = CredentialsOf(thread);
        _queue.Wake(Readiness.Out);
        return Errno.None;
    }

    internal override SyscallResult Connect(PosixThread thread, ReadOnlySpan<byte> address)
    {
        var error = UnixName.Find(thread, address, out var found);
        if (error != Errno.None) return error;
        if (State == ConnectionState.Connected) return Errno.EISCONN;
        if (State != ConnectionState.Closed) return Errno.EINVAL;
        if (found!.Type != Type) return Errno.EPROTOTYPE;
        if (found is not UnixConnectionSocket { State: ConnectionState.Listening, ReceiveShutdown: false } listener) return Errno.ECONNREFUSED;
        if (listener.AcceptQueue.Count > listener.Backlog)
        {
            return Wait(thread, listener._queue, PollEvents.POLLOUT, MustNotWait(MessageFlags.None), Settings.SendTimeout);
        }

        var server = new UnixConnectionSocket(thread.Kernel, Type, creator: null) { _name = listener._name.CopyForAccepted() };
        // It stays in the queue even when this end goes, so it counts as an open file from now on (net/unix/af_unix.c, unix_create1: ENFILE).
        if (!server.TryCount(thread.Kernel)) return Errno.ENFILE;
        server.Settings.PassCredentials = listener.Settings.PassCredentials;
        Join(this, server);
        _peerCredentials = listener._peerCredentials;
        server._peerCredentials = CredentialsOf(thread);
        listener.AcceptQueue.Enqueue(server);
        listener._queue.Wake(Readiness.In);
        _queue.Wake(Readiness.Out);
        return 0;
    }

    internal override SyscallResult Send(PosixThread thread, ref IoBuffer buffer, ref OutgoingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return Errno.EOPNOTSUPP;
        if (!message.Address.IsEmpty && Type == SocketType.SOCK_STREAM) return State == ConnectionState.Connected ? Errno.EISCONN : Errno.EOPNOTSUPP;
        if (State != ConnectionState.Connected) return Errno.ENOTCONN;
        if (SendShutdown || Peer is not { } peer) return BrokenPipe(thread, message.Flags);
        return SendToPeer(thread, peer, ref buffer, ref message);
    }

    internal override Errno Shutdown(PosixThread thread, ShutdownHow how)
    {
        ShutDown(how != ShutdownHow.SHUT_WR, how != ShutdownHow.SHUT_RD);
        return Errno.None;
    }

    internal override byte[] GetLocalAddress() => _name.Sockaddr;

    internal override Errno GetPeerAddress(out byte[] address)
    {
        address = (Peer as UnixConnectionSocket)?._name.Sockaddr ?? new UnixName().Sockaddr;
        return State == ConnectionState.Connected ? Errno.None : Errno.ENOTCONN;
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        _name.Release(kernel);
        bool lost = Received.Count > 0;
        if (Peer is { } peer)
        {
            // What was not read is lost, and the other side is told so (net/unix/af_unix.c, unix_release_sock).
            if (lost) peer.PendingError = Errno.ECONNRESET;
            ShutDown(receive: true, send: true);
            peer.Peer = null;
            Peer = null;
        }

        while (AcceptQueue.TryDequeue(out var waiting))
        {
            if (waiting.Peer is { } client) client.PendingError = Errno.ECONNRESET;
            waiting.Release(kernel);
        }

        State = ConnectionState.Closed;
        Received.Clear(kernel);
        _queue.Wake();
        kernel.Sockets.OnClosed(kernel, this);
    }
}
