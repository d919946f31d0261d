using System.Globalization;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>The inode of something that has no name in any file system: a pipe, a socket, an epoll set, a stream of the host.</summary>
[Saved]
public sealed partial class AnonymousInode : Inode
{
    private AnonymousInode()
    {
    }

    /// <summary>An inode with a number of its own.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="kind">pipe, socket, or what follows anon_inode: in the link's name, such as [eventpoll].</param>
    /// <param name="mode">st_mode.</param>
    /// <param name="creator">Who owns it; null: root.</param>
    public AnonymousInode(Kernel kernel, string kind, InodeMode mode, PosixThread? creator = null)
    {
        Kind = kind;
        Mode = mode;
        Number = kernel.AnonymousFileSystems.NextNumber();
        FileSystem = kernel.AnonymousFileSystems.Get(kernel, kind);
        Uid = creator?.Credentials.FileSystemUid ?? 0;
        Gid = creator?.Credentials.FileSystemGid ?? 0;
        AccessTime = ModifyTime = ChangeTime = kernel.RealtimeNow;
    }

    /// <summary>pipe, socket, or what follows anon_inode: in the link's name, such as [eventpoll].</summary>
    public string Kind { get; private set; } = "";

    /// <summary>What readlink of /proc/self/fd/N says (proc(5)).</summary>
    public string LinkName => Kind is "pipe" or "socket"
        ? string.Create(CultureInfo.InvariantCulture, $"{Kind}:[{Number}]")
        : "anon_inode:" + Kind;

    /// <summary>By way of /proc/self/fd and /dev/stdin, pipes and streams of the host are opened anew; nothing else is: ENXIO.</summary>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        switch (Attachment)
        {
            case Fifo fifo:
                return fifo.Open(thread, flags, this, out description);
            case HostStream stream:
                return stream.Reopen(flags, out description);
            default:
                description = null;
                return Errno.ENXIO;
        }
    }
}
