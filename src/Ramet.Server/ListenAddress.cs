using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Ramet.Server.Configuration;

namespace Ramet.Server;

/// <summary>Where a server listens.</summary>
/// <param name="Address">The IP address; null: a Unix socket.</param>
/// <param name="Port">The port; 0: any that is free.</param>
/// <param name="SocketPath">The Unix socket; null: TCP.</param>
internal sealed record ListenAddress(IPAddress? Address, int Port, string? SocketPath)
{
    private const string UnixPrefix = "unix:";

    /// <summary>Whether only this machine can reach it.</summary>
    public bool IsLocal => Address is null || IPAddress.IsLoopback(Address);

    /// <summary>Reads HOST:PORT, :PORT, PORT, [IPv6]:PORT or unix:/PATH.</summary>
    /// <exception cref="ConfigurationException">It is none of them.</exception>
    public static ListenAddress Parse(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            string path = text[UnixPrefix.Length..];
            return path.StartsWith('/') && path.Length < 108 ? new ListenAddress(null, 0, path) : throw Wrong(text);
        }

        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon];
        if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > 65535) throw Wrong(text);
        var address = host switch
        {
            "" when colon < 0 => IPAddress.Loopback,
            "" or "*" => IPAddress.IPv6Any,
            "localhost" => IPAddress.Loopback,
            _ => IPAddress.TryParse(host, out var parsed) && (parsed.AddressFamily == AddressFamily.InterNetwork || host[0] == '[') ? parsed : throw Wrong(text),
        };
        return new ListenAddress(address, port, null);
    }

    /// <summary>Sets it on the web server.</summary>
    public void Apply(KestrelServerOptions options)
    {
        if (SocketPath is { } path) options.ListenUnixSocket(path);
        else options.Listen(Address!, Port);
    }

    /// <summary>Removes the socket that a killed server left: nobody listens on it.</summary>
    public void RemoveStaleSocket()
    {
        if (SocketPath is not { } path || !File.Exists(path)) return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
    }

    private static ConfigurationException Wrong(string text) =>
        new($"listen takes HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, or unix:/PATH, not '{text}'.");
}
