using System.Runtime.InteropServices;

namespace Ramet.Host;

/// <summary>A counter that wakes readers. eventfd(2).</summary>
public sealed class EventFd : IDisposable
{
    private readonly FileDescriptor _fd;

    /// <summary>Makes a counter at 0.</summary>
    /// <param name="nonBlocking">Whether <see cref="TryTake"/> fails instead of waiting while the counter is 0.</param>
    public EventFd(bool nonBlocking = false)
    {
        var fd = Libc.EventFdCreate(0, Libc.EFD_CLOEXEC | (nonBlocking ? Libc.EFD_NONBLOCK : 0));
        _fd = fd >= 0 ? new FileDescriptor(fd) : throw HostException.FromErrno("eventfd");
    }

    /// <summary>The descriptor, for poll(2).</summary>
    public FileDescriptor Descriptor => _fd;

    /// <summary>Adds 1 and wakes readers.</summary>
    public void Signal()
    {
        var one = 1UL;
        _fd.TryWrite(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in one)));
    }

    /// <summary>Takes the whole count; false when it is 0 and the counter does not block.</summary>
    public bool TryTake(out ulong count)
    {
        count = 0;
        return _fd.TryRead(MemoryMarshal.AsBytes(new Span<ulong>(ref count))) == 8;
    }

    /// <inheritdoc/>
    public void Dispose() => _fd.Dispose();
}
