using Ramet.Kernel.Processes;
using Ramet.Kernel.Sockets;

namespace Ramet.Kernel.Sockets
{
    using Ramet.Kernel.Files;

    /// <summary>Socket files: how Unix sockets use the file system.</summary>
    internal static class UnixSocketFiles
    {
        /// <summary>Makes a socket file at a path, with the umask applied. EEXIST.</summary>
        public static Errno Create(PosixThread thread, string path, InodeMode mode, out Inode? inode) => throw new NotImplementedException();

        /// <summary>Finds the socket file at a path; the caller must be allowed to write to it. ECONNREFUSED when it is no socket.</summary>
        public static Errno Find(PosixThread thread, string path, out Inode? inode) => throw new NotImplementedException();
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
