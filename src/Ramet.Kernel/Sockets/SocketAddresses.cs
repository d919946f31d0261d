namespace Ramet.Kernel.Sockets;

/// <summary>Small things about addresses and backlogs.</summary>
internal static class SocketAddresses
{
    /// <summary>net.core.somaxconn.</summary>
    public const int MaximumBacklog = 4096;

    /// <summary>A negative backlog means the most (the comparison is unsigned on Linux).</summary>
    public static int ClampBacklog(int backlog) => (int)Math.Min((uint)backlog, MaximumBacklog);

    /// <summary>The family of a sockaddr.</summary>
    public static AddressFamily FamilyOf(ReadOnlySpan<byte> address) => address.Length < 2 ? AddressFamily.AF_UNSPEC : (AddressFamily)BitConverter.ToUInt16(address);
}
