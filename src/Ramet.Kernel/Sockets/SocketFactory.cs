using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Sockets;

/// <summary>Which families, types and protocols there are (socket(2)).</summary>
internal static class SocketFactory
{
    /// <summary>EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM.</summary>
    public static Errno Create(PosixThread thread, int family, SocketType type, int protocol, out Socket? socket)
    {
        socket = null;
        switch ((AddressFamily)family)
        {
            case AddressFamily.AF_UNIX:
                if (protocol is not 0 and not (int)AddressFamily.AF_UNIX) return Errno.EPROTONOSUPPORT;
                socket = type switch
                {
                    SocketType.SOCK_STREAM or SocketType.SOCK_SEQPACKET => new UnixConnectionSocket(thread.Kernel, type, thread),
                    SocketType.SOCK_DGRAM or SocketType.SOCK_RAW => new UnixDatagramSocket(thread.Kernel, thread),
                    _ => null,
                };
                return socket is null ? Errno.ESOCKTNOSUPPORT : Errno.None;
            case AddressFamily.AF_INET or AddressFamily.AF_INET6:
                return CreateInet(thread, (AddressFamily)family, type, protocol, out socket);
            case AddressFamily.AF_NETLINK:
                if (type is not (SocketType.SOCK_RAW or SocketType.SOCK_DGRAM)) return Errno.ESOCKTNOSUPPORT;
                // NETLINK_ROUTE.
                if (protocol != 0) return Errno.EPROTONOSUPPORT;
                socket = new NetlinkSocket(thread.Kernel, type, protocol, thread);
                return Errno.None;
            default:
                return Errno.EAFNOSUPPORT;
        }
    }

    private static Errno CreateInet(PosixThread thread, AddressFamily family, SocketType type, int protocol, out Socket? socket)
    {
        socket = null;
        switch (type)
        {
            case SocketType.SOCK_STREAM:
                if (protocol is not 0 and not SocketProtocol.IPPROTO_TCP) return Errno.EPROTONOSUPPORT;
                socket = new TcpSocket(thread.Kernel, family, thread);
                return Errno.None;
            case SocketType.SOCK_DGRAM:
                if (protocol is not (0 or SocketProtocol.IPPROTO_UDP or SocketProtocol.IPPROTO_UDPLITE)) return Errno.EPROTONOSUPPORT;
                socket = new UdpSocket(thread.Kernel, family, protocol == 0 ? SocketProtocol.IPPROTO_UDP : protocol, thread);
                return Errno.None;
            case SocketType.SOCK_RAW:
                return Errno.EPERM;
            default:
                return Errno.ESOCKTNOSUPPORT;
        }
    }

    /// <summary>EOPNOTSUPP for what is not AF_UNIX.</summary>
    public static Errno CreatePair(PosixThread thread, int family, SocketType type, int protocol, out Socket? a, out Socket? b)
    {
        a = b = null;
        if (family != (int)AddressFamily.AF_UNIX)
        {
            var error = Create(thread, family, type, protocol, out var probe);
            probe?.Release(thread.Kernel);
            return error != Errno.None ? error : Errno.EOPNOTSUPP;
        }

        if (protocol is not 0 and not (int)AddressFamily.AF_UNIX) return Errno.EPROTONOSUPPORT;
        switch (type)
        {
            case SocketType.SOCK_STREAM or SocketType.SOCK_SEQPACKET:
                (a, b) = UnixConnectionSocket.CreatePair(thread, type);
                return Errno.None;
            case SocketType.SOCK_DGRAM or SocketType.SOCK_RAW:
                (a, b) = UnixDatagramSocket.CreatePair(thread);
                return Errno.None;
            default:
                return Errno.ESOCKTNOSUPPORT;
        }
    }
}
