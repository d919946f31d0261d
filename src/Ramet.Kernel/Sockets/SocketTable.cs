using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>What the sockets of one sandbox share: names and ports.</summary>
[Saved]
public sealed partial class SocketTable
{
    /// <summary>Unix sockets by abstract name (the bytes after the leading NUL, as Latin-1 characters).</summary>
    internal Dictionary<string, Socket> AbstractNames { get; private set; } = [];

    /// <summary>Number for the next autobind (unix(7)).</summary>
    internal uint NextAutobind { get; set; }

    /// <summary>TCP ports.</summary>
    internal PortTable Tcp { get; private set; } = new();

    /// <summary>UDP ports.</summary>
    internal PortTable Udp { get; private set; } = new();

    /// <summary>UDP-Lite ports.</summary>
    internal PortTable UdpLite { get; private set; } = new();

    /// <summary>Port ids of netlink sockets.</summary>
    internal HashSet<uint> NetlinkPorts { get; private set; } = [];
}
