using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc/[pid]/mem (proc(5)): the memory of a process, for those who may trace it.</summary>
[Saved]
internal sealed partial class ProcMemoryFile : PseudoInode
{
    private ProcTask _task = null!;

    private ProcMemoryFile()
    {
    }

    public ProcMemoryFile(ProcFileSystem fileSystem, ProcTask task, string path)
        : base(fileSystem, path, InodeMode.S_IFREG | (InodeMode)0x180)
    {
        _task = task;
        task.Own(this);
    }

    /// <inheritdoc/>
    public override Errno Truncate(PosixThread thread, long length) => Errno.None;

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        if (_task.FindProcess(Kernel) is null) return Errno.ESRCH;
        var target = _task.FindThread(Kernel);
        if (target is not null && !Permissions.MayTrace(thread, target)) return Errno.EACCES;
        description = new ProcMemoryDescription(this, flags, target?.Memory);
        return 0;
    }
}

/// <summary>An open <see cref="ProcMemoryFile"/>: it stays with the address space that the process had, and ends with that.</summary>
[Saved]
internal sealed partial class ProcMemoryDescription : FileDescription
{
    private const int Chunk = 16384;
    private const long MostPerCall = 16 << 20;
    private AddressSpace? _memory;

    private ProcMemoryDescription()
    {
    }

    public ProcMemoryDescription(Inode inode, OpenFlags flags, AddressSpace? memory)
    {
        Inode = inode;
        Flags = flags;
        _memory = memory;
    }

    /// <inheritdoc/>
    public override SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset) => Transfer(ref buffer, offset, write: false);

    /// <inheritdoc/>
    public override SyscallResult WriteAt(PosixThread thread, ref IoBuffer buffer, long offset) => Transfer(ref buffer, offset < 0 ? Offset : offset, write: true);

    /// <inheritdoc/>
    public override SyscallResult Seek(PosixThread thread, long offset, int whence)
    {
        switch ((SeekWhence)whence)
        {
            case SeekWhence.SEEK_SET:
                return Offset = offset;
            case SeekWhence.SEEK_CUR:
                return Offset = unchecked(Offset + offset);
            default:
                return Errno.EINVAL;
        }
    }

    private SyscallResult Transfer(ref IoBuffer buffer, long offset, bool write)
    {
        if (_memory is not { IsAlive: true }) return 0;
        byte[] bytes = new byte[(int)Math.Min(buffer.Remaining, Chunk)];
        long done = 0;
        buffer.Limit(MostPerCall);
        while (buffer.Remaining > 0)
        {
            var piece = bytes.AsSpan(0, (int)Math.Min(buffer.Remaining, Chunk));
            ulong address = (ulong)offset + (ulong)done;
            int got = write ? buffer.CopyTo(piece) : _memory.ReadForced(address, piece);
            int put = got == 0 ? 0 : write ? _memory.WriteForced(address, piece[..got]) : buffer.CopyFrom(piece[..got]);
            done += put;
            if (put < piece.Length) return done > 0 ? done : buffer.Faulted ? Errno.EFAULT : Errno.EIO;
        }

        return done;
    }
}
