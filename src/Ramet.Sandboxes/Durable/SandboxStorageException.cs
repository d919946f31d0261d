using Ramet.Host;

namespace Ramet.Sandboxes.Durable;

/// <summary>What is kept of sandboxes cannot be written. The message is for those who use the server, and names none of its paths; the cause is for its log.</summary>
/// <param name="cause">What has failed.</param>
public sealed class SandboxStorageException(Exception cause) : SandboxException(
    IsFullDisk(cause) ? "The server's disk is full, so it cannot be kept. Delete snapshots or paused sandboxes, or have the server given more space." : "The server cannot write to its disk; its log says more.")
{
    private const int ENoSpc = 28, EDQuot = 122;

    /// <summary>What has failed.</summary>
    public Exception Cause { get; } = cause;

    /// <summary>Whether the disk is full, or the server has on it what it may.</summary>
    public bool IsFull { get; } = IsFullDisk(cause);

    private static bool IsFullDisk(Exception cause) => cause is HostException { Errno: ENoSpc or EDQuot } or IOException { HResult: ENoSpc or EDQuot };
}
