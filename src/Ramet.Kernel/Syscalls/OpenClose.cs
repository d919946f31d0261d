using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Terminals;

namespace Ramet.Kernel.Syscalls;

/// <summary>open(2) and its family, close(2).</summary>
internal static class OpenClose
{
    private const OpenFlags Creation = OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOCTTY | OpenFlags.O_TRUNC | OpenFlags.O_CLOEXEC
        | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW;

    private const OpenFlags Known = OpenFlags.O_ACCMODE | OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOCTTY | OpenFlags.O_TRUNC | OpenFlags.O_APPEND
        | OpenFlags.O_NONBLOCK | OpenFlags.O_SYNC | OpenFlags.O_ASYNC | OpenFlags.O_DIRECT | OpenFlags.O_LARGEFILE | OpenFlags.O_DIRECTORY
        | OpenFlags.O_NOFOLLOW | OpenFlags.O_NOATIME | OpenFlags.O_CLOEXEC | OpenFlags.O_PATH | OpenFlags.O_TMPFILE;

    // O_TMPFILE includes O_DIRECTORY; this is its own bit.
    private const OpenFlags TemporaryBit = OpenFlags.O_TMPFILE & ~OpenFlags.O_DIRECTORY;

    [Syscall(SyscallNumber.open)]
    internal static SyscallResult Open(PosixThread thread, UserPath path, OpenFlags flags, uint mode) =>
        OpenAt(thread, PathArguments.CurrentDirectory, path, flags, mode);

    [Syscall(SyscallNumber.creat)]
    internal static SyscallResult Creat(PosixThread thread, UserPath path, uint mode) =>
        OpenAt(thread, PathArguments.CurrentDirectory, path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY | OpenFlags.O_TRUNC, mode);

    [Syscall(SyscallNumber.openat)]
    internal static SyscallResult OpenAt(PosixThread thread, int dirfd, UserPath path, OpenFlags flags, uint mode) =>
        Open(thread, dirfd, path, flags & Known, mode, ResolveFlags.None);

    [Syscall(SyscallNumber.openat2)]
    internal static SyscallResult OpenAt2(PosixThread thread, int dirfd, UserPath path, [In("size")] UserAddress how, ulong size)
    {
        const ResolveFlags KnownResolve = ResolveFlags.RESOLVE_NO_XDEV | ResolveFlags.RESOLVE_NO_MAGICLINKS | ResolveFlags.RESOLVE_NO_SYMLINKS
            | ResolveFlags.RESOLVE_BENEATH | ResolveFlags.RESOLVE_IN_ROOT | ResolveFlags.RESOLVE_CACHED;
        if (size < (ulong)Marshal.SizeOf<OpenHow>()) return Errno.EINVAL;
        if (size > 4096) return Errno.E2BIG;
        if (!thread.Memory.User.TryRead(how, out OpenHow request)) return Errno.EFAULT;
        Span<byte> rest = stackalloc byte[(int)size - Marshal.SizeOf<OpenHow>()];
        if (!thread.Memory.User.TryReadArray(how + Marshal.SizeOf<OpenHow>(), rest)) return Errno.EFAULT;
        if (rest.ContainsAnyExcept((byte)0)) return Errno.E2BIG;

        var flags = (OpenFlags)request.flags;
        var resolve = (ResolveFlags)request.resolve;
        bool creates = (flags & (OpenFlags.O_CREAT | TemporaryBit)) != 0;
        const ResolveFlags Exclusive = ResolveFlags.RESOLVE_BENEATH | ResolveFlags.RESOLVE_IN_ROOT;
        if (request.flags > uint.MaxValue || (flags & ~Known) != 0 || (resolve & ~KnownResolve) != 0) return Errno.EINVAL;
        if (request.mode > (ulong)InodeMode.Permissions || (request.mode != 0 && !creates) || (resolve & Exclusive) == Exclusive) return Errno.EINVAL;
        if ((flags & OpenFlags.O_PATH) != 0 && (flags & ~(OpenFlags.O_PATH | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW | OpenFlags.O_CLOEXEC)) != 0) return Errno.EINVAL;
        if ((resolve & ResolveFlags.RESOLVE_CACHED) != 0) return creates ? Errno.EAGAIN : Open(thread, dirfd, path, flags, (uint)request.mode, resolve);
        return Open(thread, dirfd, path, flags, (uint)request.mode, resolve);
    }

    [Syscall(SyscallNumber.close)]
    internal static SyscallResult Close(PosixThread thread, int fd) => thread.Files.Close(thread.Process, fd);

    [Syscall(SyscallNumber.close_range)]
    internal static SyscallResult CloseRange(PosixThread thread, uint first, uint last, CloseRangeFlags flags)
    {
        if (first > last || (flags & ~(CloseRangeFlags.CLOSE_RANGE_CLOEXEC | CloseRangeFlags.CLOSE_RANGE_UNSHARE)) != 0) return Errno.EINVAL;
        if ((flags & CloseRangeFlags.CLOSE_RANGE_UNSHARE) != 0 && thread.Files.IsShared)
        {
            var own = thread.Files.Clone();
            thread.Files.Release(thread.Process);
            thread.Files = own;
        }

        for (uint fd = first; fd <= last && fd < (uint)thread.Files.Capacity; fd++)
        {
            if ((flags & CloseRangeFlags.CLOSE_RANGE_CLOEXEC) != 0) thread.Files.SetCloseOnExec((int)fd, true);
            else thread.Files.Close(thread.Process, (int)fd);
        }

        return 0;
    }

    private static SyscallResult Open(PosixThread thread, int dirfd, UserPath path, OpenFlags flags, uint mode, ResolveFlags resolve)
    {
        if ((flags & OpenFlags.O_PATH) != 0) flags &= OpenFlags.O_PATH | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW | OpenFlags.O_CLOEXEC;
        bool temporary = (flags & TemporaryBit) != 0;
        bool writes = (flags & OpenFlags.O_ACCMODE) is OpenFlags.O_WRONLY or OpenFlags.O_RDWR;
        if (temporary && ((flags & OpenFlags.O_DIRECTORY) == 0 || !writes || (flags & OpenFlags.O_CREAT) != 0)) return Errno.EINVAL;
        if (!temporary && (flags & OpenFlags.O_CREAT) != 0 && (flags & OpenFlags.O_DIRECTORY) != 0) return Errno.EINVAL;

        // Waiting in a FIFO for the other end: the path was walked already, and may lead elsewhere by now.
        if (thread.ResumeState is PipeEnd { Dentry: { } place }) return OpenDentry(thread, place, flags, created: true);

        var error = thread.Memory.User.ReadPath(path, out string text);
        if (error == Errno.None && text.Length == 0) error = Errno.ENOENT;
        if (error == Errno.None) error = thread.Files.CheckSpace();
        if (error != Errno.None) return error;

        // With these the directory is the root of the walk, for absolute paths as well.
        bool confined = (resolve & (ResolveFlags.RESOLVE_BENEATH | ResolveFlags.RESOLVE_IN_ROOT)) != 0;
        error = PathArguments.FindStart(thread, dirfd, confined ? "" : text, out var start);
        if (error != Errno.None) return error;

        var walk = new PathWalk(thread, start, resolve);
        bool created = false;
        Dentry? dentry;
        if ((flags & OpenFlags.O_CREAT) != 0)
        {
            error = WalkForCreate(thread, ref walk, text, flags, mode, out dentry, out created);
        }
        else
        {
            error = walk.Walk(text, (flags & OpenFlags.O_NOFOLLOW) != 0 ? WalkFlags.NoFollow : WalkFlags.None);
            dentry = walk.Current;
        }

        if (error != Errno.None) return error;
        if (temporary)
        {
            error = CreateTemporary(thread, ref dentry!, mode);
            if (error != Errno.None) return error;
            created = true;
        }

        return OpenDentry(thread, dentry!, flags, created);
    }

    /// <summary>Opens what a walk has found and installs a descriptor.</summary>
    private static SyscallResult OpenDentry(PosixThread thread, Dentry dentry, OpenFlags flags, bool created)
    {
        var inode = dentry.Inode;
        var error = CheckOpen(thread, dentry, flags, created);
        if (error != Errno.None) return error;
        if (inode.Locks?.Leases is { Count: > 0 } && (flags & OpenFlags.O_PATH) == 0
            && FileLeases.Break(thread, inode, (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY || (flags & OpenFlags.O_TRUNC) != 0, (flags & OpenFlags.O_NONBLOCK) != 0) is { } waits)
        {
            return waits;
        }

        if (HostNameFiles.MayBe(dentry)) thread.Kernel.HostNames.Refresh(thread.Kernel, dentry);
        FileDescription? description = null;
        if ((flags & OpenFlags.O_PATH) != 0)
        {
            description = new PathDescription(inode, OpenFlags.O_PATH);
        }
        else
        {
            if ((flags & OpenFlags.O_TRUNC) != 0 && inode.IsRegular && !created)
            {
                error = inode.Truncate(thread, 0);
                if (error != Errno.None) return error;
            }

            var kept = (flags & ~Creation & ~TemporaryBit) | OpenFlags.O_LARGEFILE;
            var result = inode.Open(thread, kept, out description);
            if (result.IsBlocked && thread.ResumeState is PipeEnd waiting) waiting.Dentry = dentry;
            if (description is null) return result;
        }

        if (inode is not AnonymousInode) description.Dentry ??= dentry;
        error = thread.Files.Install(description, (flags & OpenFlags.O_CLOEXEC) != 0, out int descriptor);
        if (error == Errno.None)
        {
            if ((flags & OpenFlags.O_PATH) == 0) thread.Kernel.Watches.OnFile(description.Dentry, inode, InotifyMask.IN_OPEN);
            if ((flags & OpenFlags.O_TRUNC) != 0 && inode.IsRegular && !created) thread.Kernel.Watches.OnFile(description.Dentry, inode, InotifyMask.IN_MODIFY);
            if (description is TerminalDescription { CanRead: true } opened && (flags & OpenFlags.O_NOCTTY) == 0) opened.Terminal.AcquireOnOpen(thread.Process);
            return descriptor;
        }

        description.Release(thread.Kernel);
        return error;
    }

    private static Errno CheckOpen(PosixThread thread, Dentry dentry, OpenFlags flags, bool created)
    {
        var inode = dentry.Inode;
        bool pathOnly = (flags & OpenFlags.O_PATH) != 0;
        var access = flags & OpenFlags.O_ACCMODE;
        bool writes = access != OpenFlags.O_RDONLY || (flags & OpenFlags.O_TRUNC) != 0;
        if (inode.IsSymbolicLink && !pathOnly) return Errno.ELOOP;
        if ((flags & OpenFlags.O_DIRECTORY) != 0 && !created && !inode.IsDirectory) return Errno.ENOTDIR;
        if (pathOnly) return Errno.None;
        if (inode.IsDirectory && (writes || (flags & OpenFlags.O_CREAT) != 0)) return Errno.EISDIR;
        if ((inode.Mode & InodeMode.S_IFMT) == InodeMode.S_IFSOCK) return Errno.ENXIO;
        bool device = (inode.Mode & InodeMode.S_IFMT) is InodeMode.S_IFCHR or InodeMode.S_IFBLK;
        if (device && (dentry.Mount.Flags & MountFlags.MS_NODEV) != 0) return Errno.EACCES;
        if (writes && dentry.Mount.IsReadOnly && (inode.IsRegular || inode.IsDirectory)) return Errno.EROFS;
        if (created) return Errno.None;
        if (writes && inode.CheckWritable() is var busy && busy != Errno.None)
        {
            var denied = Permissions.Check(thread, inode, AccessMode.W_OK);
            return denied != Errno.None ? denied : busy;
        }

        // Access mode 3 is read and write permission with neither read nor write: for ioctl only.
        var mask = access switch
        {
            OpenFlags.O_RDONLY => AccessMode.R_OK,
            OpenFlags.O_WRONLY => AccessMode.W_OK,
            _ => AccessMode.R_OK | AccessMode.W_OK,
        };
        if ((flags & OpenFlags.O_TRUNC) != 0) mask |= AccessMode.W_OK;
        var error = Permissions.Check(thread, inode, mask);
        if (error != Errno.None) return error;
        return (flags & OpenFlags.O_NOATIME) != 0 && !Permissions.IsOwner(thread, inode) ? Errno.EPERM : Errno.None;
    }

    private static Errno WalkForCreate(
        PosixThread thread, ref PathWalk walk, string path, OpenFlags flags, uint mode, out Dentry? dentry, out bool created)
    {
        created = false;
        dentry = null;
        var error = walk.Walk(path, WalkFlags.Parent);
        while (error == Errno.None)
        {
            if (walk.LastIsSpecial) return (flags & OpenFlags.O_EXCL) != 0 ? Errno.EEXIST : Errno.EISDIR;
            if (walk.TrailingSlash) return Errno.EISDIR;
            error = walk.Lookup(walk.LastName, out dentry);
            if (error == Errno.ENOENT) return CreateFile(thread, ref walk, mode, out dentry, out created);
            if (error != Errno.None) return error;
            if ((flags & OpenFlags.O_EXCL) != 0) return Errno.EEXIST;
            if (!dentry!.Inode.IsSymbolicLink) return Errno.None;
            if ((flags & OpenFlags.O_NOFOLLOW) != 0) return Errno.ELOOP;
            error = walk.FollowLast(dentry.Inode, out var target);
            if (target is null) continue;
            dentry = target;
            return Errno.None;
        }

        return error;
    }

    private static Errno CreateFile(PosixThread thread, ref PathWalk walk, uint mode, out Dentry? dentry, out bool created)
    {
        dentry = null;
        created = false;
        var error = PathArguments.CheckWritable(thread, walk.Current);
        if (error != Errno.None) return error;
        error = walk.Current.Inode.Create(thread, walk.LastName, InodeMode.S_IFREG | PathArguments.ModeOf(thread, mode), 0, out var inode);
        if (error != Errno.None) return error;
        created = true;
        dentry = walk.Current.GetChild(walk.LastName, inode!);
        return Errno.None;
    }

    private static Errno CreateTemporary(PosixThread thread, ref Dentry dentry, uint mode)
    {
        if (!dentry.Inode.IsDirectory) return Errno.ENOTDIR;
        var error = PathArguments.CheckWritable(thread, dentry);
        if (error != Errno.None) return error;
        error = dentry.Inode.CreateUnnamed(thread, InodeMode.S_IFREG | PathArguments.ModeOf(thread, mode), out var inode);
        if (error != Errno.None) return error;
        var unnamed = new Dentry(dentry.Mount, dentry, $"#{inode!.Number}", inode) { IsUnnamed = true };
        unnamed.MarkDeleted();
        dentry = unnamed;
        return Errno.None;
    }
}
