using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>
/// A TCP socket over loopback (tcp(7)). There are no packets: connections are made at once, and bytes go straight to the other side. What programs can see of
/// the protocol is kept: refused and reset connections, half-close, a full backlog, connects that do not wait.
/// </summary>
[Saved]
internal sealed partial class TcpSocket : ConnectionSocket
{
    private InetBinding _binding = null!;
    private InetEndpoint _remote;

    /// <summary>A connect goes on or has ended without the program having been told.</summary>
    private bool _connectUntold;

    /// <summary>Where this waits for room while it is <see cref="ConnectionState.Connecting"/>.</summary>
    private TcpSocket? _connectingTo;

    // Sockets that wait for room in AcceptQueue, in turn: a list through the sockets themselves, so that one that is closed leaves it at once.
    private TcpSocket? _firstWaiting;
    private TcpSocket? _lastWaiting;
    private TcpSocket? _previousInLine;
    private TcpSocket? _nextInLine;

    private TcpSocket()
    {
    }

    public TcpSocket(Kernel kernel, AddressFamily family, PosixThread? creator)
    {
        Initialize(kernel, family, SocketType.SOCK_STREAM, SocketProtocol.IPPROTO_TCP, creator);
        _binding = new InetBinding(this, kernel.Sockets.Tcp);
    }

    internal InetBinding Binding => _binding;

    private protected override long SendLimit => (long)Settings.SendBuffer + (Peer?.Settings.ReceiveBuffer ?? 0);

    private protected override Errno ReceiveUnconnected => Errno.ENOTCONN;

    private protected override bool ShutdownOfReceiveReachesPeer => false;

    private bool BacklogIsFull => AcceptQueue.Count > Backlog;

    internal override Errno Bind(PosixThread thread, ReadOnlySpan<byte> address) =>
        State == ConnectionState.Closed ? _binding.Bind(thread, address) : Errno.EINVAL;

    internal override Errno Listen(PosixThread thread, int backlog)
    {
        if (State is ConnectionState.Connected or ConnectionState.Connecting) return Errno.EINVAL;
        var error = _binding.BindAny(_binding.AnyAddress);
        if (error != Errno.None) return error;
        if (State == ConnectionState.Closed && _binding.Table.HasOtherListener(_binding)) return Errno.EADDRINUSE;
        State = ConnectionState.Listening;
        ReceiveShutdown = SendShutdown = false;
        Backlog = SocketAddresses.ClampBacklog(backlog);
        return Errno.None;
    }

    internal override SyscallResult Connect(PosixThread thread, ReadOnlySpan<byte> address)
    {
        if (SocketAddresses.FamilyOf(address) == AddressFamily.AF_UNSPEC)
        {
            Disconnect(thread.Kernel);
            return 0;
        }

        if (_connectUntold && State != ConnectionState.Connecting)
        {
            _connectUntold = false;
            if (PendingError != Errno.None) return TakeError();
            return State == ConnectionState.Connected ? 0 : Errno.ECONNABORTED;
        }

        switch (State)
        {
            case ConnectionState.Connected:
            case ConnectionState.Listening:
                return Errno.EISCONN;
            case ConnectionState.Connecting:
                return NonBlocking ? Errno.EALREADY : WaitForConnection(thread);
        }

        var error = InetEndpoint.Parse(address, Family, out var destination);
        if (error == Errno.None) error = _binding.Route(ref destination);
        if (error == Errno.None) error = _binding.BindAny(_binding.SourceFor(destination.Address));
        if (error != Errno.None) return error;
        _binding.SetSource(destination.Address);
        _remote = destination;
        ReceiveShutdown = SendShutdown = false;

        if (FindListener(destination) is not { } listener)
        {
            if (!NonBlocking) return Errno.ECONNREFUSED;
            PendingError = Errno.ECONNREFUSED;
        }
        else if (listener.BacklogIsFull)
        {
            State = ConnectionState.Connecting;
            JoinLine(listener);
            _connectUntold = true;
            if (!NonBlocking) return WaitForConnection(thread);
            return Errno.EINPROGRESS;
        }
        else if (listener.TryEstablish(thread.Kernel, this))
        {
            if (!NonBlocking) return 0;
        }
        else
        {
            if (!NonBlocking) return Errno.ECONNREFUSED;
            PendingError = Errno.ECONNREFUSED;
        }

        // As on Linux, a connect that does not wait never tells its end at once, not even over loopback.
        _connectUntold = true;
        _queue.Wake();
        return Errno.EINPROGRESS;
    }

    internal override SyscallResult Send(PosixThread thread, ref IoBuffer buffer, ref OutgoingMessage message)
    {
        if (State == ConnectionState.Connecting) return Wait(thread, _queue, PollEvents.POLLOUT, MustNotWait(message.Flags), Settings.SendTimeout);
        if (PendingError != Errno.None)
        {
            if (thread.Progress > 0) return thread.Progress;
            var error = TakeError();
            return error == Errno.EPIPE ? BrokenPipe(thread, message.Flags) : error;
        }

        if (SendShutdown || State != ConnectionState.Connected) return BrokenPipe(thread, message.Flags);
        _connectUntold = false;
        if (Peer is { } peer) return SendToPeer(thread, peer, ref buffer, ref message);

        // The other side has closed: it answers with a reset, which the next call sees.
        OnReset(Errno.EPIPE);
        return buffer.Length;
    }

    private protected override SyscallResult ReceiveUrgent(ref IoBuffer buffer, ref IncomingMessage message) =>
        State is ConnectionState.Closed or ConnectionState.Listening && !ReceiveShutdown ? Errno.ENOTCONN : TakeUrgent(ref buffer, ref message);

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => request == IoctlRequest.SIOCATMARK
        ? IoctlRequest.PutInt32(thread, argument, IsAtMark ? 1 : 0)
        : base.Ioctl(thread, request, argument);

    internal override Errno Shutdown(PosixThread thread, ShutdownHow how)
    {
        switch (State)
        {
            case ConnectionState.Listening:
                if (how != ShutdownHow.SHUT_WR) StopListening(thread.Kernel);
                return Errno.None;
            case ConnectionState.Connected when Peer is not null || !SendShutdown:
                ShutDown(how != ShutdownHow.SHUT_WR, how != ShutdownHow.SHUT_RD);
                return Errno.None;
            default:
                return Errno.ENOTCONN;
        }
    }

    internal override byte[] GetLocalAddress() =>
        (_binding.IsBound ? _binding.Local : new InetEndpoint(_binding.AnyAddress, 0)).ToSockaddr(Family);

    internal override Errno GetPeerAddress(out byte[] address)
    {
        address = _remote.ToSockaddr(Family);
        return State == ConnectionState.Connected && (Peer is not null || !SendShutdown) ? Errno.None : Errno.ENOTCONN;
    }

    internal override Errno GetOption(PosixThread thread, SocketLevel level, int name, out byte[] value) =>
        level == SocketLevel.SOL_SOCKET ? base.GetOption(thread, level, name, out value) : InetOptions.Get(this, _binding, level, name, out value);

    internal override Errno SetOption(PosixThread thread, SocketLevel level, int name, ReadOnlySpan<byte> value) =>
        level == SocketLevel.SOL_SOCKET ? base.SetOption(thread, level, name, value) : InetOptions.Set(this, _binding, level, name, value);

    private protected override void OnAccepted(Kernel kernel) => AdmitWaiting(kernel);

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        Disconnect(kernel);
        _binding.Release();
        _queue.Wake();
    }

    private SyscallResult WaitForConnection(PosixThread thread) =>
        Wait(thread, _queue, PollEvents.POLLOUT, mustNotWait: false, Settings.SendTimeout, Errno.EINPROGRESS);

    private TcpSocket? FindListener(InetEndpoint destination)
    {
        TcpSocket? found = null;
        foreach (var binding in _binding.Table.At(destination.Port))
        {
            if (binding.Owner is not TcpSocket { State: ConnectionState.Listening } listener || !binding.Accepts(destination.Address)) continue;
            if (binding.Local.Address == destination.Address) return listener;
            found ??= listener;
        }

        return found;
    }

    /// <summary>
    /// Makes the other end of a connection, which then waits for accept(2). It counts as an open file from now on, since it stays even when the client goes; false when the
    /// sandbox may have no more of these.
    /// </summary>
    private bool TryEstablish(Kernel kernel, TcpSocket client)
    {
        var server = new TcpSocket(kernel, Family, creator: null) { Settings = Settings.Clone(), _remote = client._binding.Local };
        if (!server.TryCount(kernel)) return false;
        server._binding.V6Only = _binding.V6Only;
        server._binding.Local = client._remote;
        server._binding.Table.Add(server._binding);
        Join(client, server);
        AcceptQueue.Enqueue(server);
        _queue.Wake(Readiness.In);
        client._queue.Wake(Readiness.Out);
        return true;
    }

    private void AdmitWaiting(Kernel kernel)
    {
        while (!BacklogIsFull && _firstWaiting is { } client)
        {
            client.LeaveLine();
            if (!TryEstablish(kernel, client)) client.OnRefused();
        }
    }

    private void JoinLine(TcpSocket listener)
    {
        _connectingTo = listener;
        _previousInLine = listener._lastWaiting;
        if (listener._lastWaiting is { } last) last._nextInLine = this;
        else listener._firstWaiting = this;
        listener._lastWaiting = this;
    }

    private void LeaveLine()
    {
        if (_connectingTo is not { } listener) return;
        if (_previousInLine is not null) _previousInLine._nextInLine = _nextInLine;
        else listener._firstWaiting = _nextInLine;
        if (_nextInLine is not null) _nextInLine._previousInLine = _previousInLine;
        else listener._lastWaiting = _previousInLine;
        _previousInLine = _nextInLine = _connectingTo = null;
    }

    private void OnRefused()
    {
        State = ConnectionState.Closed;
        PendingError = Errno.ECONNREFUSED;
        _queue.Wake();
    }

    private void StopListening(Kernel kernel)
    {
        State = ConnectionState.Closed;
        ReceiveShutdown = SendShutdown = true;
        while (_firstWaiting is { } client)
        {
            client.LeaveLine();
            client.OnRefused();
        }

        while (AcceptQueue.TryDequeue(out var connection))
        {
            ((TcpSocket)connection).Settings.LingerOn = true;
            connection.Release(kernel);
        }

        _queue.Wake();
    }

    /// <summary>Ends whatever goes on. Unread bytes, and SO_LINGER with no time, end a connection with a reset (RFC 2525, 2.17).</summary>
    private void Disconnect(Kernel kernel)
    {
        if (State == ConnectionState.Listening) StopListening(kernel);
        LeaveLine();
        if (Peer is TcpSocket peer)
        {
            bool reset = Received.Bytes > 0 || (Settings.LingerOn && Settings.LingerSeconds == 0);
            Peer = null;
            peer.Peer = null;
            if (reset) peer.OnReset(peer.ReceiveShutdown ? Errno.EPIPE : Errno.ECONNRESET);
            peer.ReceiveShutdown = true;
            peer._queue.Wake();
        }

        State = ConnectionState.Closed;
        _connectUntold = false;
        Received.Clear(kernel);
    }

    private void OnReset(Errno error)
    {
        PendingError = error;
        ReceiveShutdown = SendShutdown = true;
        Peer = null;
        _queue.Wake();
    }
}
