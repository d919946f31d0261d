using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>inotify(7).</summary>
internal static class InotifyCalls
{
    [Syscall(SyscallNumber.inotify_init)]
    internal static SyscallResult InotifyInit(PosixThread thread) => InotifyInit1(thread, 0);

    [Syscall(SyscallNumber.inotify_init1)]
    internal static SyscallResult InotifyInit1(PosixThread thread, OpenFlags flags)
    {
        if ((flags & ~(OpenFlags.O_NONBLOCK | OpenFlags.O_CLOEXEC)) != 0) return Errno.EINVAL;
        if (thread.Kernel.Watches.Instances.GetValueOrDefault(thread.Credentials.Uid) >= FileWatches.MaximumInstances) return Errno.EMFILE;
        return DescriptorPair.InstallOne(thread, new Inotify(thread, (flags & OpenFlags.O_NONBLOCK) != 0), (flags & OpenFlags.O_CLOEXEC) != 0);
    }

    [Syscall(SyscallNumber.inotify_add_watch)]
    internal static SyscallResult InotifyAddWatch(PosixThread thread, int fd, UserPath path, InotifyMask mask)
    {
        const InotifyMask Known = InotifyMask.IN_ALL_EVENTS | InotifyMask.IN_UNMOUNT | InotifyMask.IN_Q_OVERFLOW | InotifyMask.IN_IGNORED | InotifyMask.IN_ONLYDIR
            | InotifyMask.IN_DONT_FOLLOW | InotifyMask.IN_EXCL_UNLINK | InotifyMask.IN_MASK_CREATE | InotifyMask.IN_MASK_ADD | InotifyMask.IN_ISDIR | InotifyMask.IN_ONESHOT;
        const InotifyMask Either = InotifyMask.IN_MASK_ADD | InotifyMask.IN_MASK_CREATE;
        if ((mask & ~Known) != 0 || mask == 0) return Errno.EINVAL;
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        if ((mask & Either) == Either || description is not Inotify inotify) return Errno.EINVAL;
        var walk = (mask & InotifyMask.IN_DONT_FOLLOW) != 0 ? WalkFlags.NoFollow : WalkFlags.None;
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, walk, out var dentry);
        if (error != Errno.None) return error;
        if ((mask & InotifyMask.IN_ONLYDIR) != 0 && !dentry.Inode.IsDirectory) return Errno.ENOTDIR;
        error = Permissions.Check(thread, dentry.Inode, AccessMode.R_OK);
        return error != Errno.None ? error : inotify.AddWatch(dentry.Inode, mask);
    }

    [Syscall(SyscallNumber.inotify_rm_watch)]
    internal static SyscallResult InotifyRmWatch(PosixThread thread, int fd, int wd)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        return description is Inotify inotify ? inotify.RemoveWatch(wd) : Errno.EINVAL;
    }
}
