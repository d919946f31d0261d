using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Names of files: link(2), symlink(2), readlink(2), unlink(2), rename(2), mknod(2).</summary>
internal static class Links
{
    [Syscall(SyscallNumber.link)]
    internal static SyscallResult Link(PosixThread thread, UserPath path, UserPath newPath) =>
        LinkAt(thread, PathArguments.CurrentDirectory, path, PathArguments.CurrentDirectory, newPath, AtFlags.None);

    [Syscall(SyscallNumber.linkat)]
    internal static SyscallResult LinkAt(PosixThread thread, int dirfd, UserPath path, int newDirfd, UserPath newPath, AtFlags flags)
    {
        if ((flags & ~(AtFlags.AT_SYMLINK_FOLLOW | AtFlags.AT_EMPTY_PATH)) != 0) return Errno.EINVAL;
        bool follow = (flags & AtFlags.AT_SYMLINK_FOLLOW) != 0;
        var at = (flags & AtFlags.AT_EMPTY_PATH) | (follow ? AtFlags.None : AtFlags.AT_SYMLINK_NOFOLLOW);
        var error = PathArguments.ResolveAt(thread, dirfd, path, at, out var inode, out var dentry);
        if (error != Errno.None) return error;
        error = PathArguments.ResolveForCreate(thread, newDirfd, newPath, directory: false, out var walk);
        if (error != Errno.None) return error;
        if (dentry is null || dentry.Mount != walk.Current.Mount) return Errno.EXDEV;
        if (inode.IsDirectory) return Errno.EPERM;

        // A file without names can get one only if it was opened with O_TMPFILE (and not by O_EXCL, which is not tracked).
        if (inode.LinkCount == 0 && !dentry.IsUnnamed) return Errno.ENOENT;
        error = walk.Current.Inode.Link(thread, walk.LastName, inode);
        if (error == Errno.None) walk.Current.GetChild(walk.LastName, inode);
        return error;
    }

    [Syscall(SyscallNumber.symlink)]
    internal static SyscallResult SymLink(PosixThread thread, UserPath target, UserPath path) =>
        SymLinkAt(thread, target, PathArguments.CurrentDirectory, path);

    [Syscall(SyscallNumber.symlinkat)]
    internal static SyscallResult SymLinkAt(PosixThread thread, UserPath target, int dirfd, UserPath path)
    {
        var error = thread.Memory.User.ReadPath(target, out string text);
        if (error != Errno.None) return error;
        if (text.Length == 0) return Errno.ENOENT;
        error = PathArguments.ResolveForCreate(thread, dirfd, path, directory: false, out var walk);
        return error != Errno.None ? error : walk.Current.Inode.MakeSymbolicLink(thread, walk.LastName, text, out _);
    }

    [Syscall(SyscallNumber.readlink)]
    internal static SyscallResult ReadLink(PosixThread thread, UserPath path, [Out] UserAddress buffer, int size) =>
        ReadLinkAt(thread, PathArguments.CurrentDirectory, path, buffer, size);

    [Syscall(SyscallNumber.readlinkat)]
    internal static SyscallResult ReadLinkAt(PosixThread thread, int dirfd, UserPath path, [Out] UserAddress buffer, int size)
    {
        if (size <= 0) return Errno.EINVAL;

        // An empty path means the descriptor itself, which was opened with O_PATH and O_NOFOLLOW.
        var error = PathArguments.ResolveAt(thread, dirfd, path, AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH, out var inode, out _);
        if (error != Errno.None) return error;
        if (!inode.IsSymbolicLink) return thread.Memory.User.ReadPath(path, out string text) == Errno.None && text.Length == 0 ? Errno.ENOENT : Errno.EINVAL;
        error = inode.ReadLink(thread, out string target);
        if (error != Errno.None) return error;
        byte[] bytes = Encoding.Latin1.GetBytes(target);
        int length = Math.Min(bytes.Length, size);
        return thread.Memory.User.Write(buffer, bytes.AsSpan(0, length)) == length ? length : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.unlink)]
    internal static SyscallResult Unlink(PosixThread thread, UserPath path) => UnlinkAt(thread, PathArguments.CurrentDirectory, path, AtFlags.None);

    [Syscall(SyscallNumber.unlinkat)]
    internal static SyscallResult UnlinkAt(PosixThread thread, int dirfd, UserPath path, AtFlags flags)
    {
        if ((flags & ~AtFlags.AT_REMOVEDIR) != 0) return Errno.EINVAL;
        if ((flags & AtFlags.AT_REMOVEDIR) != 0) return Directories.RemoveAt(thread, dirfd, path);
        var error = PathArguments.ResolveParent(thread, dirfd, path, out var walk);
        if (error != Errno.None) return error;
        if (walk.LastIsSpecial) return Errno.EISDIR;
        error = walk.Lookup(walk.LastName, out var child);
        if (error != Errno.None) return error;
        if (walk.TrailingSlash) return child!.Inode.IsDirectory ? Errno.EISDIR : Errno.ENOTDIR;
        if (child!.Parent is null) return Errno.EBUSY;
        if (walk.Current.Mount.IsReadOnly) return Errno.EROFS;
        error = Permissions.CheckDelete(thread, walk.Current.Inode, child.Inode);
        if (error != Errno.None) return error;
        error = walk.Current.Inode.Unlink(thread, walk.LastName, child.Inode);
        if (error == Errno.None) child.MarkDeleted();
        return error;
    }

    [Syscall(SyscallNumber.rename)]
    internal static SyscallResult Rename(PosixThread thread, UserPath path, UserPath newPath) =>
        RenameAt2(thread, PathArguments.CurrentDirectory, path, PathArguments.CurrentDirectory, newPath, RenameFlags.None);

    [Syscall(SyscallNumber.renameat)]
    internal static SyscallResult RenameAt(PosixThread thread, int dirfd, UserPath path, int newDirfd, UserPath newPath) =>
        RenameAt2(thread, dirfd, path, newDirfd, newPath, RenameFlags.None);

    [Syscall(SyscallNumber.renameat2)]
    internal static SyscallResult RenameAt2(PosixThread thread, int dirfd, UserPath path, int newDirfd, UserPath newPath, RenameFlags flags)
    {
        const RenameFlags Others = RenameFlags.RENAME_NOREPLACE | RenameFlags.RENAME_WHITEOUT;
        if ((flags & ~(Others | RenameFlags.RENAME_EXCHANGE)) != 0) return Errno.EINVAL;
        if ((flags & RenameFlags.RENAME_EXCHANGE) != 0 && (flags & Others) != 0) return Errno.EINVAL;
        if ((flags & RenameFlags.RENAME_WHITEOUT) != 0 && !thread.Credentials.HasCapability(Capability.CAP_MKNOD)) return Errno.EPERM;
        var error = PathArguments.ResolveParent(thread, dirfd, path, out var from);
        if (error != Errno.None) return error;
        error = PathArguments.ResolveParent(thread, newDirfd, newPath, out var to);
        if (error != Errno.None) return error;
        if (from.Current.Mount != to.Current.Mount) return Errno.EXDEV;
        if (from.LastIsSpecial) return Errno.EBUSY;
        if (to.LastIsSpecial) return (flags & RenameFlags.RENAME_NOREPLACE) != 0 ? Errno.EEXIST : Errno.EBUSY;

        error = from.Lookup(from.LastName, out var source);
        if (error != Errno.None) return error;
        error = to.Lookup(to.LastName, out var target);
        if (error != Errno.None && error != Errno.ENOENT) return error;
        error = CheckRename(thread, from, source!, to, target, flags);
        if (error != Errno.None || source!.Inode == target?.Inode) return error;

        error = from.Current.Inode.Rename(thread, from.LastName, to.Current.Inode, to.LastName, (uint)flags);
        if (error != Errno.None) return error;
        if (target is not null && (flags & RenameFlags.RENAME_EXCHANGE) != 0)
        {
            source.Move(to.Current, to.LastName);
            target.Move(from.Current, from.LastName);
            return 0;
        }

        target?.MarkDeleted();
        source.Move(to.Current, to.LastName);
        return 0;
    }

    [Syscall(SyscallNumber.mknod)]
    internal static SyscallResult MkNod(PosixThread thread, UserPath path, uint mode, uint device) =>
        MkNodAt(thread, PathArguments.CurrentDirectory, path, mode, device);

    [Syscall(SyscallNumber.mknodat)]
    internal static SyscallResult MkNodAt(PosixThread thread, int dirfd, UserPath path, uint mode, uint device)
    {
        var type = (InodeMode)mode & InodeMode.S_IFMT;
        if (type == 0) type = InodeMode.S_IFREG;
        if (type == InodeMode.S_IFDIR) return Errno.EPERM;
        if (type is not (InodeMode.S_IFREG or InodeMode.S_IFIFO or InodeMode.S_IFSOCK or InodeMode.S_IFCHR or InodeMode.S_IFBLK)) return Errno.EINVAL;
        var error = PathArguments.ResolveForCreate(thread, dirfd, path, directory: false, out var walk);
        if (error != Errno.None) return error;
        bool isDevice = type is InodeMode.S_IFCHR or InodeMode.S_IFBLK;
        if (isDevice && !thread.Credentials.HasCapability(Capability.CAP_MKNOD)) return Errno.EPERM;
        return walk.Current.Inode.Create(thread, walk.LastName, type | PathArguments.ModeOf(thread, mode), isDevice ? device : 0, out _);
    }

    private static Errno CheckRename(PosixThread thread, PathWalk from, Dentry source, PathWalk to, Dentry? target, RenameFlags flags)
    {
        bool exchange = (flags & RenameFlags.RENAME_EXCHANGE) != 0;
        if (target is not null && (flags & RenameFlags.RENAME_NOREPLACE) != 0) return Errno.EEXIST;
        if (target is null && exchange) return Errno.ENOENT;
        bool isDirectory = source.Inode.IsDirectory;
        if (!isDirectory && (from.TrailingSlash || (!exchange && to.TrailingSlash))) return Errno.ENOTDIR;
        if (exchange && to.TrailingSlash && !target!.Inode.IsDirectory) return Errno.ENOTDIR;
        if (source.Parent is null || target is { Parent: null }) return Errno.EBUSY;
        if (source.IsAncestorOrSelf(to.Current)) return Errno.EINVAL;
        if (target?.IsAncestorOrSelf(from.Current) == true) return exchange ? Errno.EINVAL : Errno.ENOTEMPTY;
        if (from.Current.Mount.IsReadOnly) return Errno.EROFS;

        var error = Permissions.CheckDelete(thread, from.Current.Inode, source.Inode);
        if (error != Errno.None) return error;
        error = target is null
            ? Permissions.Check(thread, to.Current.Inode, AccessMode.W_OK | AccessMode.X_OK)
            : Permissions.CheckDelete(thread, to.Current.Inode, target.Inode);
        if (error != Errno.None) return error;
        if (target is not null && !exchange && target.Inode != source.Inode)
        {
            if (isDirectory && !target.Inode.IsDirectory) return Errno.ENOTDIR;
            if (!isDirectory && target.Inode.IsDirectory) return Errno.EISDIR;
        }

        // A directory that moves gets another "..": that is a change to the directory itself.
        return isDirectory && from.Current != to.Current ? Permissions.Check(thread, source.Inode, AccessMode.W_OK) : Errno.None;
    }
}
