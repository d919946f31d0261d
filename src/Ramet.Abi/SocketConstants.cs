namespace Ramet.Abi;

/// <summary>AF_* (include/linux/socket.h).</summary>
public enum AddressFamily : ushort
{
    AF_UNSPEC = 0,
    AF_UNIX = 1,
    AF_INET = 2,
    AF_INET6 = 10,
    AF_NETLINK = 16,
    AF_PACKET = 17,
}

/// <summary>SOCK_* of socket(2); flags may be OR'd in.</summary>
[Flags]
public enum SocketType
{
    SOCK_STREAM = 1,
    SOCK_DGRAM = 2,
    SOCK_RAW = 3,
    SOCK_RDM = 4,
    SOCK_SEQPACKET = 5,
    SOCK_TYPE_MASK = 0xF,
    SOCK_NONBLOCK = 0x800,
    SOCK_CLOEXEC = 0x80000,
}

/// <summary>IPPROTO_* and the levels of setsockopt(2).</summary>
public enum SocketLevel
{
    SOL_IP = 0,
    SOL_SOCKET = 1,
    IPPROTO_ICMP = 1,
    SOL_TCP = 6,
    SOL_UDP = 17,
    SOL_IPV6 = 41,
    SOL_UDPLITE = 136,
    SOL_RAW = 255,
    SOL_NETLINK = 270,
}

/// <summary>MSG_* (include/linux/socket.h).</summary>
[Flags]
public enum MessageFlags : uint
{
    None = 0,
    MSG_OOB = 0x1,
    MSG_PEEK = 0x2,
    MSG_DONTROUTE = 0x4,
    MSG_CTRUNC = 0x8,
    MSG_TRUNC = 0x20,
    MSG_DONTWAIT = 0x40,
    MSG_EOR = 0x80,
    MSG_WAITALL = 0x100,
    MSG_CONFIRM = 0x800,
    MSG_ERRQUEUE = 0x2000,
    MSG_NOSIGNAL = 0x4000,
    MSG_MORE = 0x8000,
    MSG_WAITFORONE = 0x10000,
    MSG_CMSG_CLOEXEC = 0x40000000,
}

/// <summary>SHUT_* of shutdown(2).</summary>
public enum ShutdownHow
{
    SHUT_RD = 0,
    SHUT_WR = 1,
    SHUT_RDWR = 2,
}

/// <summary>SO_* of level SOL_SOCKET (include/uapi/asm-generic/socket.h).</summary>
public enum SocketOption
{
    SO_DEBUG = 1,
    SO_REUSEADDR = 2,
    SO_TYPE = 3,
    SO_ERROR = 4,
    SO_DONTROUTE = 5,
    SO_BROADCAST = 6,
    SO_SNDBUF = 7,
    SO_RCVBUF = 8,
    SO_KEEPALIVE = 9,
    SO_OOBINLINE = 10,
    SO_PRIORITY = 12,
    SO_LINGER = 13,
    SO_REUSEPORT = 15,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT = 19,
    SO_RCVTIMEO = 20,
    SO_SNDTIMEO = 21,
    SO_BINDTODEVICE = 25,
    SO_TIMESTAMP = 29,
    SO_ACCEPTCONN = 30,
    SO_PEERSEC = 31,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_MARK = 36,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_INCOMING_CPU = 49,
    SO_PEERGROUPS = 59,
    SO_PEERPIDFD = 77,
}

/// <summary>SCM_* of cmsg(3) at level SOL_SOCKET.</summary>
public enum ControlMessageType
{
    SCM_RIGHTS = 1,
    SCM_CREDENTIALS = 2,
}
