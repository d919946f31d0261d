using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Descriptors: dup(2), fcntl(2), ioctl(2), truncate(2), fallocate(2), fsync(2).</summary>
internal static class Descriptors
{
    private const OpenFlags Settable = OpenFlags.O_APPEND | OpenFlags.O_NONBLOCK | OpenFlags.O_ASYNC | OpenFlags.O_DIRECT | OpenFlags.O_NOATIME;

    [Syscall(SyscallNumber.dup)]
    internal static SyscallResult Dup(PosixThread thread, int fd) => Duplicate(thread, fd, 0, closeOnExec: false);

    [Syscall(SyscallNumber.dup2)]
    internal static SyscallResult Dup2(PosixThread thread, int fd, int newFd)
    {
        if (fd == newFd) return thread.Files.Get(fd) is null ? Errno.EBADF : newFd;
        return DuplicateTo(thread, fd, newFd, closeOnExec: false);
    }

    [Syscall(SyscallNumber.dup3)]
    internal static SyscallResult Dup3(PosixThread thread, int fd, int newFd, OpenFlags flags)
    {
        if (fd == newFd || (flags & ~OpenFlags.O_CLOEXEC) != 0) return Errno.EINVAL;
        return DuplicateTo(thread, fd, newFd, (flags & OpenFlags.O_CLOEXEC) != 0);
    }

    [Syscall(SyscallNumber.fcntl)]
    internal static SyscallResult Fcntl(PosixThread thread, int fd, FcntlCommand command, ulong argument)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        if ((description.Flags & OpenFlags.O_PATH) != 0
            && command is not (FcntlCommand.F_DUPFD or FcntlCommand.F_DUPFD_CLOEXEC or FcntlCommand.F_GETFD or FcntlCommand.F_SETFD or FcntlCommand.F_GETFL))
        {
            return Errno.EBADF;
        }

        switch (command)
        {
            case FcntlCommand.F_DUPFD:
            case FcntlCommand.F_DUPFD_CLOEXEC:
                if (argument >= thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_NOFILE) || argument > int.MaxValue) return Errno.EINVAL;
                return Duplicate(thread, fd, (int)argument, command == FcntlCommand.F_DUPFD_CLOEXEC);
            case FcntlCommand.F_GETFD:
                return thread.Files.IsCloseOnExec(fd) ? 1 : 0;
            case FcntlCommand.F_SETFD:
                thread.Files.SetCloseOnExec(fd, (argument & 1) != 0);
                return 0;
            case FcntlCommand.F_GETFL:
                return (int)description.Flags;
            case FcntlCommand.F_SETFL:
                return SetFlags(thread, description, (OpenFlags)argument, fd);
            case FcntlCommand.F_GETLK:
            case FcntlCommand.F_SETLK:
            case FcntlCommand.F_SETLKW:
            case FcntlCommand.F_OFD_GETLK:
            case FcntlCommand.F_OFD_SETLK:
            case FcntlCommand.F_OFD_SETLKW:
                return FileLocks.Fcntl(thread, description, command, new UserAddress(argument));
            case FcntlCommand.F_SETOWN:
                return SetOwner(thread, description, (int)argument);
            case FcntlCommand.F_GETOWN:
                // A negative value, a process group, would look like an error: the C library asks by F_GETOWN_EX.
                return GetOwner(description);
            case FcntlCommand.F_SETOWN_EX:
                return SetOwner(thread, description, new UserAddress(argument));
            case FcntlCommand.F_GETOWN_EX:
                return GetOwner(thread, description, new UserAddress(argument));
            case FcntlCommand.F_GETSIG:
                return description.Signals?.SignalNumber ?? 0;
            case FcntlCommand.F_SETSIG:
                if (argument > Signals.Signal.SIGRTMAX) return Errno.EINVAL;
                description.GetSignals(thread.Kernel).SignalNumber = (int)argument;
                return 0;
            case FcntlCommand.F_GETPIPE_SZ:
                return description.GetPipeSize();
            case FcntlCommand.F_SETPIPE_SZ:
                return argument > int.MaxValue ? Errno.EINVAL : description.SetPipeSize(thread, (long)argument);
            case FcntlCommand.F_GET_SEALS:
                return description.GetSeals();
            case FcntlCommand.F_ADD_SEALS:
                return description.AddSeals((FileSeals)argument);
            case FcntlCommand.F_NOTIFY:
                return DirectoryNotification.Set(thread, description, fd, (DirectoryNotifyMask)argument);
            case FcntlCommand.F_SETLEASE:
                return FileLeases.Set(thread, description, fd, (FileLockType)argument);
            case FcntlCommand.F_GETLEASE:
                return (int)FileLeases.Get(description);
            default:
                return Errno.EINVAL;
        }
    }

    [Syscall(SyscallNumber.ioctl)]
    internal static SyscallResult Ioctl(PosixThread thread, int fd, uint request, ulong argument)
    {
        const uint FIONCLEX = 0x5450, FIOCLEX = 0x5451, FIONBIO = 0x5421, FIOASYNC = 0x5452, FIOSETOWN = 0x8901, SIOCSPGRP = 0x8902, FIOGETOWN = 0x8903, SIOCGPGRP = 0x8904;
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        switch (request)
        {
            case FIOCLEX:
                thread.Files.SetCloseOnExec(fd, true);
                return 0;
            case FIONCLEX:
                thread.Files.SetCloseOnExec(fd, false);
                return 0;
            case FIONBIO or FIOASYNC:
                if (!thread.Memory.User.TryRead(new UserAddress(argument), out int on)) return Errno.EFAULT;
                var flag = request == FIONBIO ? OpenFlags.O_NONBLOCK : OpenFlags.O_ASYNC;
                var flags = on != 0 ? description.Flags | flag : description.Flags & ~flag;
                if (request == FIOASYNC && flags != description.Flags && !description.SupportsAsync) return Errno.ENOTTY;
                return SetFlags(thread, description, flags, fd);
            case FIOSETOWN or SIOCSPGRP when description is Sockets.Socket:
                return thread.Memory.User.TryRead(new UserAddress(argument), out int owner) ? SetOwner(thread, description, owner) : Errno.EFAULT;
            case FIOGETOWN or SIOCGPGRP when description is Sockets.Socket:
                return thread.Memory.User.TryWrite(new UserAddress(argument), GetOwner(description)) ? 0 : Errno.EFAULT;
            case >= 0x8910 and <= 0x8971 when description is Sockets.Socket:
                return Sockets.InterfaceIoctls.Handle(thread, request, new UserAddress(argument));
            default:
                return description.Ioctl(thread, request, argument);
        }
    }

    [Syscall(SyscallNumber.truncate)]
    internal static SyscallResult Truncate(PosixThread thread, UserPath path, long length)
    {
        if (length < 0) return Errno.EINVAL;
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry);
        if (error != Errno.None) return error;
        if (dentry.Inode.IsDirectory) return Errno.EISDIR;
        if (!dentry.Inode.IsRegular) return Errno.EINVAL;
        if (dentry.Mount.IsReadOnly) return Errno.EROFS;
        error = Permissions.Check(thread, dentry.Inode, AccessMode.W_OK);
        if (error == Errno.None) error = dentry.Inode.CheckWritable();
        if (error == Errno.None) error = CheckLength(thread, dentry.Inode, length);
        if (error == Errno.None && FileLeases.Break(thread, dentry.Inode, forWrite: true, nonBlocking: false) is { } waits) return waits;
        if (error == Errno.None) error = dentry.Inode.Truncate(thread, length);
        if (error == Errno.None) thread.Kernel.Watches.OnFile(dentry, dentry.Inode, InotifyMask.IN_MODIFY);
        return error;
    }

    [Syscall(SyscallNumber.ftruncate)]
    internal static SyscallResult FTruncate(PosixThread thread, int fd, long length)
    {
        if (length < 0) return Errno.EINVAL;
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        if (!description.CanWrite) return Errno.EINVAL;
        var error = CheckLength(thread, description.Inode, length);
        if (error == Errno.None) error = description.Truncate(thread, length);
        if (error == Errno.None) thread.Kernel.Watches.OnFile(description.Dentry, description.Inode, InotifyMask.IN_MODIFY);
        return error;
    }

    [Syscall(SyscallNumber.fallocate)]
    internal static SyscallResult FAllocate(PosixThread thread, int fd, FallocateMode mode, long offset, long length)
    {
        if (thread.Files.Get(fd) is not { CanWrite: true } description) return Errno.EBADF;
        if (offset < 0 || length <= 0) return Errno.EINVAL;
        if ((description.Inode.Mode & InodeMode.S_IFMT) == InodeMode.S_IFIFO) return Errno.ESPIPE;
        if (description.Inode.IsDirectory) return Errno.EISDIR;
        return description.Inode.IsRegular ? description.Allocate(thread, (int)mode, offset, length) : Errno.ENODEV;
    }

    [Syscall(SyscallNumber.fsync)]
    internal static SyscallResult FSync(PosixThread thread, int fd) =>
        thread.Files.Get(fd) is { } description && (description.Flags & OpenFlags.O_PATH) == 0 ? description.Synchronize() : Errno.EBADF;

    [Syscall(SyscallNumber.fdatasync)]
    internal static SyscallResult FDataSync(PosixThread thread, int fd) => FSync(thread, fd);

    [Syscall(SyscallNumber.sync)]
    internal static SyscallResult Sync(PosixThread thread) => 0;

    [Syscall(SyscallNumber.syncfs)]
    internal static SyscallResult SyncFs(PosixThread thread, int fd) => thread.Files.Get(fd) is null ? Errno.EBADF : 0;

    [Syscall(SyscallNumber.sync_file_range)]
    internal static SyscallResult SyncFileRange(PosixThread thread, int fd, long offset, long length, uint flags)
    {
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        if (offset < 0 || length < 0 || (flags & ~7u) != 0) return Errno.EINVAL;
        return description.Inode.IsRegular || description.Inode.IsDirectory ? 0 : Errno.ESPIPE;
    }

    [Syscall(SyscallNumber.fadvise64)]
    internal static SyscallResult FAdvise64(PosixThread thread, int fd, long offset, long length, int advice)
    {
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        if ((description.Inode.Mode & InodeMode.S_IFMT) == InodeMode.S_IFIFO) return Errno.ESPIPE;
        return length < 0 || advice is < 0 or > 5 ? Errno.EINVAL : 0;
    }

    [Syscall(SyscallNumber.readahead)]
    internal static SyscallResult ReadAhead(PosixThread thread, int fd, long offset, ulong count)
    {
        if (thread.Files.Get(fd) is not { CanRead: true } description) return Errno.EBADF;
        return description.Inode.IsRegular ? 0 : Errno.EINVAL;
    }

    private static SyscallResult Duplicate(PosixThread thread, int fd, int from, bool closeOnExec)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        var error = thread.Files.Install(description, closeOnExec, out int descriptor, from);
        if (error != Errno.None) return error;
        description.AddReference();
        return descriptor;
    }

    private static SyscallResult DuplicateTo(PosixThread thread, int fd, int newFd, bool closeOnExec)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        if (newFd < 0) return Errno.EBADF;
        description.AddReference();
        var error = thread.Files.InstallAt(thread.Process, description, newFd, closeOnExec);
        if (error == Errno.None) return newFd;
        description.Release(thread.Kernel);
        return error;
    }

    private static SyscallResult SetFlags(PosixThread thread, FileDescription description, OpenFlags flags, int fd)
    {
        bool noAtime = (flags & OpenFlags.O_NOATIME) != 0 && (description.Flags & OpenFlags.O_NOATIME) == 0;
        if (noAtime && !Permissions.IsOwner(thread, description.Inode)) return Errno.EPERM;
        if (!description.SupportsAsync) flags = (flags & ~OpenFlags.O_ASYNC) | (description.Flags & OpenFlags.O_ASYNC);
        bool async = (flags & OpenFlags.O_ASYNC) != 0;
        if (async != ((description.Flags & OpenFlags.O_ASYNC) != 0))
        {
            var signals = description.GetSignals(thread.Kernel);

            // A terminal without an owner gets one (drivers/tty/tty_io.c); of all else the owner is set by hand.
            if (async && signals.Owner == 0 && description is Terminals.TerminalDescription) signals.SetOwner(thread, FileOwnerType.F_OWNER_PID, thread.Process.Pid);
            signals.SetAsync(async, fd);
        }

        description.Flags = (description.Flags & ~Settable) | (flags & Settable);
        return 0;
    }

    private static SyscallResult SetOwner(PosixThread thread, FileDescription description, int owner)
    {
        if (owner == int.MinValue) return Errno.EINVAL;
        return description.GetSignals(thread.Kernel).SetOwner(thread, owner < 0 ? FileOwnerType.F_OWNER_PGRP : FileOwnerType.F_OWNER_PID, Math.Abs(owner));
    }

    private static int GetOwner(FileDescription description) =>
        description.Signals is not { } signals ? 0 : signals.OwnerType == FileOwnerType.F_OWNER_PGRP ? -signals.Owner : signals.Owner;

    private static SyscallResult SetOwner(PosixThread thread, FileDescription description, UserAddress address)
    {
        if (!thread.Memory.User.TryRead(address, out FileOwner owner)) return Errno.EFAULT;
        if (owner.type is < 0 or > 2) return Errno.EINVAL;
        return owner.pid < 0 ? Errno.ESRCH : description.GetSignals(thread.Kernel).SetOwner(thread, (FileOwnerType)owner.type, owner.pid);
    }

    private static SyscallResult GetOwner(PosixThread thread, FileDescription description, UserAddress address)
    {
        var value = new FileOwner { type = (int)(description.Signals?.OwnerType ?? FileOwnerType.F_OWNER_TID), pid = description.Signals?.Owner ?? 0 };
        return thread.Memory.User.TryWrite(address, value) ? 0 : Errno.EFAULT;
    }

    private static Errno CheckLength(PosixThread thread, Inode inode, long length) =>
        inode.IsRegular && length > inode.Size && (ulong)length > thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_FSIZE)
            ? FileSizeLimit.Exceeded(thread)
            : Errno.None;
}
