using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>A Unix socket of type SOCK_DGRAM (unix(7)). Datagrams are never lost: a sender waits while the receiver's queue is full.</summary>
[Saved]
internal sealed partial class UnixDatagramSocket : Socket
{
    /// <summary>Datagrams that wait at most beyond the first ones (net.unix.max_dgram_qlen, as distributions set it).</summary>
    private const int MaximumQueue = 512;

    private UnixName _name = new();
    private SegmentQueue _received = new();

    /// <inheritdoc/>
    internal override SegmentQueue? Messages => _received;

    private UnixDatagramSocket? _peer;

    // Those who are connected to this one: a list through them.
    private UnixDatagramSocket? _firstConnectedHere;
    private UnixDatagramSocket? _nextConnected;
    private UnixDatagramSocket? _previousConnected;
    private bool _receiveShutdown;
    private bool _sendShutdown;
    private bool _closed;

    private UnixDatagramSocket()
    {
    }

    public UnixDatagramSocket(Kernel kernel, PosixThread? creator) => Initialize(kernel, AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM, 0, creator);

    private bool IsFull => _received.Count >= MaximumQueue || _received.Bytes >= Settings.ReceiveBuffer;

    /// <summary>socketpair(2).</summary>
    public static (Socket A, Socket B) CreatePair(PosixThread thread)
    {
        var a = new UnixDatagramSocket(thread.Kernel, thread);
        var b = new UnixDatagramSocket(thread.Kernel, thread);
        a.SetPeer(b);
        b.SetPeer(a);
        return (a, b);
    }

    internal override Errno Bind(PosixThread thread, ReadOnlySpan<byte> address) => _name.Bind(thread, this, address);

    internal override SyscallResult Connect(PosixThread thread, ReadOnlySpan<byte> address)
    {
        if (SocketAddresses.FamilyOf(address) == AddressFamily.AF_UNSPEC)
        {
            SetPeer(null);
            return 0;
        }

        var error = FindTarget(thread, address, out var target);
        if (error == Errno.None) SetPeer(target);
        return error;
    }

    internal override SyscallResult Send(PosixThread thread, ref IoBuffer buffer, ref OutgoingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return Errno.EOPNOTSUPP;
        if (buffer.Remaining > Settings.SendBuffer - 32) return Errno.EMSGSIZE;
        if (_sendShutdown) return BrokenPipe(thread, message.Flags);
        var target = _peer;
        if (!message.Address.IsEmpty)
        {
            var error = FindTarget(thread, message.Address, out target);
            if (error != Errno.None) return error;
        }

        if (target is null) return Errno.ENOTCONN;
        if (target._closed)
        {
            SetPeer(null);
            return Errno.ECONNREFUSED;
        }

        if (target._receiveShutdown) return BrokenPipe(thread, message.Flags);
        if (target.IsFull)
        {
            target._received.Congested = true;
            return Wait(thread, target._queue, PollEvents.POLLOUT, MustNotWait(message.Flags), Settings.SendTimeout);
        }

        int length = (int)buffer.Remaining;
        if (Segment.TryCreate(thread.Kernel, length) is not { } segment) return Errno.ENOBUFS;
        if (buffer.CopyTo(segment.Data) < length)
        {
            thread.Kernel.Buffers.Release(segment.Cost);
            return Errno.EFAULT;
        }

        segment.End = length;
        segment.Credentials = message.Credentials ?? CredentialsOf(thread);
        segment.Source = _name.IsBound ? _name.Sockaddr : null;
        segment.Rights = message.Rights;
        message.Rights = null;
        if (segment.Rights is not null) thread.Kernel.Sockets.OnRightsQueued(target, segment.Rights.Count);
        target._received.Add(segment);
        target._queue.Wake(Readiness.In);
        return length;
    }

    internal override SyscallResult Receive(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return Errno.EOPNOTSUPP;
        if (PendingError != Errno.None) return TakeError();
        if (_received.First is not { } first)
        {
            if (_receiveShutdown) return 0;
            return Wait(thread, _queue, PollEvents.POLLIN | PollEvents.POLLRDHUP, MustNotWait(message.Flags), Settings.ReceiveTimeout);
        }

        var result = ConnectionSocket.TakeDatagram(thread.Kernel, _received, first, ref buffer, ref message, Settings.PassCredentials);
        if (_received.Congested && !IsFull)
        {
            _received.Congested = false;
            WakeSenders();
        }

        return result;
    }

    internal override Errno Shutdown(PosixThread thread, ShutdownHow how)
    {
        if (_peer is null) return Errno.ENOTCONN;
        _receiveShutdown |= how != ShutdownHow.SHUT_WR;
        _sendShutdown |= how != ShutdownHow.SHUT_RD;
        _queue.Wake();
        WakeSenders();
        return Errno.None;
    }

    internal override byte[] GetLocalAddress() => _name.Sockaddr;

    internal override Errno GetPeerAddress(out byte[] address)
    {
        address = _peer?._name.Sockaddr ?? new UnixName().Sockaddr;
        return _peer is null ? Errno.ENOTCONN : Errno.None;
    }

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        var events = PollEvents.None;
        if (PendingError != Errno.None) events |= PollEvents.POLLERR;
        if (_receiveShutdown) events |= PollEvents.POLLRDHUP | Readiness.In;
        if (_receiveShutdown && _sendShutdown) events |= PollEvents.POLLHUP;
        if (_received.Count > 0) events |= Readiness.In;
        if (_peer is { _closed: false, IsFull: true } target) target._received.Congested = true;
        else events |= Readiness.Out;
        return events;
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => request switch
    {
        IoctlRequest.FIONREAD => IoctlRequest.PutInt32(thread, argument, _received.First?.Count ?? 0),
        IoctlRequest.TIOCOUTQ => IoctlRequest.PutInt32(thread, argument, 0),
        _ => Errno.ENOTTY,
    };

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        _closed = true;
        _name.Release(kernel);
        bool lost = _received.Count > 0;
        _received.Clear(kernel);
        if (_peer is { } peer && peer._peer == this && lost) peer.PendingError = Errno.ECONNRESET;
        WakeSenders();
        for (var sender = _firstConnectedHere; sender is not null; sender = sender._nextConnected) sender._queue.Wake();
        SetPeer(null);
        kernel.Sockets.OnClosed(kernel, this);
    }

    private Errno FindTarget(PosixThread thread, ReadOnlySpan<byte> address, out UnixDatagramSocket? target)
    {
        target = null;
        var error = UnixName.Find(thread, address, out var found);
        if (error != Errno.None) return error;
        target = found as UnixDatagramSocket;
        if (target is null) return Errno.EPROTOTYPE;

        // A connected socket hears its peer only.
        return target._peer is not null && target._peer != this ? Errno.EPERM : Errno.None;
    }

    private void SetPeer(UnixDatagramSocket? peer)
    {
        if (_peer is { } previous)
        {
            if (_previousConnected is not null) _previousConnected._nextConnected = _nextConnected;
            else previous._firstConnectedHere = _nextConnected;
            if (_nextConnected is not null) _nextConnected._previousConnected = _previousConnected;
            _nextConnected = _previousConnected = null;
        }

        _peer = peer;
        if (peer is not null)
        {
            _nextConnected = peer._firstConnectedHere;
            if (_nextConnected is not null) _nextConnected._previousConnected = this;
            peer._firstConnectedHere = this;
        }

        _queue.Wake(Readiness.Out);
    }

    private void WakeSenders()
    {
        _queue.Wake(Readiness.Out);
        for (var sender = _firstConnectedHere; sender is not null; sender = sender._nextConnected) sender._queue.Wake(Readiness.Out);
    }
}
