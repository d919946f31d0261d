using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>A socket of NETLINK_ROUTE (netlink(7), rtnetlink(7)): it answers questions about the one interface there is.</summary>
[Saved]
internal sealed partial class NetlinkSocket : Socket
{
    private const int AddressSize = 12;

    /// <summary>What a datagram costs beside its bytes, for the budget.</summary>
    private const int Overhead = 64;

    private Queue<byte[]> _received = new();
    private long _bytes;
    private uint _port;
    private uint _groups;

    private NetlinkSocket()
    {
    }

    public NetlinkSocket(Kernel kernel, SocketType type, int protocol, PosixThread creator) => Initialize(kernel, AddressFamily.AF_NETLINK, type, protocol, creator);

    /// <inheritdoc/>
    internal override Errno Bind(PosixThread thread, ReadOnlySpan<byte> address)
    {
        if (address.Length < AddressSize || SocketAddresses.FamilyOf(address) != AddressFamily.AF_NETLINK) return Errno.EINVAL;
        uint port = BitConverter.ToUInt32(address[4..]);
        _groups = BitConverter.ToUInt32(address[8..]);
        if (_port != 0) return port == _port || port == 0 ? Errno.None : Errno.EINVAL;
        var ports = thread.Kernel.Sockets.NetlinkPorts;
        if (port == 0) return AutoBind(thread.Kernel, thread.Process.Pid);
        if (!ports.Add(port)) return Errno.EADDRINUSE;
        _port = port;
        return Errno.None;
    }

    /// <inheritdoc/>
    internal override SyscallResult Connect(PosixThread thread, ReadOnlySpan<byte> address)
    {
        if (address.Length < AddressSize) return Errno.EINVAL;
        // The kernel is the only peer.
        if (SocketAddresses.FamilyOf(address) is not (AddressFamily.AF_NETLINK or AddressFamily.AF_UNSPEC)) return Errno.EINVAL;
        if (BitConverter.ToUInt32(address[4..]) != 0) return Errno.ECONNREFUSED;
        return _port == 0 ? AutoBind(thread.Kernel, thread.Process.Pid) : Errno.None;
    }

    /// <inheritdoc/>
    internal override SyscallResult Send(PosixThread thread, ref IoBuffer buffer, ref OutgoingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return Errno.EOPNOTSUPP;
        if (!message.Address.IsEmpty)
        {
            if (message.Address.Length < AddressSize || SocketAddresses.FamilyOf(message.Address) != AddressFamily.AF_NETLINK) return Errno.EINVAL;
            if (BitConverter.ToUInt32(message.Address[4..]) != 0) return Errno.ECONNREFUSED;
        }

        if (buffer.Remaining > Settings.SendBuffer - 32) return Errno.EMSGSIZE;
        if (_port == 0) AutoBind(thread.Kernel, thread.Process.Pid);
        byte[] request = new byte[buffer.Remaining];
        if (buffer.CopyTo(request) < request.Length) return Errno.EFAULT;
        foreach (byte[] answer in RouteAnswers.Answer(thread, request, _port)) Deliver(thread.Kernel, answer);
        return request.Length;
    }

    /// <inheritdoc/>
    internal override SyscallResult Receive(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return Errno.EOPNOTSUPP;
        if (PendingError != Errno.None) return TakeError();
        if (!_received.TryPeek(out byte[]? first)) return Wait(thread, _queue, PollEvents.POLLIN, MustNotWait(message.Flags), Settings.ReceiveTimeout);
        int count = buffer.CopyFrom(first);
        if (buffer.Faulted) return Errno.EFAULT;
        message.Address = new byte[AddressSize];
        message.Address[0] = (byte)AddressFamily.AF_NETLINK;
        if (Settings.PassCredentials) message.Credentials = default(UCred);
        if (!message.Peek)
        {
            _received.Dequeue();
            _bytes -= first.Length;
            thread.Kernel.Buffers.Release(first.Length + Overhead);
        }

        if (count == first.Length) return count;
        message.ResultFlags |= MessageFlags.MSG_TRUNC;
        return (message.Flags & MessageFlags.MSG_TRUNC) != 0 ? first.Length : count;
    }

    /// <inheritdoc/>
    internal override Errno Shutdown(PosixThread thread, ShutdownHow how) => Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    internal override byte[] GetLocalAddress()
    {
        byte[] address = new byte[AddressSize];
        address[0] = (byte)AddressFamily.AF_NETLINK;
        BitConverter.TryWriteBytes(address.AsSpan(4), _port);
        BitConverter.TryWriteBytes(address.AsSpan(8), _groups);
        return address;
    }

    /// <inheritdoc/>
    internal override Errno GetPeerAddress(out byte[] address)
    {
        address = new byte[AddressSize];
        address[0] = (byte)AddressFamily.AF_NETLINK;
        return Errno.None;
    }

    /// <inheritdoc/>
    internal override Errno GetOption(PosixThread thread, SocketLevel level, int name, out byte[] value)
    {
        if (level != SocketLevel.SOL_NETLINK) return base.GetOption(thread, level, name, out value);
        value = new byte[sizeof(int)];
        BitConverter.TryWriteBytes(value, Settings.Inert.GetValueOrDefault(((long)level << 32) | (uint)name));
        return Errno.None;
    }

    /// <inheritdoc/>
    internal override Errno SetOption(PosixThread thread, SocketLevel level, int name, ReadOnlySpan<byte> value)
    {
        if (level != SocketLevel.SOL_NETLINK) return base.SetOption(thread, level, name, value);
        // NETLINK_ADD_MEMBERSHIP to NETLINK_GET_STRICT_CHK: nothing changes here that groups would hear of.
        if (name is < 1 or > 12) return Errno.ENOPROTOOPT;
        if (value.Length < sizeof(int)) return Errno.EINVAL;
        Settings.Inert[((long)level << 32) | (uint)name] = MemoryMarshal.Read<int>(value);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override PollEvents Poll() => Readiness.Out | (_received.Count > 0 ? Readiness.In : PollEvents.None) | (PendingError != Errno.None ? PollEvents.POLLERR : PollEvents.None);

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        if (_port != 0) kernel.Sockets.NetlinkPorts.Remove(_port);
        kernel.Buffers.Release(_bytes + (_received.Count * (long)Overhead));
        _bytes = 0;
        _received.Clear();
    }

    /// <summary>Queues a datagram of the kernel. When there is no room, here or in the sandbox's budget, the next receive says ENOBUFS (netlink(7)).</summary>
    internal void Deliver(Kernel kernel, byte[] datagram)
    {
        if (_bytes + datagram.Length > Settings.ReceiveBuffer || !kernel.Buffers.TryCharge(datagram.Length + Overhead))
        {
            PendingError = Errno.ENOBUFS;
            return;
        }

        _received.Enqueue(datagram);
        _bytes += datagram.Length;
        _queue.Wake(Readiness.In);
    }

    private Errno AutoBind(Kernel kernel, int pid)
    {
        var ports = kernel.Sockets.NetlinkPorts;
        uint port = (uint)pid;
        while (!ports.Add(port)) port = port == (uint)pid ? uint.MaxValue - 4096 : port - 1;
        _port = port;
        return Errno.None;
    }
}
