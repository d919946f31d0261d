using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>Socket files: how Unix sockets use the file system. The socket that is bound to a file is the inode's <see cref="Inode.Attachment"/>.</summary>
internal static class UnixSocketFiles
{
    /// <summary>Makes a socket file at a path, with the umask applied. EEXIST when the name is taken.</summary>
    public static Errno Create(PosixThread thread, string path, InodeMode mode, out Inode? inode)
    {
        inode = null;
        var error = PathArguments.FindStart(thread, PathArguments.CurrentDirectory, path, out var start);
        if (error != Errno.None) return error;
        var walk = new PathWalk(thread, start);
        error = walk.Walk(path, WalkFlags.Parent);
        if (error != Errno.None) return error;
        if (walk.LastIsSpecial) return Errno.EEXIST;
        error = walk.Lookup(walk.LastName, out _);
        if (error != Errno.ENOENT) return error == Errno.None ? Errno.EEXIST : error;
        if (walk.TrailingSlash) return Errno.ENOENT;
        error = PathArguments.CheckWritable(thread, walk.Current);
        if (error != Errno.None) return error;
        return walk.Current.Inode.Create(thread, walk.LastName, InodeMode.S_IFSOCK | PathArguments.ModeOf(thread, (uint)mode), 0, out inode);
    }

    /// <summary>Finds the socket file at a path; the caller must be allowed to write to it. ECONNREFUSED when it is no socket.</summary>
    public static Errno Find(PosixThread thread, string path, out Inode? inode)
    {
        inode = null;
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry);
        if (error != Errno.None) return error;
        inode = dentry.Inode;
        error = Permissions.Check(thread, inode, AccessMode.W_OK);
        if (error != Errno.None) return error;
        return (inode.Mode & InodeMode.S_IFMT) == InodeMode.S_IFSOCK ? Errno.None : Errno.ECONNREFUSED;
    }
}
