using System.Runtime.InteropServices;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>EFD_* of eventfd2(2).</summary>
[Flags]
public enum EventFdFlags
{
    None = 0,
    EFD_SEMAPHORE = 0x1,
    EFD_NONBLOCK = OpenFlags.O_NONBLOCK,
    EFD_CLOEXEC = OpenFlags.O_CLOEXEC,
}

/// <summary>A counter to wait for (eventfd(2)).</summary>
[Saved]
public sealed partial class EventFd : FileDescription
{
    /// <summary>The counter never reaches ULLONG_MAX.</summary>
    private const ulong Maximum = ulong.MaxValue - 1;

    private ulong _count;
    private bool _semaphore;
    private WaitQueue _queue = new();

    private EventFd()
    {
    }

    /// <summary>A counter with a first value.</summary>
    public EventFd(Kernel kernel, uint initial, EventFdFlags flags)
    {
        _count = initial;
        _semaphore = (flags & EventFdFlags.EFD_SEMAPHORE) != 0;
        Flags = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
        Inode = new AnonymousInode(kernel, "[eventfd]", InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <inheritdoc/>
    public override string AnonymousName => ((AnonymousInode)Inode).LinkName;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _queue;

    /// <inheritdoc/>
    public override PollEvents Poll() =>
        (_count > 0 ? Readiness.In : PollEvents.None) | (_count < Maximum ? Readiness.Out : PollEvents.None) | (_count == ulong.MaxValue ? PollEvents.POLLERR : PollEvents.None);

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining < sizeof(ulong)) return Errno.EINVAL;
        if (_count == 0) return NonBlocking ? Errno.EAGAIN : thread.BlockOn(_queue, PollEvents.POLLIN);

        // As on Linux, the count is taken even if it then cannot be stored.
        ulong value = _semaphore ? 1 : _count;
        _count -= value;
        _queue.Wake(Readiness.Out);
        return buffer.CopyFrom(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))) == sizeof(ulong) ? sizeof(ulong) : Errno.EFAULT;
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining < sizeof(ulong)) return Errno.EINVAL;
        ulong value = 0;
        if (buffer.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref value))) < sizeof(ulong)) return Errno.EFAULT;
        if (value == ulong.MaxValue) return Errno.EINVAL;
        if (value > Maximum - _count) return NonBlocking ? Errno.EAGAIN : thread.BlockOn(_queue, PollEvents.POLLOUT);
        _count += value;
        _queue.Wake(Readiness.In);
        return sizeof(ulong);
    }
}
