using Ramet.Kernel.Processes;
using Ramet.Kernel.Sockets;

namespace Ramet.Kernel.Sockets
{
    using Ramet.Kernel.Files;
    using Ramet.Kernel.Syscalls;

    /// <summary>Socket files: how Unix sockets use the file system.</summary>
    internal static class UnixSocketFiles
    {
        /// <summary>Makes a socket file at a path, with the umask applied. EEXIST.</summary>
        public static Errno Create(PosixThread thread, string path, InodeMode mode, out Inode? inode)
        {
            inode = null;
            var error = PathArguments.ResolveForCreate(thread, PathArguments.CurrentDirectory, path, directory: false, out var walk);
            if (error != Errno.None) return error;
            return walk.Current.Inode.Create(thread, walk.LastName, InodeMode.S_IFSOCK | PathArguments.ModeOf(thread, (uint)mode), 0, out inode);
        }

        /// <summary>Finds the socket file at a path; the caller must be allowed to write to it. ECONNREFUSED when it is no socket.</summary>
        public static Errno Find(PosixThread thread, string path, out Inode? inode)
        {
            inode = null;
            var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry);
            if (error == Errno.None) error = Permissions.Check(thread, dentry.Inode, AccessMode.W_OK);
            if (error != Errno.None) return error;
            if ((dentry.Inode.Mode & InodeMode.S_IFMT) != InodeMode.S_IFSOCK) return Errno.ECONNREFUSED;
            inode = dentry.Inode;
            return Errno.None;
        }
    }
}

namespace Ramet.Kernel.Files
{
    public abstract partial class Inode
    {
        /// <summary>The socket that is bound to this file (S_IFSOCK); null: none, connections are refused.</summary>
        internal Socket? BoundSocket { get; set; }
    }
}
