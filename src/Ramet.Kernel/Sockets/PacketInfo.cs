using System.Buffers.Binary;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>What the header of a datagram would say: where it was sent to, and how (RFC 3542, ip(7)).</summary>
[Saved]
internal sealed partial class PacketInfo
{
    private PacketInfo()
    {
    }

    public PacketInfo(InetAddress destination, int hopLimit, int trafficClass)
    {
        Destination = destination;
        HopLimit = hopLimit;
        TrafficClass = trafficClass;
    }

    public InetAddress Destination { get; private set; }

    /// <summary>TTL of IPv4.</summary>
    public int HopLimit { get; private set; }

    /// <summary>TOS of IPv4.</summary>
    public int TrafficClass { get; private set; }
}

/// <summary>Ancillary data of datagrams: options that ask for it, and its form.</summary>
internal static class PacketControls
{
    private const int IP_TOS = 1;
    private const int IP_TTL = 2;
    private const int IP_PKTINFO = 8;
    private const int IP_RECVTTL = 12;
    private const int IP_RECVTOS = 13;
    private const int IPV6_UNICAST_HOPS = 16;
    private const int IPV6_RECVPKTINFO = 49;
    private const int IPV6_PKTINFO = 50;
    private const int IPV6_RECVHOPLIMIT = 51;
    private const int IPV6_HOPLIMIT = 52;
    private const int IPV6_RECVTCLASS = 66;
    private const int IPV6_TCLASS = 67;
    private const int DefaultHopLimit = 64;

    /// <summary>The header of a datagram that a socket sends with these ancillary data.</summary>
    public static PacketInfo Describe(Socket sender, InetAddress destination, in OutgoingMessage message)
    {
        bool v4 = destination.IsV4;
        int hops = message.HopLimit ?? (v4 ? sender.GetInert(SocketLevel.SOL_IP, IP_TTL) : sender.GetInert(SocketLevel.SOL_IPV6, IPV6_UNICAST_HOPS));
        int kind = message.TrafficClass ?? (v4 ? sender.GetInert(SocketLevel.SOL_IP, IP_TOS) : sender.GetInert(SocketLevel.SOL_IPV6, IPV6_TCLASS));
        return new PacketInfo(destination, hops > 0 ? hops : DefaultHopLimit, Math.Max(kind, 0));
    }

    /// <summary>Whether a receiver has asked for any of it.</summary>
    public static bool AreWanted(Socket receiver) =>
        receiver.Settings.Inert.Count > 0
        && (Asks(receiver, SocketLevel.SOL_IP, IP_PKTINFO) || Asks(receiver, SocketLevel.SOL_IP, IP_RECVTTL) || Asks(receiver, SocketLevel.SOL_IP, IP_RECVTOS)
            || Asks(receiver, SocketLevel.SOL_IPV6, IPV6_RECVPKTINFO) || Asks(receiver, SocketLevel.SOL_IPV6, IPV6_RECVHOPLIMIT) || Asks(receiver, SocketLevel.SOL_IPV6, IPV6_RECVTCLASS));

    /// <summary>What a receiver gets with a datagram, in Linux's order.</summary>
    public static List<ControlItem> For(Socket receiver, PacketInfo packet)
    {
        var items = new List<ControlItem>();
        bool v4 = packet.Destination.IsV4;
        if (Asks(receiver, SocketLevel.SOL_IPV6, IPV6_RECVPKTINFO)) items.Add(new ControlItem(SocketLevel.SOL_IPV6, IPV6_PKTINFO, [.. Address6(packet.Destination), .. Int(RouteAnswers.LoopbackIndex)]));
        if (!v4)
        {
            if (Asks(receiver, SocketLevel.SOL_IPV6, IPV6_RECVHOPLIMIT)) items.Add(new ControlItem(SocketLevel.SOL_IPV6, IPV6_HOPLIMIT, Int(packet.HopLimit)));
            if (Asks(receiver, SocketLevel.SOL_IPV6, IPV6_RECVTCLASS)) items.Add(new ControlItem(SocketLevel.SOL_IPV6, IPV6_TCLASS, Int(packet.TrafficClass)));
            return items;
        }

        if (Asks(receiver, SocketLevel.SOL_IP, IP_PKTINFO))
        {
            byte[] address = new byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(address, packet.Destination.V4);
            items.Add(new ControlItem(SocketLevel.SOL_IP, IP_PKTINFO, [.. Int(RouteAnswers.LoopbackIndex), .. address, .. address]));
        }

        if (Asks(receiver, SocketLevel.SOL_IP, IP_RECVTTL)) items.Add(new ControlItem(SocketLevel.SOL_IP, IP_TTL, Int(packet.HopLimit)));
        if (Asks(receiver, SocketLevel.SOL_IP, IP_RECVTOS)) items.Add(new ControlItem(SocketLevel.SOL_IP, IP_TOS, [(byte)packet.TrafficClass]));
        return items;
    }

    /// <summary>Ancillary data of a send at the levels of IP and IPv6. EINVAL.</summary>
    public static Errno Parse(SocketLevel level, int type, ReadOnlySpan<byte> data, ref OutgoingMessage message)
    {
        const int PacketInfo4 = 12, PacketInfo6 = 20;
        switch (level, type)
        {
            // Where it comes from: the address that it has anyway.
            case (SocketLevel.SOL_IP, IP_PKTINFO):
                return data.Length == PacketInfo4 ? Errno.None : Errno.EINVAL;
            case (SocketLevel.SOL_IPV6, IPV6_PKTINFO):
                return data.Length >= PacketInfo6 ? Errno.None : Errno.EINVAL;
            case (SocketLevel.SOL_IP, IP_TOS) when data.Length == 1:
                message.TrafficClass = data[0];
                return Errno.None;
        }

        if (data.Length != sizeof(int)) return Errno.EINVAL;
        int value = BinaryPrimitives.ReadInt32LittleEndian(data);
        switch (level, type)
        {
            case (SocketLevel.SOL_IP, IP_TTL):
                if (value is < 1 or > 255) return Errno.EINVAL;
                message.HopLimit = value;
                return Errno.None;
            case (SocketLevel.SOL_IPV6, IPV6_HOPLIMIT):
                if (value is < -1 or > 255) return Errno.EINVAL;
                message.HopLimit = value < 0 ? null : value;
                return Errno.None;
            case (SocketLevel.SOL_IP, IP_TOS):
            case (SocketLevel.SOL_IPV6, IPV6_TCLASS):
                if (value is < -1 or > 255) return Errno.EINVAL;
                message.TrafficClass = Math.Max(value, 0);
                return Errno.None;
            default:
                return Errno.EINVAL;
        }
    }

    private static bool Asks(Socket receiver, SocketLevel level, int name) => receiver.GetInert(level, name) != 0;

    private static byte[] Int(int value) => BitConverter.GetBytes(value);

    private static byte[] Address6(InetAddress address)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, address.High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), address.Low);
        return bytes;
    }
}

/// <summary>A piece of ancillary data on its way to a receiver.</summary>
internal sealed record ControlItem(SocketLevel Level, int Type, byte[] Data);
