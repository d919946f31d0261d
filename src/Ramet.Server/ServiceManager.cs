using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Ramet.Server.Logging;

namespace Ramet.Server;

/// <summary>Tells systemd how the service is (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names. Without one, nothing happens.</summary>
internal static class ServiceManager
{
    /// <summary>Says it; a failure is logged.</summary>
    public static void Notify(string state, ILogger logger)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 0 } path) return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            // '@' is how an abstract name is written.
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            logger.NotifyFailed(state, e.Message);
        }
    }
}
