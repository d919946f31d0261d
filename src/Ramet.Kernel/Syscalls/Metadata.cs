using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Mode, owner and times: chmod(2), chown(2), utimensat(2) and their families.</summary>
internal static class Metadata
{
    private const uint Unchanged = uint.MaxValue;
    private const long UTIME_NOW = 0x3FFFFFFF;
    private const long UTIME_OMIT = 0x3FFFFFFE;
    private const long Second = 1_000_000_000;

    [Syscall(SyscallNumber.chmod)]
    internal static SyscallResult ChMod(PosixThread thread, UserPath path, uint mode) =>
        FChModAt2(thread, PathArguments.CurrentDirectory, path, mode, AtFlags.None);

    [Syscall(SyscallNumber.fchmodat)]
    internal static SyscallResult FChModAt(PosixThread thread, int dirfd, UserPath path, uint mode) => FChModAt2(thread, dirfd, path, mode, AtFlags.None);

    [Syscall(SyscallNumber.fchmodat2)]
    internal static SyscallResult FChModAt2(PosixThread thread, int dirfd, UserPath path, uint mode, AtFlags flags)
    {
        if ((flags & ~(AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0) return Errno.EINVAL;
        var error = PathArguments.ResolveAt(thread, dirfd, path, flags, out var inode, out var dentry);
        return error != Errno.None ? error : ChangeMode(thread, inode, dentry, mode);
    }

    [Syscall(SyscallNumber.fchmod)]
    internal static SyscallResult FChMod(PosixThread thread, int fd, uint mode)
    {
        var error = Find(thread, fd, out var inode, out var dentry);
        return error != Errno.None ? error : ChangeMode(thread, inode, dentry, mode);
    }

    [Syscall(SyscallNumber.chown)]
    internal static SyscallResult ChOwn(PosixThread thread, UserPath path, uint uid, uint gid) =>
        FChOwnAt(thread, PathArguments.CurrentDirectory, path, uid, gid, AtFlags.None);

    [Syscall(SyscallNumber.lchown)]
    internal static SyscallResult LChOwn(PosixThread thread, UserPath path, uint uid, uint gid) =>
        FChOwnAt(thread, PathArguments.CurrentDirectory, path, uid, gid, AtFlags.AT_SYMLINK_NOFOLLOW);

    [Syscall(SyscallNumber.fchownat)]
    internal static SyscallResult FChOwnAt(PosixThread thread, int dirfd, UserPath path, uint uid, uint gid, AtFlags flags)
    {
        if ((flags & ~(AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0) return Errno.EINVAL;
        var error = PathArguments.ResolveAt(thread, dirfd, path, flags, out var inode, out var dentry);
        return error != Errno.None ? error : ChangeOwner(thread, inode, dentry, uid, gid);
    }

    [Syscall(SyscallNumber.fchown)]
    internal static SyscallResult FChOwn(PosixThread thread, int fd, uint uid, uint gid)
    {
        var error = Find(thread, fd, out var inode, out var dentry);
        return error != Errno.None ? error : ChangeOwner(thread, inode, dentry, uid, gid);
    }

    [Syscall(SyscallNumber.utime)]
    internal static SyscallResult UTime(PosixThread thread, UserPath path, UserAddress times)
    {
        if (times.IsNull) return SetTimes(thread, PathArguments.CurrentDirectory, path, AtFlags.None, 0, UTIME_NOW, 0, UTIME_NOW);
        return thread.Memory.User.TryRead(times, out UtimBuf value)
            ? SetTimes(thread, PathArguments.CurrentDirectory, path, AtFlags.None, value.actime, 0, value.modtime, 0)
            : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.utimes)]
    internal static SyscallResult UTimes(PosixThread thread, UserPath path, UserAddress times) =>
        FUTimesAt(thread, PathArguments.CurrentDirectory, path, times);

    [Syscall(SyscallNumber.futimesat)]
    internal static SyscallResult FUTimesAt(PosixThread thread, int dirfd, UserPath path, UserAddress times)
    {
        var at = path.Address.IsNull ? AtFlags.AT_EMPTY_PATH : AtFlags.None;
        if (times.IsNull) return SetTimes(thread, dirfd, path, at, 0, UTIME_NOW, 0, UTIME_NOW);
        Span<long> values = stackalloc long[4];
        if (!thread.Memory.User.TryReadArray(times, values)) return Errno.EFAULT;
        if (values[1] is < 0 or >= 1_000_000 || values[3] is < 0 or >= 1_000_000) return Errno.EINVAL;
        return SetTimes(thread, dirfd, path, at, values[0], values[1] * 1000, values[2], values[3] * 1000);
    }

    [Syscall(SyscallNumber.utimensat)]
    internal static SyscallResult UTimeNsAt(PosixThread thread, int dirfd, UserPath path, UserAddress times, AtFlags flags)
    {
        if ((flags & ~(AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0) return Errno.EINVAL;

        // With a null path (futimens) the descriptor itself is meant.
        if (path.Address.IsNull)
        {
            if (dirfd == PathArguments.CurrentDirectory) return Errno.EFAULT;
            if (flags != AtFlags.None) return Errno.EINVAL;
            flags = AtFlags.AT_EMPTY_PATH;
        }

        if (times.IsNull) return SetTimes(thread, dirfd, path, flags, 0, UTIME_NOW, 0, UTIME_NOW);
        Span<long> values = stackalloc long[4];
        if (!thread.Memory.User.TryReadArray(times, values)) return Errno.EFAULT;
        if (!IsValid(values[1]) || !IsValid(values[3])) return Errno.EINVAL;
        return SetTimes(thread, dirfd, path, flags, values[0], values[1], values[2], values[3]);
    }

    private static bool IsValid(long nanoseconds) => nanoseconds is UTIME_NOW or UTIME_OMIT or (>= 0 and < Second);

    private static Errno Find(PosixThread thread, int fd, out Inode inode, out Dentry? dentry)
    {
        inode = null!;
        dentry = null;
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        inode = description.Inode;
        dentry = description.Dentry;
        return Errno.None;
    }

    private static Errno ChangeMode(PosixThread thread, Inode inode, Dentry? dentry, uint mode)
    {
        if (dentry is { Mount.IsReadOnly: true }) return Errno.EROFS;
        if (inode.IsSymbolicLink) return Errno.EOPNOTSUPP;
        if (!Permissions.IsOwner(thread, inode)) return Errno.EPERM;
        var error = inode.BeforeChange();
        if (error != Errno.None) return error;
        var bits = (InodeMode)mode & InodeMode.Permissions;
        if (!thread.Credentials.IsInGroup(inode.Gid) && !thread.Credentials.HasCapability(Capability.CAP_FSETID)) bits &= ~InodeMode.S_ISGID;
        inode.Mode = (inode.Mode & InodeMode.S_IFMT) | bits;
        inode.ChangeTime = thread.Kernel.RealtimeNow;
        thread.Kernel.Watches.OnFile(dentry, inode, InotifyMask.IN_ATTRIB);
        return Errno.None;
    }

    private static Errno ChangeOwner(PosixThread thread, Inode inode, Dentry? dentry, uint uid, uint gid)
    {
        if (dentry is { Mount.IsReadOnly: true }) return Errno.EROFS;
        var credentials = thread.Credentials;
        bool isOwner = credentials.FileSystemUid == inode.Uid;
        bool uidAllowed = uid == Unchanged || (isOwner && uid == inode.Uid) || credentials.HasCapability(Capability.CAP_CHOWN);
        bool gidAllowed = gid == Unchanged || (isOwner && (gid == inode.Gid || credentials.IsInGroup(gid))) || credentials.HasCapability(Capability.CAP_CHOWN);
        if (!uidAllowed || !gidAllowed) return Errno.EPERM;
        var error = inode.BeforeChange();
        if (error != Errno.None) return error;
        if (uid != Unchanged) inode.Uid = uid;
        if (gid != Unchanged) inode.Gid = gid;
        if (!inode.IsDirectory)
        {
            inode.Mode &= ~InodeMode.S_ISUID;
            if ((inode.Mode & InodeMode.S_IXGRP) != 0) inode.Mode &= ~InodeMode.S_ISGID;
        }

        inode.ChangeTime = thread.Kernel.RealtimeNow;
        thread.Kernel.Watches.OnFile(dentry, inode, InotifyMask.IN_ATTRIB);
        return Errno.None;
    }

    private static SyscallResult SetTimes(
        PosixThread thread, int dirfd, UserPath path, AtFlags flags, long accessSeconds, long accessNanoseconds, long modifySeconds, long modifyNanoseconds)
    {
        if (accessNanoseconds == UTIME_OMIT && modifyNanoseconds == UTIME_OMIT) return 0;
        var error = PathArguments.ResolveAt(thread, dirfd, path, flags, out var inode, out var dentry);
        if (error != Errno.None) return error;
        if (dentry is { Mount.IsReadOnly: true }) return Errno.EROFS;
        bool bothNow = accessNanoseconds == UTIME_NOW && modifyNanoseconds == UTIME_NOW;
        if (!Permissions.IsOwner(thread, inode))
        {
            if (!bothNow) return Errno.EPERM;
            error = Permissions.Check(thread, inode, AccessMode.W_OK);
            if (error != Errno.None) return error;
        }

        error = inode.BeforeChange();
        if (error != Errno.None) return error;
        long now = thread.Kernel.RealtimeNow;
        if (accessNanoseconds != UTIME_OMIT) inode.AccessTime = Combine(accessSeconds, accessNanoseconds, now);
        if (modifyNanoseconds != UTIME_OMIT) inode.ModifyTime = Combine(modifySeconds, modifyNanoseconds, now);
        inode.ChangeTime = now;
        thread.Kernel.Watches.OnFile(
            dentry,
            inode,
            accessNanoseconds == UTIME_OMIT ? InotifyMask.IN_MODIFY : modifyNanoseconds == UTIME_OMIT ? InotifyMask.IN_ACCESS : InotifyMask.IN_ATTRIB);
        return 0;
    }

    // Times are held as 64 bits of nanoseconds: 1677 to 2262; what lies beyond is clamped, as file systems do.
    private static long Combine(long seconds, long nanoseconds, long now)
    {
        if (nanoseconds == UTIME_NOW) return now;
        return (Math.Clamp(seconds, long.MinValue / Second + 1, (long.MaxValue / Second) - 1) * Second) + nanoseconds;
    }
}
