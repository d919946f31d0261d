using System.Runtime.InteropServices;
using System.Text;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Sockets;

/// <summary>What rtnetlink(7) says: one interface, lo, with 127.0.0.1 and ::1.</summary>
internal static class RouteAnswers
{
    /// <summary>Index of lo.</summary>
    public const int LoopbackIndex = 1;

    /// <summary>MTU of lo.</summary>
    public const int LoopbackMtu = 65536;

    /// <summary>IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_LOWER_UP.</summary>
    public const uint LoopbackFlags = 0x1 | 0x8 | 0x40 | 0x10000;

    private const int HeaderSize = 16;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLMSG_DONE = 3;
    private const ushort RTM_NEWLINK = 16;
    private const ushort RTM_GETLINK = 18;
    private const ushort RTM_SETLINK = 19;
    private const ushort RTM_NEWADDR = 20;
    private const ushort RTM_GETADDR = 22;
    private const ushort RTM_NEWROUTE = 24;
    private const ushort RTM_GETROUTE = 26;
    private const ushort NLM_F_REQUEST = 1;
    private const ushort NLM_F_MULTI = 2;
    private const ushort NLM_F_ACK = 4;
    private const ushort NLM_F_DUMP = 0x300;
    private const ushort IFLA_IFNAME = 3;
    private const byte HostScope = 254;

    /// <summary>The datagrams that answer those in a request.</summary>
    public static List<byte[]> Answer(PosixThread thread, ReadOnlySpan<byte> request, uint port)
    {
        List<byte[]> answers = [];
        while (request.Length >= HeaderSize)
        {
            uint length = BitConverter.ToUInt32(request);
            if (length < HeaderSize || length > request.Length) break;
            One(thread, request[..(int)length], port, answers);
            int aligned = ((int)length + 3) & ~3;
            request = aligned >= request.Length ? [] : request[aligned..];
        }

        return answers;
    }

    private static void One(PosixThread thread, ReadOnlySpan<byte> message, uint port, List<byte[]> answers)
    {
        ushort type = BitConverter.ToUInt16(message[4..]);
        ushort flags = BitConverter.ToUInt16(message[6..]);
        uint sequence = BitConverter.ToUInt32(message[8..]);
        if ((flags & NLM_F_REQUEST) == 0 || type < 16) return;
        var payload = message[HeaderSize..];
        byte family = payload.Length > 0 ? payload[0] : (byte)0;
        bool isGet = (type & 3) == 2;
        bool dump = isGet && (flags & NLM_F_DUMP) == NLM_F_DUMP;
        if (!dump)
        {
            var error = isGet ? GetOne(type, payload, sequence, port, answers) : Change(thread, type, payload);
            if (error != Errno.None || (flags & NLM_F_ACK) != 0 || !isGet) AddError(message, error, port, answers, always: error != Errno.None || (flags & NLM_F_ACK) != 0);
            return;
        }

        var writer = new MessageWriter(sequence, port, NLM_F_MULTI);
        switch (type)
        {
            case RTM_GETLINK:
                WriteLink(writer);
                break;
            case RTM_GETADDR:
                if (family is 0 or (byte)AddressFamily.AF_INET) WriteAddress(writer, [127, 0, 0, 1], 8);
                if (family is 0 or (byte)AddressFamily.AF_INET6) WriteAddress(writer, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128);
                break;
            case RTM_GETROUTE:
                if (family is 0 or (byte)AddressFamily.AF_INET) WriteRoute(writer, [127, 0, 0, 0], 8);
                if (family is 0 or (byte)AddressFamily.AF_INET6) WriteRoute(writer, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128);
                break;
        }

        // Other tables (neighbours, rules, queueing) are empty.
        if (writer.Length > 0) answers.Add(writer.ToArray());
        var done = new MessageWriter(sequence, port, NLM_F_MULTI);
        done.Begin(NLMSG_DONE);
        done.Add(0);
        done.End();
        answers.Add(done.ToArray());
    }

    private static Errno GetOne(ushort type, ReadOnlySpan<byte> payload, uint sequence, uint port, List<byte[]> answers)
    {
        var writer = new MessageWriter(sequence, port, 0);
        switch (type)
        {
            case RTM_GETLINK when payload.Length >= 16:
                int index = BitConverter.ToInt32(payload[4..]);
                if (index != LoopbackIndex && !(index == 0 && NameOf(payload[16..]) == "lo")) return Errno.ENODEV;
                WriteLink(writer);
                break;
            case RTM_GETROUTE when payload.Length >= 12:
                bool v4 = payload[0] == (byte)AddressFamily.AF_INET;
                if (Attribute(payload[12..], 1) is not { } target || (v4 ? target.Length < 4 || target[0] != 127 : target.Length < 16 || target[15] != 1 || target.AsSpan(0, 15).ContainsAnyExcept((byte)0))) return Errno.ENETUNREACH;
                WriteRoute(writer, v4 ? target[..4] : target[..16], v4 ? (byte)32 : (byte)128);
                break;
            default:
                return Errno.EOPNOTSUPP;
        }

        answers.Add(writer.ToArray());
        return Errno.None;
    }

    /// <summary>Nothing can be changed; to switch lo on, which it is, succeeds.</summary>
    private static Errno Change(PosixThread thread, ushort type, ReadOnlySpan<byte> payload)
    {
        if (!thread.Credentials.HasCapability(Capability.CAP_NET_ADMIN)) return Errno.EPERM;
        bool isUp = type is RTM_NEWLINK or RTM_SETLINK && payload.Length >= 16 && (BitConverter.ToUInt32(payload[8..]) & 1) != 0
            && (BitConverter.ToInt32(payload[4..]) == LoopbackIndex || NameOf(payload[16..]) == "lo");
        return isUp ? Errno.None : Errno.EOPNOTSUPP;
    }

    private static string NameOf(ReadOnlySpan<byte> attributes) =>
        Attribute(attributes, IFLA_IFNAME) is { } bytes ? Encoding.Latin1.GetString(bytes).TrimEnd('\0') : "";

    private static byte[]? Attribute(ReadOnlySpan<byte> attributes, ushort type)
    {
        while (attributes.Length >= 4)
        {
            int length = BitConverter.ToUInt16(attributes);
            if (length < 4 || length > attributes.Length) return null;
            if ((BitConverter.ToUInt16(attributes[2..]) & 0x3FFF) == type) return attributes[4..length].ToArray();
            int aligned = (length + 3) & ~3;
            attributes = aligned >= attributes.Length ? [] : attributes[aligned..];
        }

        return null;
    }

    private static void AddError(ReadOnlySpan<byte> message, Errno error, uint port, List<byte[]> answers, bool always)
    {
        if (!always) return;
        var writer = new MessageWriter(BitConverter.ToUInt32(message[8..]), port, 0);
        writer.Begin(NLMSG_ERROR);
        writer.Add(-(int)error);
        // The request comes back: all of it with an error, only its header with an acknowledgement.
        writer.Add(error == Errno.None ? message[..HeaderSize] : message);
        writer.End();
        answers.Add(writer.ToArray());
    }

    private static void WriteLink(MessageWriter writer)
    {
        writer.Begin(RTM_NEWLINK);
        // struct ifinfomsg: family, pad, type ARPHRD_LOOPBACK, index, flags, change.
        writer.Add((short)0);
        writer.Add((short)772);
        writer.Add(LoopbackIndex);
        writer.Add((int)LoopbackFlags);
        writer.Add(0);
        writer.Attribute(IFLA_IFNAME, "lo\0"u8);
        writer.Attribute(13, 1000); // IFLA_TXQLEN
        writer.Attribute(16, [0]); // IFLA_OPERSTATE: unknown
        writer.Attribute(17, [0]); // IFLA_LINKMODE
        writer.Attribute(4, LoopbackMtu); // IFLA_MTU
        writer.Attribute(27, 0); // IFLA_GROUP
        writer.Attribute(30, 0); // IFLA_PROMISCUITY
        writer.Attribute(31, 1); // IFLA_NUM_TX_QUEUES
        writer.Attribute(32, 1); // IFLA_NUM_RX_QUEUES
        writer.Attribute(33, [1]); // IFLA_CARRIER
        writer.Attribute(6, "noqueue\0"u8); // IFLA_QDISC
        writer.Attribute(1, new byte[6]); // IFLA_ADDRESS
        writer.Attribute(2, new byte[6]); // IFLA_BROADCAST
        writer.Attribute(7, new byte[96]); // IFLA_STATS
        writer.Attribute(23, new byte[200]); // IFLA_STATS64
        writer.End();
    }

    private static void WriteAddress(MessageWriter writer, ReadOnlySpan<byte> address, byte prefix)
    {
        bool v4 = address.Length == 4;
        writer.Begin(RTM_NEWADDR);
        // struct ifaddrmsg: family, prefix length, flags IFA_F_PERMANENT, scope, index.
        writer.Add([(byte)(v4 ? AddressFamily.AF_INET : AddressFamily.AF_INET6), prefix, 0x80, HostScope]);
        writer.Add(LoopbackIndex);
        writer.Attribute(1, address); // IFA_ADDRESS
        if (v4) writer.Attribute(2, address); // IFA_LOCAL
        if (v4) writer.Attribute(3, "lo\0"u8); // IFA_LABEL
        writer.Attribute(8, 0x80); // IFA_FLAGS
        byte[] cache = new byte[16];
        cache.AsSpan(0, 8).Fill(0xFF);
        writer.Attribute(6, cache); // IFA_CACHEINFO: for ever
        writer.End();
    }

    private static void WriteRoute(MessageWriter writer, ReadOnlySpan<byte> target, byte prefix)
    {
        bool v4 = target.Length == 4;
        writer.Begin(RTM_NEWROUTE);
        // struct rtmsg: family, dst_len, src_len, tos, table RT_TABLE_LOCAL, protocol RTPROT_KERNEL, scope, type RTN_LOCAL, flags.
        writer.Add([(byte)(v4 ? AddressFamily.AF_INET : AddressFamily.AF_INET6), prefix, 0, 0, 255, 2, v4 ? HostScope : (byte)0, 2]);
        writer.Add(0);
        writer.Attribute(15, 255); // RTA_TABLE
        writer.Attribute(1, target); // RTA_DST
        if (v4) writer.Attribute(7, [127, 0, 0, 1]); // RTA_PREFSRC
        writer.Attribute(4, LoopbackIndex); // RTA_OIF
        writer.End();
    }

    /// <summary>Writes netlink messages with attributes.</summary>
    private sealed class MessageWriter(uint sequence, uint port, ushort flags)
    {
        private readonly List<byte> _bytes = [];
        private int _start;

        public int Length => _bytes.Count;

        public byte[] ToArray() => [.. _bytes];

        public void Begin(ushort type)
        {
            _start = _bytes.Count;
            Add(0);
            Add((short)type);
            Add((short)flags);
            Add((int)sequence);
            Add((int)port);
        }

        public void End()
        {
            BitConverter.TryWriteBytes(CollectionsMarshal.AsSpan(_bytes)[_start..], _bytes.Count - _start);
            Align();
        }

        public void Add(int value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BitConverter.TryWriteBytes(bytes, value);
            Add(bytes);
        }

        public void Add(short value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(short)];
            BitConverter.TryWriteBytes(bytes, value);
            Add(bytes);
        }

        public void Add(ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);

        public void Attribute(ushort type, int value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BitConverter.TryWriteBytes(bytes, value);
            Attribute(type, bytes);
        }

        public void Attribute(ushort type, ReadOnlySpan<byte> value)
        {
            Add((short)(4 + value.Length));
            Add((short)type);
            Add(value);
            Align();
        }

        private void Align()
        {
            while ((_bytes.Count & 3) != 0) _bytes.Add(0);
        }
    }
}
