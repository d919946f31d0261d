using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Pipes;

/// <summary>
/// What makes an inode of type S_IFIFO work (fifo(7)): a file system keeps one of these for each such inode, and lets <see cref="Open"/> serve its
/// <see cref="Inode.Open"/>. It holds nothing while the FIFO is not open.
/// </summary>
[Saved]
public sealed partial class Fifo
{
    private Pipe? _pipe;

    /// <summary>A FIFO that is not open.</summary>
    public Fifo()
    {
    }

    /// <summary>What lets the ends of a pipe(2) be opened again.</summary>
    internal Fifo(Pipe pipe) => _pipe = pipe;

    /// <summary>
    /// open(2). For reading it waits for a writer, for writing for a reader; with O_NONBLOCK a reader gets in at once and a writer without a reader gets
    /// ENXIO; for both it never waits. The end that waits counts as open already (kept in <see cref="PosixThread.ResumeState"/>), which is what lets the other go on.
    /// </summary>
    public SyscallResult Open(PosixThread thread, OpenFlags flags, Inode inode, out FileDescription? description)
    {
        description = null;
        if (thread.ResumeState is PipeEnd waiting)
        {
            if (waiting.PartnerCame)
            {
                description = waiting;
                thread.ResumeState = null;
                return 0;
            }

            if (thread.SignalPending)
            {
                thread.ResumeState = null;
                waiting.Release(thread.Kernel);
                return SyscallResult.Restart(RestartKind.ERESTARTSYS);
            }

            return thread.BlockOn(waiting.Pipe.Queue);
        }

        if (_pipe is null or { Readers: 0, Writers: 0 }) _pipe = new Pipe();
        var pipe = _pipe;
        var access = flags & OpenFlags.O_ACCMODE;
        bool nonBlocking = (flags & OpenFlags.O_NONBLOCK) != 0;
        if (access == OpenFlags.O_ACCMODE) return Errno.EINVAL;
        // A pipe without a name that is opened anew (/proc/self/fd/N, bash's <(...)) waits for nobody: what is in it may be all that comes.
        bool isPipe = inode is AnonymousInode;
        if (access == OpenFlags.O_WRONLY && nonBlocking && pipe.Readers == 0 && !isPipe) return Errno.ENXIO;

        bool alone = !isPipe && ((access == OpenFlags.O_RDONLY && pipe.Writers == 0) || (access == OpenFlags.O_WRONLY && pipe.Readers == 0));
        var end = new PipeEnd(pipe, inode, flags);
        pipe.Queue.Wake();
        if (alone) end.ExpectPartner();
        if (!alone || nonBlocking)
        {
            description = end;
            return 0;
        }

        if (thread.SignalPending)
        {
            end.Release(thread.Kernel);
            return SyscallResult.Restart(RestartKind.ERESTARTSYS);
        }

        thread.ResumeState = end;
        return thread.BlockOn(pipe.Queue);
    }
}
