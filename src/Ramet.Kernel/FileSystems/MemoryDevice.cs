using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems;

/// <summary>The devices of major 1 (null(4), zero(4), full(4), random(4)).</summary>
internal enum MemoryDeviceKind
{
    Null,
    Zero,
    Full,
    Random,
}

/// <summary>A driver of one of them.</summary>
[Saved]
internal sealed partial class MemoryDevice : CharacterDevice
{
    private MemoryDeviceKind _kind;

    private MemoryDevice()
    {
    }

    public MemoryDevice(MemoryDeviceKind kind) => _kind = kind;

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, Inode inode, OpenFlags flags, out FileDescription? description)
    {
        description = new MemoryDeviceDescription(thread.Kernel, inode, flags, _kind);
        return 0;
    }
}

/// <summary>One of them, open.</summary>
[Saved]
internal sealed partial class MemoryDeviceDescription : FileDescription
{
    private const int Chunk = 4096;

    /// <summary>A read of random bytes gives at most 32 MB (random(4)): nobody else is served meanwhile.</summary>
    private const int MaximumRandom = (32 << 20) - 1;

    private Kernel _kernel = null!;
    private MemoryDeviceKind _kind;

    private MemoryDeviceDescription()
    {
    }

    public MemoryDeviceDescription(Kernel kernel, Inode inode, OpenFlags flags, MemoryDeviceKind kind)
    {
        _kernel = kernel;
        Inode = inode;
        Flags = flags;
        _kind = kind;
    }

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer) => ReadAt(thread, ref buffer, 0);

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer) => WriteAt(thread, ref buffer, 0);

    /// <inheritdoc/>
    public override SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset)
    {
        if (_kind == MemoryDeviceKind.Null) return 0;
        if (_kind != MemoryDeviceKind.Random)
        {
            long zeros = buffer.Zero(buffer.Remaining);
            return zeros == 0 && buffer.Faulted ? Errno.EFAULT : zeros;
        }

        Span<byte> chunk = stackalloc byte[(int)Math.Min(Chunk, buffer.Remaining)];
        while (buffer.Remaining > 0 && buffer.Consumed < MaximumRandom && !buffer.Faulted)
        {
            var piece = chunk[..(int)Math.Min(Math.Min(chunk.Length, buffer.Remaining), MaximumRandom - buffer.Consumed)];
            _kernel.Random.Fill(piece);
            buffer.CopyFrom(piece);
        }

        return buffer.Consumed == 0 && buffer.Faulted ? Errno.EFAULT : buffer.Consumed;
    }

    /// <inheritdoc/>
    public override SyscallResult WriteAt(PosixThread thread, ref IoBuffer buffer, long offset) =>
        _kind == MemoryDeviceKind.Full ? Errno.ENOSPC : buffer.Remaining;

    /// <inheritdoc/>
    public override SyscallResult Seek(PosixThread thread, long offset, int whence) => 0;

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument)
    {
        const uint RNDGETENTCNT = 0x80045200;
        if (_kind != MemoryDeviceKind.Random || request != RNDGETENTCNT) return Errno.ENOTTY;
        return thread.Memory.User.TryWrite(new UserAddress(argument), 256) ? 0 : Errno.EFAULT;
    }

    /// <inheritdoc/>
    public override bool MapsAsAnonymousMemory => _kind == MemoryDeviceKind.Zero;
}
