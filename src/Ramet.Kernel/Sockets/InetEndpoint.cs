using System.Buffers.Binary;

namespace Ramet.Kernel.Sockets;

/// <summary>An IPv6 address, or an IPv4 address in its mapped form (::ffff:a.b.c.d), as two numbers.</summary>
internal readonly record struct InetAddress(ulong High, ulong Low)
{
    private const ulong MappedPrefix = 0xFFFF_0000_0000;

    /// <summary>::.</summary>
    public static InetAddress Any6 => default;

    /// <summary>0.0.0.0.</summary>
    public static InetAddress Any4 => FromV4(0);

    /// <summary>::1.</summary>
    public static InetAddress Loopback6 => new(0, 1);

    /// <summary>127.0.0.1.</summary>
    public static InetAddress Loopback4 => FromV4(0x7F000001);

    /// <summary>Whether this is IPv4 in its mapped form.</summary>
    public bool IsV4 => High == 0 && Low >> 32 == MappedPrefix >> 32;

    /// <summary>The IPv4 address as a number.</summary>
    public uint V4 => (uint)Low;

    /// <summary>0.0.0.0 or ::.</summary>
    public bool IsAny => this == Any4 || this == Any6;

    /// <summary>127.0.0.0/8 or ::1.</summary>
    public bool IsLoopback => IsV4 ? V4 >> 24 == 127 : this == Loopback6;

    public static InetAddress FromV4(uint address) => new(0, MappedPrefix | address);
}

/// <summary>Address and port, and how they stand in struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)).</summary>
internal readonly record struct InetEndpoint(InetAddress Address, ushort Port)
{
    private const int V4Size = 16;
    private const int V6Size = 28;
    private const int V6MinimumSize = 24;

    /// <summary>
    /// Reads a sockaddr for a socket of this family. EINVAL (too short), EAFNOSUPPORT (another family).
    /// </summary>
    public static Errno Parse(ReadOnlySpan<byte> sockaddr, AddressFamily family, out InetEndpoint endpoint)
    {
        endpoint = default;
        bool v6 = family == AddressFamily.AF_INET6;
        if (sockaddr.Length < (v6 ? V6MinimumSize : V4Size)) return Errno.EINVAL;
        if (SocketAddresses.FamilyOf(sockaddr) != family) return Errno.EAFNOSUPPORT;
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);
        var address = v6
            ? new InetAddress(BinaryPrimitives.ReadUInt64BigEndian(sockaddr[8..]), BinaryPrimitives.ReadUInt64BigEndian(sockaddr[16..]))
            : InetAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(sockaddr[4..]));
        endpoint = new InetEndpoint(address, port);
        return Errno.None;
    }

    /// <summary>The sockaddr as a socket of this family sees it.</summary>
    public byte[] ToSockaddr(AddressFamily family)
    {
        bool v6 = family == AddressFamily.AF_INET6;
        var bytes = new byte[v6 ? V6Size : V4Size];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)family);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), Port);
        if (v6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), Address.High);
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), Address.Low);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), Address.V4);
        }

        return bytes;
    }
}
