using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>From the path arguments of system calls to dentries and inodes.</summary>
internal static class PathArguments
{
    /// <summary>AT_FDCWD.</summary>
    public const int CurrentDirectory = -100;

    /// <summary>Where a path starts: the root, the working directory, or the directory that a descriptor refers to. EBADF, ENOTDIR.</summary>
    public static Errno FindStart(PosixThread thread, int dirfd, string path, out Dentry start)
    {
        start = thread.FileSystem.WorkingDirectory;
        if (dirfd == CurrentDirectory || path.StartsWith('/')) return Errno.None;
        if (thread.Files.Get(dirfd) is not { } description) return Errno.EBADF;
        if (description.Dentry is null || !description.Inode.IsDirectory) return Errno.ENOTDIR;
        start = description.Dentry;
        return Errno.None;
    }

    /// <summary>Resolves a path argument to what it names.</summary>
    public static Errno Resolve(PosixThread thread, int dirfd, UserPath path, WalkFlags flags, out Dentry dentry)
    {
        dentry = null!;
        var error = thread.Memory.User.ReadPath(path, out string text);
        return error != Errno.None ? error : Resolve(thread, dirfd, text, flags, out dentry);
    }

    /// <summary>Resolves a path to what it names.</summary>
    public static Errno Resolve(PosixThread thread, int dirfd, string path, WalkFlags flags, out Dentry dentry)
    {
        dentry = null!;
        if (path.Length == 0) return Errno.ENOENT;
        var error = FindStart(thread, dirfd, path, out var start);
        if (error != Errno.None) return error;
        var walk = new PathWalk(thread, start);
        error = walk.Walk(path, flags);
        dentry = walk.Current;
        return error;
    }

    /// <summary>
    /// Resolves the path of an *at call, whose flags may hold AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW. The dentry is null for an anonymous
    /// object that a descriptor refers to.
    /// </summary>
    public static Errno ResolveAt(PosixThread thread, int dirfd, UserPath path, AtFlags flags, out Inode inode, out Dentry? dentry)
    {
        inode = null!;
        dentry = null;
        string text = "";
        bool emptyAllowed = (flags & AtFlags.AT_EMPTY_PATH) != 0;
        if (!(emptyAllowed && path.Address.IsNull))
        {
            var bad = thread.Memory.User.ReadPath(path, out text);
            if (bad != Errno.None) return bad;
        }

        if (text.Length == 0 && emptyAllowed)
        {
            if (dirfd == CurrentDirectory)
            {
                dentry = thread.FileSystem.WorkingDirectory;
                inode = dentry.Inode;
                return Errno.None;
            }

            if (thread.Files.Get(dirfd) is not { } description) return Errno.EBADF;
            inode = description.Inode;
            dentry = description.Dentry;
            return Errno.None;
        }

        var error = Resolve(thread, dirfd, text, (flags & AtFlags.AT_SYMLINK_NOFOLLOW) != 0 ? WalkFlags.NoFollow : WalkFlags.None, out var found);
        if (error != Errno.None) return error;
        dentry = found;
        inode = found.Inode;
        return Errno.None;
    }

    /// <summary>Walks to the directory in which a path's last component is, or is to be.</summary>
    public static Errno ResolveParent(PosixThread thread, int dirfd, UserPath path, out PathWalk walk)
    {
        walk = default;
        var error = thread.Memory.User.ReadPath(path, out string text);
        return error != Errno.None ? error : ResolveParent(thread, dirfd, text, out walk);
    }

    /// <summary>Walks to the directory in which a path's last component is, or is to be.</summary>
    public static Errno ResolveParent(PosixThread thread, int dirfd, string path, out PathWalk walk)
    {
        walk = default;
        if (path.Length == 0) return Errno.ENOENT;
        var error = FindStart(thread, dirfd, path, out var start);
        if (error != Errno.None) return error;
        walk = new PathWalk(thread, start);
        return walk.Walk(path, WalkFlags.Parent);
    }

    /// <summary>
    /// Walks to the directory in which something is to be made, and checks that it may be. EEXIST, ENOENT (a trailing slash on what is
    /// not to be a directory), EROFS, EACCES.
    /// </summary>
    public static Errno ResolveForCreate(PosixThread thread, int dirfd, UserPath path, bool directory, out PathWalk walk)
    {
        walk = default;
        var error = thread.Memory.User.ReadPath(path, out string text);
        return error != Errno.None ? error : ResolveForCreate(thread, dirfd, text, directory, out walk);
    }

    /// <inheritdoc cref="ResolveForCreate(PosixThread, int, UserPath, bool, out PathWalk)"/>
    public static Errno ResolveForCreate(PosixThread thread, int dirfd, string path, bool directory, out PathWalk walk)
    {
        var error = ResolveParent(thread, dirfd, path, out walk);
        if (error != Errno.None) return error;
        if (walk.LastIsSpecial) return Errno.EEXIST;
        error = walk.Lookup(walk.LastName, out _);
        if (error == Errno.None) return Errno.EEXIST;
        if (error != Errno.ENOENT) return error;
        if (walk.TrailingSlash && !directory) return Errno.ENOENT;
        return CheckWritable(thread, walk.Current);
    }

    /// <summary>Whether names may be added to or taken from a directory. EROFS, EACCES.</summary>
    public static Errno CheckWritable(PosixThread thread, Dentry directory) => directory.Mount.IsReadOnly
        ? Errno.EROFS
        : Permissions.Check(thread, directory.Inode, AccessMode.W_OK | AccessMode.X_OK);

    /// <summary>The mode of a new file: permission bits without those in the umask.</summary>
    public static InodeMode ModeOf(PosixThread thread, uint mode) => (InodeMode)mode & InodeMode.Permissions & ~thread.FileSystem.Umask;
}
