using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>The local end of a TCP or UDP socket, and its place in the table of ports.</summary>
[Saved]
internal sealed partial class InetBinding
{
    private InetBinding()
    {
    }

    public InetBinding(Socket owner, PortTable table) => (Owner, Table) = (owner, table);

    public Socket Owner { get; private set; } = null!;

    public PortTable Table { get; private set; } = null!;

    /// <summary>Address and port; meaningful while <see cref="IsBound"/>.</summary>
    public InetEndpoint Local { get; internal set; }

    public bool IsBound { get; internal set; }

    /// <summary>An earlier binding of the same port.</summary>
    internal InetBinding? Next { get; set; }

    /// <summary>A later one.</summary>
    internal InetBinding? Previous { get; set; }

    /// <summary>IPV6_V6ONLY.</summary>
    public bool V6Only { get; set; }

    private bool IsV6 => Owner.Family == AddressFamily.AF_INET6;

    /// <summary>The address that getsockname shows for a socket without one.</summary>
    public InetAddress AnyAddress => IsV6 ? InetAddress.Any6 : InetAddress.Any4;

    /// <summary>Whether what is sent to this address arrives here.</summary>
    public bool Accepts(InetAddress destination)
    {
        if (Local.Address == destination) return true;
        if (Local.Address == InetAddress.Any4) return destination.IsV4;
        return Local.Address == InetAddress.Any6 && (!destination.IsV4 || !V6Only);
    }

    /// <summary>Whether there are addresses that both would get.</summary>
    public bool Overlaps(InetBinding other) => Accepts(other.Local.Address) || other.Accepts(Local.Address)
        || (Local.Address.IsAny && other.Local.Address.IsAny && Local.Address == other.Local.Address);

    /// <summary>bind(2). EINVAL, EADDRNOTAVAIL, EACCES, EADDRINUSE.</summary>
    public Errno Bind(PosixThread thread, ReadOnlySpan<byte> sockaddr)
    {
        var error = InetEndpoint.Parse(sockaddr, Owner.Family, out var endpoint);
        if (error != Errno.None) return error;
        if (IsBound) return Errno.EINVAL;
        if (!endpoint.Address.IsAny && !endpoint.Address.IsLoopback) return Errno.EADDRNOTAVAIL;
        if (endpoint.Address.IsV4 && IsV6 && V6Only) return Errno.EINVAL;
        if (endpoint.Port is > 0 and < PortTable.FirstUnprivileged && !thread.Credentials.HasCapability(Capability.CAP_NET_BIND_SERVICE)) return Errno.EACCES;
        return Table.Bind(this, endpoint);
    }

    /// <summary>Gives a socket that sends or listens without having been bound a port of its own. EADDRINUSE: all are taken.</summary>
    public Errno BindAny(InetAddress address) => IsBound ? Errno.None : Table.Bind(this, new InetEndpoint(address, 0));

    /// <summary>Once it is connected, a socket that was bound to no address in particular has the one that it sends from.</summary>
    public void SetSource(InetAddress destination)
    {
        if (Local.Address.IsAny) Local = Local with { Address = SourceFor(destination) };
    }

    /// <summary>The address from which something is sent there.</summary>
    public InetAddress SourceFor(InetAddress destination)
    {
        if (IsBound && !Local.Address.IsAny) return Local.Address;
        return destination.IsV4 ? InetAddress.Loopback4 : InetAddress.Loopback6;
    }

    /// <summary>
    /// Where a packet to this address goes: the seam to networks outside. There is loopback only, so anything else is ENETUNREACH. No address in
    /// particular means this host, as on Linux.
    /// </summary>
    public Errno Route(ref InetEndpoint destination)
    {
        if (destination.Address.IsAny) destination = destination with { Address = destination.Address.IsV4 ? InetAddress.Loopback4 : InetAddress.Loopback6 };
        if (destination.Address.IsV4 && IsV6 && V6Only) return Errno.ENETUNREACH;
        if (destination.Address is { IsV4: true, V4: uint.MaxValue } && !Owner.Settings.Broadcast) return Errno.EACCES;
        return destination.Address.IsLoopback ? Errno.None : Errno.ENETUNREACH;
    }

    /// <summary>The port is free again.</summary>
    public void Release() => Table.Release(this);
}
