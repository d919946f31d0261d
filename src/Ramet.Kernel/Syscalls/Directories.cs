using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Directories: getdents64(2), mkdir(2), rmdir(2), chdir(2), getcwd(2), chroot(2), umask(2).</summary>
internal static class Directories
{
    [Syscall(SyscallNumber.getdents64)]
    internal static SyscallResult GetDents64(PosixThread thread, int fd, UserAddress buffer, uint count)
    {
        if (thread.Files.Get(fd) is not { CanRead: true } description) return Errno.EBADF;
        var io = new IoBuffer(thread.Memory.User, buffer, Math.Min(count, int.MaxValue));
        return description.ReadDirectory(thread, ref io);
    }

    [Syscall(SyscallNumber.getdents)]
    internal static SyscallResult GetDents(PosixThread thread, int fd, UserAddress buffer, uint count)
    {
        if (thread.Files.Get(fd) is not { CanRead: true } description) return Errno.EBADF;
        var io = new IoBuffer(thread.Memory.User, buffer, Math.Min(count, int.MaxValue));
        return description is DirectoryDescription directory ? directory.ReadEntries(thread, ref io, legacy: true) : Errno.ENOTDIR;
    }

    [Syscall(SyscallNumber.mkdir)]
    internal static SyscallResult MkDir(PosixThread thread, UserPath path, uint mode) => MkDirAt(thread, PathArguments.CurrentDirectory, path, mode);

    [Syscall(SyscallNumber.mkdirat)]
    internal static SyscallResult MkDirAt(PosixThread thread, int dirfd, UserPath path, uint mode)
    {
        var error = PathArguments.ResolveForCreate(thread, dirfd, path, directory: true, out var walk);
        if (error != Errno.None) return error;
        const InodeMode Allowed = (InodeMode)0x1FF | InodeMode.S_ISVTX;
        return walk.Current.Inode.MakeDirectory(thread, walk.LastName, PathArguments.ModeOf(thread, mode) & Allowed, out _);
    }

    [Syscall(SyscallNumber.rmdir)]
    internal static SyscallResult RmDir(PosixThread thread, UserPath path) => RemoveAt(thread, PathArguments.CurrentDirectory, path);

    /// <summary>rmdir, and unlinkat with AT_REMOVEDIR.</summary>
    internal static SyscallResult RemoveAt(PosixThread thread, int dirfd, UserPath path)
    {
        var error = PathArguments.ResolveParent(thread, dirfd, path, out var walk);
        if (error != Errno.None) return error;
        if (walk.LastIsSpecial) return walk.LastName == "." ? Errno.EINVAL : walk.LastName == ".." ? Errno.ENOTEMPTY : Errno.EBUSY;
        error = walk.Lookup(walk.LastName, out var child);
        if (error != Errno.None) return error;
        if (child!.Parent is null) return Errno.EBUSY;
        if (walk.Current.Mount.IsReadOnly) return Errno.EROFS;
        error = Permissions.CheckDelete(thread, walk.Current.Inode, child.Inode);
        if (error != Errno.None) return error;
        if (!child.Inode.IsDirectory) return Errno.ENOTDIR;
        if (child == thread.FileSystem.Root) return Errno.EBUSY;
        error = walk.Current.Inode.RemoveDirectory(thread, walk.LastName, child.Inode);
        if (error == Errno.None) child.MarkDeleted();
        return error;
    }

    [Syscall(SyscallNumber.chdir)]
    internal static SyscallResult ChDir(PosixThread thread, UserPath path)
    {
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry);
        return error != Errno.None ? error : ChangeTo(thread, dentry);
    }

    [Syscall(SyscallNumber.fchdir)]
    internal static SyscallResult FChDir(PosixThread thread, int fd)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        return description.Dentry is null ? Errno.ENOTDIR : ChangeTo(thread, description.Dentry);
    }

    [Syscall(SyscallNumber.chroot)]
    internal static SyscallResult ChRoot(PosixThread thread, UserPath path)
    {
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry);
        if (error == Errno.None) error = CheckEnter(thread, dentry);
        if (error != Errno.None) return error;
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_CHROOT)) return Errno.EPERM;
        thread.FileSystem.Root = dentry;
        return 0;
    }

    [Syscall(SyscallNumber.getcwd)]
    internal static SyscallResult GetCwd(PosixThread thread, UserAddress buffer, ulong size)
    {
        var directory = thread.FileSystem.WorkingDirectory;
        if (directory.IsUnlinked) return Errno.ENOENT;
        string path = directory.GetPath(thread.FileSystem.Root) ?? "(unreachable)" + (directory.GetPath(thread.FileSystem.Namespace.Root) ?? "/");
        byte[] bytes = Encoding.Latin1.GetBytes(path + '\0');
        if (bytes.Length > UserMemory.PathMax) return Errno.ENAMETOOLONG;
        if ((ulong)bytes.Length > size) return Errno.ERANGE;
        return thread.Memory.User.Write(buffer, bytes) == bytes.Length ? bytes.Length : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.umask)]
    internal static SyscallResult Umask(PosixThread thread, uint mask)
    {
        var previous = thread.FileSystem.Umask;
        thread.FileSystem.Umask = (InodeMode)(mask & 0x1FF);
        return (int)previous;
    }

    private static SyscallResult ChangeTo(PosixThread thread, Dentry dentry)
    {
        var error = CheckEnter(thread, dentry);
        if (error == Errno.None) thread.FileSystem.WorkingDirectory = dentry;
        return error;
    }

    private static Errno CheckEnter(PosixThread thread, Dentry dentry) =>
        dentry.Inode.IsDirectory ? Permissions.Check(thread, dentry.Inode, AccessMode.X_OK) : Errno.ENOTDIR;
}
