using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>A UDP or UDP-Lite socket over loopback (udp(7), udplite(7)): nothing is ever damaged on the way, so checksums make no difference. Datagrams for which the receiver has no room are lost, as they may be.</summary>
[Saved]
internal sealed partial class UdpSocket : Socket
{
    /// <summary>Bytes in the largest datagram: 65535 without the headers of UDP and IPv4.</summary>
    private const int MaximumDatagram = 65507;

    private InetBinding _binding = null!;
    private InetEndpoint _remote;
    private bool _isConnected;
    private SegmentQueue _received = new();
    private bool _receiveShutdown;
    private bool _sendShutdown;

    private UdpSocket()
    {
    }

    public UdpSocket(Kernel kernel, AddressFamily family, int protocol, PosixThread? creator)
    {
        Initialize(kernel, family, SocketType.SOCK_DGRAM, protocol, creator);
        _binding = new InetBinding(this, protocol == SocketProtocol.IPPROTO_UDPLITE ? kernel.Sockets.UdpLite : kernel.Sockets.Udp);
    }

    internal override Errno Bind(PosixThread thread, ReadOnlySpan<byte> address) => _binding.Bind(thread, address);

    internal override SyscallResult Connect(PosixThread thread, ReadOnlySpan<byte> address)
    {
        if (SocketAddresses.FamilyOf(address) == AddressFamily.AF_UNSPEC)
        {
            _isConnected = false;
            return 0;
        }

        var error = InetEndpoint.Parse(address, Family, out var destination);
        if (error == Errno.None) error = _binding.Route(ref destination);
        if (error == Errno.None) error = _binding.BindAny(_binding.SourceFor(destination.Address));
        if (error != Errno.None) return error;
        _binding.SetSource(destination.Address);
        _remote = destination;
        _isConnected = true;
        _receiveShutdown = _sendShutdown = false;
        return 0;
    }

    internal override SyscallResult Send(PosixThread thread, ref IoBuffer buffer, ref OutgoingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return Errno.EOPNOTSUPP;
        if (buffer.Remaining > MaximumDatagram) return Errno.EMSGSIZE;
        if (PendingError != Errno.None) return TakeError();
        if (_sendShutdown) return BrokenPipe(thread, message.Flags);
        var destination = _remote;
        if (!message.Address.IsEmpty)
        {
            var bad = InetEndpoint.Parse(message.Address, Family, out destination);
            if (bad != Errno.None) return bad;
            if (destination.Port == 0) return Errno.EINVAL;
        }
        else if (!_isConnected)
        {
            return Errno.EDESTADDRREQ;
        }

        var error = _binding.Route(ref destination);
        if (error == Errno.None) error = _binding.BindAny(_binding.AnyAddress);
        if (error != Errno.None) return error;

        int length = (int)buffer.Remaining;
        if (Segment.TryCreate(thread.Kernel, length) is not { } segment) return Errno.ENOBUFS;
        if (buffer.CopyTo(segment.Data) < length)
        {
            thread.Kernel.Buffers.Release(segment.Cost);
            return Errno.EFAULT;
        }

        segment.End = length;
        var source = _binding.Local with { Address = _binding.SourceFor(destination.Address) };
        if (FindReceiver(destination, source) is not { } receiver)
        {
            // Nobody is there: ICMP would say so, to connected sockets only.
            thread.Kernel.Buffers.Release(segment.Cost);
            if (_isConnected && message.Address.IsEmpty)
            {
                PendingError = Errno.ECONNREFUSED;
                _queue.Wake();
            }

            return length;
        }

        if (PacketControls.AreWanted(receiver)) segment.Packet = PacketControls.Describe(this, destination.Address, message);
        receiver.Deliver(thread.Kernel, segment, source);
        return length;
    }

    internal override SyscallResult Receive(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_ERRQUEUE) != 0) return Errno.EAGAIN;
        if (PendingError != Errno.None) return TakeError();
        if (_received.First is { Packet: { } packet }) message.Controls = PacketControls.For(this, packet);
        if (_received.First is { } first) return ConnectionSocket.TakeDatagram(thread.Kernel, _received, first, ref buffer, ref message, passCredentials: false);
        if (_receiveShutdown) return 0;
        return Wait(thread, _queue, PollEvents.POLLIN | PollEvents.POLLRDHUP, MustNotWait(message.Flags), Settings.ReceiveTimeout);
    }

    internal override Errno Shutdown(PosixThread thread, ShutdownHow how)
    {
        if (!_isConnected) return Errno.ENOTCONN;
        _receiveShutdown |= how != ShutdownHow.SHUT_WR;
        _sendShutdown |= how != ShutdownHow.SHUT_RD;
        _queue.Wake();
        return Errno.None;
    }

    internal override byte[] GetLocalAddress() =>
        (_binding.IsBound ? _binding.Local : new InetEndpoint(_binding.AnyAddress, 0)).ToSockaddr(Family);

    internal override Errno GetPeerAddress(out byte[] address)
    {
        address = _remote.ToSockaddr(Family);
        return _isConnected ? Errno.None : Errno.ENOTCONN;
    }

    internal override Errno GetOption(PosixThread thread, SocketLevel level, int name, out byte[] value) =>
        level == SocketLevel.SOL_SOCKET ? base.GetOption(thread, level, name, out value) : InetOptions.Get(this, _binding, level, name, out value);

    internal override Errno SetOption(PosixThread thread, SocketLevel level, int name, ReadOnlySpan<byte> value) =>
        level == SocketLevel.SOL_SOCKET ? base.SetOption(thread, level, name, value) : InetOptions.Set(this, _binding, level, name, value);

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        var events = Readiness.Out;
        if (PendingError != Errno.None) events |= PollEvents.POLLERR;
        if (_received.Count > 0) events |= Readiness.In;
        if (_receiveShutdown) events |= PollEvents.POLLRDHUP | Readiness.In;
        if (_receiveShutdown && _sendShutdown) events |= PollEvents.POLLHUP;
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
        _binding.Release();
        _received.Clear(kernel);
        _queue.Wake();
    }

    /// <summary>The socket that a datagram is for: one that is connected to the sender before others, one bound to the very address before others, the latest bound first.</summary>
    private UdpSocket? FindReceiver(InetEndpoint destination, InetEndpoint source)
    {
        UdpSocket? best = null;
        int bestScore = -1;
        foreach (var binding in _binding.Table.At(destination.Port))
        {
            if (binding.Owner is not UdpSocket socket || !binding.Accepts(destination.Address)) continue;
            if (socket._isConnected && socket._remote != source) continue;
            int score = (socket._isConnected ? 2 : 0) + (binding.Local.Address == destination.Address ? 1 : 0);
            if (score <= bestScore) continue;
            best = socket;
            bestScore = score;
        }

        return best;
    }

    private void Deliver(Kernel kernel, Segment segment, InetEndpoint source)
    {
        if (_receiveShutdown || _received.Bytes + segment.Count > Settings.ReceiveBuffer || _received.Count * (long)Segment.Overhead > Settings.ReceiveBuffer)
        {
            kernel.Buffers.Release(segment.Cost);
            return;
        }

        segment.Source = source.ToSockaddr(Family);
        _received.Add(segment);
        _queue.Wake(Readiness.In);
    }
}
