using Ramet.Kernel.Files;

namespace Ramet.Kernel.Sockets;

/// <summary>What a send carries beside its bytes.</summary>
internal ref struct OutgoingMessage
{
    public MessageFlags Flags;

    /// <summary>The destination as a sockaddr; empty: none given.</summary>
    public ReadOnlySpan<byte> Address;

    /// <summary>Descriptions to pass on (SCM_RIGHTS), each with a reference that the socket takes over when it sets this to null.</summary>
    public List<FileDescription>? Rights;

    /// <summary>Credentials that were given (SCM_CREDENTIALS) and checked; null: those of the sender.</summary>
    public UCred? Credentials;

    /// <summary>IPV6_HOPLIMIT or IP_TTL of this datagram alone.</summary>
    public int? HopLimit;

    /// <summary>IPV6_TCLASS or IP_TOS of this datagram alone.</summary>
    public int? TrafficClass;
}

/// <summary>What a receive asks for, and what comes with the bytes.</summary>
internal ref struct IncomingMessage
{
    public MessageFlags Flags;

    /// <summary>The sender as a sockaddr; null: none is stored.</summary>
    public byte[]? Address;

    /// <summary>MSG_TRUNC, MSG_CTRUNC, MSG_EOR ... for msg_flags.</summary>
    public MessageFlags ResultFlags;

    /// <summary>Descriptions that came along, each with a reference that the caller takes over.</summary>
    public List<FileDescription>? Rights;

    /// <summary>Credentials of the sender, for SO_PASSCRED.</summary>
    public UCred? Credentials;

    /// <summary>Further ancillary data.</summary>
    public List<ControlItem>? Controls;

    public readonly bool Peek => (Flags & MessageFlags.MSG_PEEK) != 0;
}
