using Ramet.Kernel.Files;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>Bytes on their way to a socket: a datagram, or a piece of a stream (Linux: sk_buff).</summary>
[Saved]
internal sealed partial class Segment
{
    /// <summary>What a segment costs beside its bytes, for the budget.</summary>
    public const int Overhead = 256;

    private Segment()
    {
    }

    private Segment(int size) => Data = size == 0 ? [] : new byte[size];

    /// <summary>A segment with room for so many bytes; null: the sandbox's budget is spent.</summary>
    public static Segment? TryCreate(Kernel kernel, int size) => kernel.Buffers.TryCharge(size + Overhead) ? new Segment(size) : null;

    /// <summary>A small segment, budget or not.</summary>
    public static Segment CreateSmall(Kernel kernel, int size)
    {
        kernel.Buffers.Charge(size + Overhead);
        return new Segment(size);
    }

    public byte[] Data { get; private set; } = [];

    /// <summary>First byte that has not been read.</summary>
    public int Start { get; set; }

    /// <summary>End of the bytes.</summary>
    public int End { get; set; }

    public int Count => End - Start;

    public ReadOnlySpan<byte> Unread => Data.AsSpan(Start, Count);

    /// <summary>The sender, for SCM_CREDENTIALS.</summary>
    public UCred Credentials { get; set; }

    /// <summary>Descriptions in flight (SCM_RIGHTS), each with a reference.</summary>
    public List<FileDescription>? Rights { get; set; }

    /// <summary>The sender's address as a sockaddr; null where there is none.</summary>
    public byte[]? Source { get; set; }

    /// <summary>Header of a datagram, for receivers that asked for it.</summary>
    public PacketInfo? Packet { get; set; }

    public long Cost => Data.Length + Overhead;

    /// <summary>Drops what is in flight.</summary>
    public void ReleaseRights(Kernel kernel)
    {
        if (Rights is null) return;
        var rights = Rights;
        Rights = null;
        kernel.Sockets.Drop(kernel, rights);
    }
}
