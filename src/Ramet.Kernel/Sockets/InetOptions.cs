using System.Runtime.InteropServices;

namespace Ramet.Kernel.Sockets;

/// <summary>IPPROTO_*.</summary>
internal static class SocketProtocol
{
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_UDP = 17;
    public const int IPPROTO_UDPLITE = 136;
}

/// <summary>
/// Options of IP, IPv6, TCP and UDP (ip(7), ipv6(7), tcp(7), udp(7)). Over loopback most have nothing to do: they are checked for being
/// known, remembered, and given back.
/// </summary>
internal static class InetOptions
{
    private const int IPV6_V6ONLY = 26;
    private const int IPV6_MTU = 24;
    private const int IP_MTU = 14;
    private const int IP_ADD_MEMBERSHIP = 35;
    private const int IPV6_ADD_MEMBERSHIP = 20;
    private const int MCAST_JOIN_GROUP = 42;
    private const int TCP_MAXSEG = 2;
    private const int TCP_INFO = 11;
    private const int TCP_CONGESTION = 13;
    private const int LoopbackMtu = 65536;
    private const int TcpInfoSize = 232;

    // Known names and what they are before anybody sets them.
    private static readonly Dictionary<int, int> Ip = new()
    {
        [1] = 0, [2] = 64, [3] = 0, [4] = 0, [6] = 0, [7] = 0, [8] = 0, [10] = 1, [11] = 0, [12] = 0, [13] = 0, [15] = 0, [19] = 0, [20] = 0, [21] = 0, [22] = 0, [23] = 0,
        [24] = 0, [25] = 0, [32] = 0, [33] = 1, [34] = 1, [49] = 1, [50] = 0, [51] = 0,
    };

    private static readonly Dictionary<int, int> Ipv6 = new()
    {
        [1] = 0, [7] = 0, [8] = 0, [16] = -1, [17] = 0, [18] = 1, [19] = 1, [23] = 1, [25] = 0, [29] = 1, [33] = 0, [49] = 0, [50] = 0, [51] = 0, [52] = -1, [53] = 0, [54] = 0,
        [55] = 0, [56] = 0, [57] = 0, [58] = 0, [59] = 0, [62] = 0, [66] = 0, [67] = 0, [70] = 0, [72] = 0, [73] = 0, [74] = 0, [75] = 0, [76] = 0,
    };

    private static readonly Dictionary<int, int> Tcp = new()
    {
        [1] = 0, [3] = 0, [4] = 7200, [5] = 75, [6] = 9, [7] = 6, [8] = 60, [9] = 0, [10] = 0, [12] = 1, [16] = 0, [17] = 0, [18] = 0, [19] = 0, [23] = 0, [24] = 0, [25] = -1,
        [26] = 0, [30] = 0, [34] = 0, [36] = 0, [37] = 0,
    };

    private static readonly Dictionary<int, int> Udp = new() { [1] = 0, [100] = 0, [101] = 0, [102] = 0, [103] = 0, [104] = 0 };

    // UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV.
    private static readonly Dictionary<int, int> UdpLite = new() { [10] = 0, [11] = 0 };

    public static Errno Get(Socket socket, InetBinding binding, SocketLevel level, int name, out byte[] value)
    {
        value = [];
        switch (level, name)
        {
            case (SocketLevel.SOL_IPV6, IPV6_V6ONLY) when socket.Family == AddressFamily.AF_INET6:
                value = Bytes(binding.V6Only ? 1 : 0);
                return Errno.None;
            case (SocketLevel.SOL_IP, IP_MTU):
            case (SocketLevel.SOL_IPV6, IPV6_MTU):
                if (socket.GetPeerAddress(out _) != Errno.None) return Errno.ENOTCONN;
                value = Bytes(LoopbackMtu);
                return Errno.None;
            case (SocketLevel.SOL_TCP, TCP_MAXSEG) when socket is TcpSocket:
                value = Bytes(65483);
                return Errno.None;
            case (SocketLevel.SOL_TCP, TCP_CONGESTION) when socket is TcpSocket:
                value = [.. "cubic"u8, .. new byte[11]];
                return Errno.None;
            case (SocketLevel.SOL_TCP, TCP_INFO) when socket is TcpSocket tcp:
                value = new byte[TcpInfoSize];
                value[0] = StateOf(tcp);
                return Errno.None;
        }

        if (Known(socket, level) is not { } known || !known.TryGetValue(name, out int initial)) return Errno.ENOPROTOOPT;
        value = Bytes(socket.Settings.Inert.GetValueOrDefault(Key(level, name), initial));
        return Errno.None;
    }

    public static Errno Set(Socket socket, InetBinding binding, SocketLevel level, int name, ReadOnlySpan<byte> value)
    {
        switch (level, name)
        {
            case (SocketLevel.SOL_IP, IP_ADD_MEMBERSHIP or MCAST_JOIN_GROUP):
            case (SocketLevel.SOL_IPV6, IPV6_ADD_MEMBERSHIP or MCAST_JOIN_GROUP):
                return Errno.ENODEV;
            case (SocketLevel.SOL_TCP, TCP_CONGESTION) when socket is TcpSocket:
                return value.StartsWith("cubic"u8) || value.StartsWith("reno"u8) ? Errno.None : Errno.ENOENT;
            case (SocketLevel.SOL_TCP, TCP_MAXSEG) when socket is TcpSocket:
                return Errno.None;
        }

        // IP options may be single bytes.
        int number = 0;
        if (value.Length >= sizeof(int)) number = MemoryMarshal.Read<int>(value);
        else if (value.Length >= 1 && level == SocketLevel.SOL_IP) number = value[0];
        else return Errno.EINVAL;

        if ((level, name) == (SocketLevel.SOL_IPV6, IPV6_V6ONLY) && socket.Family == AddressFamily.AF_INET6)
        {
            if (binding.IsBound) return Errno.EINVAL;
            binding.V6Only = number != 0;
            return Errno.None;
        }

        if (level == SocketLevel.SOL_UDPLITE && number is > 0 and < 8) number = 8;
        if (Known(socket, level)?.ContainsKey(name) != true) return Errno.ENOPROTOOPT;
        socket.Settings.Inert[Key(level, name)] = number;
        return Errno.None;
    }

    private static Dictionary<int, int>? Known(Socket socket, SocketLevel level) => level switch
    {
        SocketLevel.SOL_IP => Ip,
        SocketLevel.SOL_IPV6 when socket.Family == AddressFamily.AF_INET6 => Ipv6,
        SocketLevel.SOL_TCP when socket is TcpSocket => Tcp,
        SocketLevel.SOL_UDP when socket is UdpSocket => Udp,
        SocketLevel.SOL_UDPLITE when socket is UdpSocket { Protocol: SocketProtocol.IPPROTO_UDPLITE } => UdpLite,
        _ => null,
    };

    private static long Key(SocketLevel level, int name) => (long)level << 32 | (uint)name;

    private static byte[] Bytes(int value) => BitConverter.GetBytes(value);

    /// <summary>tcpi_state: TCP_ESTABLISHED and so on (include/net/tcp_states.h).</summary>
    private static byte StateOf(TcpSocket socket)
    {
        const byte established = 1, synSent = 2, finWait2 = 5, close = 7, closeWait = 8, listen = 10;
        return socket.State switch
        {
            ConnectionState.Listening => listen,
            ConnectionState.Connecting => synSent,
            ConnectionState.Connected when socket is { ReceiveShutdown: true, SendShutdown: true } => close,
            ConnectionState.Connected when socket.ReceiveShutdown => closeWait,
            ConnectionState.Connected when socket.SendShutdown => finWait2,
            ConnectionState.Connected => established,
            _ => close,
        };
    }
}
