using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Record locks of fcntl(2) and flock(2).</summary>
internal static class FileLocks
{
    [Syscall(SyscallNumber.flock)]
    internal static SyscallResult Flock(PosixThread thread, int fd, FlockOperation operation)
    {
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        var kind = operation & ~FlockOperation.LOCK_NB;
        if (kind is not (FlockOperation.LOCK_SH or FlockOperation.LOCK_EX or FlockOperation.LOCK_UN)) return Errno.EINVAL;
        var locks = description.Inode.Locks ??= new FileLockList(thread.Kernel);
        if (kind == FlockOperation.LOCK_UN)
        {
            locks.Clear(description, isFlock: true, 0, long.MaxValue);
            return 0;
        }

        var wanted = new FileLock(description, isFlock: true, kind == FlockOperation.LOCK_EX, 0, long.MaxValue, -1);

        // A conversion is not atomic: the old lock is gone while the new one is waited for (flock(2)).
        if (locks.FindConflict(wanted) is not null)
        {
            if ((operation & FlockOperation.LOCK_NB) != 0) return Errno.EAGAIN;
            locks.Clear(description, isFlock: true, 0, long.MaxValue);
            return thread.BlockOn(locks.Waiters);
        }

        return locks.Set(wanted);
    }

    /// <summary>F_GETLK, F_SETLK, F_SETLKW and their OFD forms.</summary>
    internal static SyscallResult Fcntl(PosixThread thread, FileDescription description, FcntlCommand command, UserAddress address)
    {
        if (!thread.Memory.User.TryRead(address, out Flock request)) return Errno.EFAULT;
        bool ofd = command is FcntlCommand.F_OFD_GETLK or FcntlCommand.F_OFD_SETLK or FcntlCommand.F_OFD_SETLKW;
        if (ofd && request.l_pid != 0) return Errno.EINVAL;
        var error = GetRange(description, request, out long start, out long end);
        if (error != Errno.None) return error;
        var type = (FileLockType)request.l_type;
        if (type is not (FileLockType.F_RDLCK or FileLockType.F_WRLCK or FileLockType.F_UNLCK)) return Errno.EINVAL;

        object owner = ofd ? description : thread.Files;
        var wanted = new FileLock(owner, isFlock: false, type == FileLockType.F_WRLCK, start, end, ofd ? -1 : thread.Process.Pid);
        if (command is FcntlCommand.F_GETLK or FcntlCommand.F_OFD_GETLK) return Test(thread, description, wanted, type, request, address);

        if (type == FileLockType.F_UNLCK)
        {
            return description.Inode.Locks?.Unlock(owner, start, end) ?? Errno.None;
        }

        if (type == FileLockType.F_RDLCK ? !description.CanRead : !description.CanWrite) return Errno.EBADF;
        var locks = description.Inode.Locks ??= new FileLockList(thread.Kernel);
        if (locks.FindConflict(wanted) is { } conflict)
        {
            if (command is not (FcntlCommand.F_SETLKW or FcntlCommand.F_OFD_SETLKW)) return Errno.EAGAIN;
            if (!ofd && WouldDeadlock(thread, conflict)) return Errno.EDEADLK;
            var result = thread.BlockOn(locks.Waiters);
            thread.Files.WaitingForLock = result.IsBlocked && !ofd ? conflict.Owner as FileDescriptorTable : null;
            return result;
        }

        thread.Files.WaitingForLock = null;
        return locks.Set(wanted);
    }

    private static SyscallResult Test(PosixThread thread, FileDescription description, FileLock wanted, FileLockType type, Flock request, UserAddress address)
    {
        if (type == FileLockType.F_UNLCK) return Errno.EINVAL;
        if (description.Inode.Locks?.FindConflict(wanted) is { } conflict)
        {
            request.l_type = (short)(conflict.IsExclusive ? FileLockType.F_WRLCK : FileLockType.F_RDLCK);
            request.l_whence = 0;
            request.l_start = conflict.Start;
            request.l_len = conflict.End == long.MaxValue ? 0 : conflict.End - conflict.Start + 1;
            request.l_pid = conflict.ProcessId;
        }
        else
        {
            request.l_type = (short)FileLockType.F_UNLCK;
        }

        return thread.Memory.User.TryWrite(address, request) ? 0 : Errno.EFAULT;
    }

    private static Errno GetRange(FileDescription description, Flock request, out long start, out long end)
    {
        start = end = 0;
        long origin;
        switch ((SeekWhence)request.l_whence)
        {
            case SeekWhence.SEEK_SET: origin = 0; break;
            case SeekWhence.SEEK_CUR: origin = description.Offset; break;
            case SeekWhence.SEEK_END: origin = description.Inode.Size; break;
            default: return Errno.EINVAL;
        }

        if (request.l_start > 0 && origin > long.MaxValue - request.l_start) return Errno.EOVERFLOW;
        start = origin + request.l_start;
        if (start < 0) return Errno.EINVAL;
        if (request.l_len > 0)
        {
            if (request.l_len - 1 > long.MaxValue - start) return Errno.EOVERFLOW;
            end = start + request.l_len - 1;
        }
        else if (request.l_len < 0)
        {
            end = start - 1;
            start += request.l_len;
            if (start < 0) return Errno.EINVAL;
        }
        else
        {
            end = long.MaxValue;
        }

        return Errno.None;
    }

    /// <summary>Whether the owner of a conflicting lock waits, through others, for one of ours.</summary>
    private static bool WouldDeadlock(PosixThread thread, FileLock conflict)
    {
        var owner = conflict.Owner as FileDescriptorTable;
        for (int steps = 0; owner is not null && steps < 64; steps++)
        {
            if (owner == thread.Files) return true;
            owner = owner.WaitingForLock;
        }

        return false;
    }
}
