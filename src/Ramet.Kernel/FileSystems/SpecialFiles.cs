using Ramet.Kernel.Files;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems;

/// <summary>Where the file systems meet pipes: the one place that knows how a FIFO is opened.</summary>
internal static class SpecialFiles
{
    /// <summary>Opens a FIFO (fifo(7)); its pipe is the inode's <see cref="Inode.Attachment"/>.</summary>
    public static SyscallResult OpenFifo(PosixThread thread, Inode inode, OpenFlags flags, out FileDescription? description)
    {
        var fifo = inode.Attachment as Fifo ?? new Fifo();
        inode.Attachment = fifo;
        return fifo.Open(thread, flags, inode, out description);
    }
}
