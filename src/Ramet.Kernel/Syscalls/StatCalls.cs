using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>stat(2), statx(2), access(2), statfs(2).</summary>
internal static class StatCalls
{
    private const AtFlags StatFlags = AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_NO_AUTOMOUNT | AtFlags.AT_EMPTY_PATH;

    [Syscall(SyscallNumber.stat)]
    internal static SyscallResult Stat(PosixThread thread, UserPath path, UserAddress buffer) =>
        NewFStatAt(thread, PathArguments.CurrentDirectory, path, buffer, AtFlags.None);

    [Syscall(SyscallNumber.lstat)]
    internal static SyscallResult LStat(PosixThread thread, UserPath path, UserAddress buffer) =>
        NewFStatAt(thread, PathArguments.CurrentDirectory, path, buffer, AtFlags.AT_SYMLINK_NOFOLLOW);

    [Syscall(SyscallNumber.fstat)]
    internal static SyscallResult FStat(PosixThread thread, int fd, UserAddress buffer)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        return thread.Memory.User.TryWrite(buffer, MakeStat(description.Inode)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.newfstatat)]
    internal static SyscallResult NewFStatAt(PosixThread thread, int dirfd, UserPath path, UserAddress buffer, AtFlags flags)
    {
        if ((flags & ~StatFlags) != 0) return Errno.EINVAL;
        var error = PathArguments.ResolveAt(thread, dirfd, path, flags, out var inode, out _);
        if (error != Errno.None) return error;
        return thread.Memory.User.TryWrite(buffer, MakeStat(inode)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.statx)]
    internal static SyscallResult Statx(PosixThread thread, int dirfd, UserPath path, AtFlags flags, StatxMask mask, UserAddress buffer)
    {
        if ((flags & ~(StatFlags | AtFlags.AT_STATX_SYNC_TYPE)) != 0 || (mask & StatxMask.STATX__RESERVED) != 0) return Errno.EINVAL;
        if ((flags & AtFlags.AT_STATX_SYNC_TYPE) == AtFlags.AT_STATX_SYNC_TYPE) return Errno.EINVAL;
        var error = PathArguments.ResolveAt(thread, dirfd, path, flags, out var inode, out var dentry);
        if (error != Errno.None) return error;
        return thread.Memory.User.TryWrite(buffer, MakeStatx(inode, dentry)) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.access)]
    internal static SyscallResult Access(PosixThread thread, UserPath path, AccessMode mode) =>
        FAccessAt2(thread, PathArguments.CurrentDirectory, path, mode, AtFlags.None);

    [Syscall(SyscallNumber.faccessat)]
    internal static SyscallResult FAccessAt(PosixThread thread, int dirfd, UserPath path, AccessMode mode) =>
        FAccessAt2(thread, dirfd, path, mode, AtFlags.None);

    [Syscall(SyscallNumber.faccessat2)]
    internal static SyscallResult FAccessAt2(PosixThread thread, int dirfd, UserPath path, AccessMode mode, AtFlags flags)
    {
        if (((int)mode & ~7) != 0 || (flags & ~(AtFlags.AT_EACCESS | AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0) return Errno.EINVAL;
        var error = PathArguments.ResolveAt(thread, dirfd, path, flags, out var inode, out var dentry);
        if (error != Errno.None || mode == AccessMode.F_OK) return error;
        if ((mode & AccessMode.X_OK) != 0 && inode.IsRegular && dentry is not null && (dentry.Mount.Flags & MountFlags.MS_NOEXEC) != 0) return Errno.EACCES;
        error = (flags & AtFlags.AT_EACCESS) != 0 ? Permissions.Check(thread, inode, mode) : Permissions.CheckReal(thread, inode, mode);
        if (error != Errno.None) return error;
        bool special = !(inode.IsRegular || inode.IsDirectory || inode.IsSymbolicLink);
        return (mode & AccessMode.W_OK) != 0 && !special && dentry is { Mount.IsReadOnly: true } ? Errno.EROFS : Errno.None;
    }

    [Syscall(SyscallNumber.statfs)]
    internal static SyscallResult StatFs(PosixThread thread, UserPath path, UserAddress buffer)
    {
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry);
        return error != Errno.None ? error : WriteStatFs(thread, dentry.Inode, dentry.Mount, buffer);
    }

    [Syscall(SyscallNumber.fstatfs)]
    internal static SyscallResult FStatFs(PosixThread thread, int fd, UserAddress buffer) => thread.Files.Get(fd) is { } description
        ? WriteStatFs(thread, description.Inode, description.Dentry?.Mount, buffer)
        : Errno.EBADF;

    /// <summary>What stat(2) says of an inode.</summary>
    internal static Stat MakeStat(Inode inode)
    {
        const long Second = 1_000_000_000;
        return new Stat
        {
            st_dev = DeviceOf(inode),
            st_ino = inode.Number,
            st_nlink = inode.LinkCount,
            st_mode = (uint)inode.Mode,
            st_uid = inode.Uid,
            st_gid = inode.Gid,
            st_rdev = inode.Device,
            st_size = inode.Size,
            st_blksize = inode.BlockSize,
            st_blocks = inode.Blocks,
            st_atime = FloorDivide(inode.AccessTime),
            st_atime_nsec = inode.AccessTime - (FloorDivide(inode.AccessTime) * Second),
            st_mtime = FloorDivide(inode.ModifyTime),
            st_mtime_nsec = inode.ModifyTime - (FloorDivide(inode.ModifyTime) * Second),
            st_ctime = FloorDivide(inode.ChangeTime),
            st_ctime_nsec = inode.ChangeTime - (FloorDivide(inode.ChangeTime) * Second),
        };
    }

    private static Statx MakeStatx(Inode inode, Dentry? dentry)
    {
        ulong device = DeviceOf(inode);
        return new Statx
        {
            stx_mask = (uint)(StatxMask.STATX_BASIC_STATS | (dentry is null ? 0 : StatxMask.STATX_MNT_ID)),
            stx_blksize = (uint)inode.BlockSize,
            stx_nlink = inode.LinkCount,
            stx_uid = inode.Uid,
            stx_gid = inode.Gid,
            stx_mode = (ushort)inode.Mode,
            stx_ino = inode.Number,
            stx_size = (ulong)inode.Size,
            stx_blocks = (ulong)inode.Blocks,
            stx_atime = MakeTimestamp(inode.AccessTime),
            stx_ctime = MakeTimestamp(inode.ChangeTime),
            stx_mtime = MakeTimestamp(inode.ModifyTime),
            stx_rdev_major = DeviceNumber.Major(inode.Device),
            stx_rdev_minor = DeviceNumber.Minor(inode.Device),
            stx_dev_major = DeviceNumber.Major(device),
            stx_dev_minor = DeviceNumber.Minor(device),
            stx_mnt_id = (ulong)(dentry?.Mount.Id ?? 0),
        };
    }

    private static StatxTimestamp MakeTimestamp(long nanoseconds) =>
        new() { tv_sec = FloorDivide(nanoseconds), tv_nsec = (uint)(nanoseconds - (FloorDivide(nanoseconds) * 1_000_000_000)) };

    private static long FloorDivide(long nanoseconds) => (long)Math.Floor(nanoseconds / 1_000_000_000m);

    // Pipes, sockets and the like need not be of a file system.
    private static ulong DeviceOf(Inode inode) => inode.FileSystem?.DeviceId ?? DeviceNumber.Make(0, 12);

    private static SyscallResult WriteStatFs(PosixThread thread, Inode inode, Mount? mount, UserAddress buffer)
    {
        const long ReadOnlyFlag = 1, NoSuidFlag = 2, NoDevFlag = 4, NoExecFlag = 8, ValidFlag = 0x20, NoAtimeFlag = 0x400, RelatimeFlag = 0x1000;
        var statistics = inode.FileSystem?.GetStatistics() ?? new StatFs { f_type = 0x09041934, f_bsize = 4096, f_frsize = 4096, f_namelen = PathWalk.NameMax };
        ulong device = DeviceOf(inode);
        statistics.f_fsid0 = (int)device;
        statistics.f_flags = ValidFlag;
        var flags = mount?.Flags ?? MountFlags.None;
        if ((flags & MountFlags.MS_RDONLY) != 0) statistics.f_flags |= ReadOnlyFlag;
        if ((flags & MountFlags.MS_NOSUID) != 0) statistics.f_flags |= NoSuidFlag;
        if ((flags & MountFlags.MS_NODEV) != 0) statistics.f_flags |= NoDevFlag;
        if ((flags & MountFlags.MS_NOEXEC) != 0) statistics.f_flags |= NoExecFlag;
        statistics.f_flags |= (flags & MountFlags.MS_NOATIME) != 0 ? NoAtimeFlag : RelatimeFlag;
        return thread.Memory.User.TryWrite(buffer, statistics) ? 0 : Errno.EFAULT;
    }
}
