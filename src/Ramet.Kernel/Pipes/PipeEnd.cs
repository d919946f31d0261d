using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Pipes;

/// <summary>An open end of a pipe or FIFO; a FIFO may be open for both (fifo(7)).</summary>
[Saved]
public sealed partial class PipeEnd : FileDescription
{
    /// <summary>Value of <see cref="_partnerOpens"/> when it does not matter whether there has been a partner.</summary>
    private const long AnyPartner = -1;

    private long _partnerOpens = AnyPartner;

    private PipeEnd()
    {
    }

    internal PipeEnd(Pipe pipe, Inode inode, OpenFlags flags)
    {
        Pipe = pipe;
        Inode = inode;
        Flags = flags & (OpenFlags.O_ACCMODE | OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT | OpenFlags.O_APPEND | OpenFlags.O_LARGEFILE);
        if (CanRead)
        {
            pipe.Readers++;
            pipe.ReaderOpens++;
        }

        if (CanWrite)
        {
            pipe.Writers++;
            pipe.WriterOpens++;
        }
    }

    /// <summary>The pipe.</summary>
    public Pipe Pipe { get; private set; } = null!;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => Pipe.Queue;

    /// <inheritdoc/>
    internal override bool SupportsAsync => true;

    /// <summary>Makes a pipe: its end for reading and its end for writing.</summary>
    public static (PipeEnd Reader, PipeEnd Writer) CreatePair(Kernel kernel, OpenFlags flags, PosixThread? creator)
    {
        var pipe = new Pipe();
        var inode = new AnonymousInode(kernel, "pipe", InodeMode.S_IFIFO | InodeMode.S_IRUSR | InodeMode.S_IWUSR, creator);
        inode.Attachment = new Fifo(pipe);
        flags &= OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT;
        return (new PipeEnd(pipe, inode, flags & ~OpenFlags.O_DIRECT), new PipeEnd(pipe, inode, flags | OpenFlags.O_WRONLY));
    }

    /// <summary>This end waits in open(2) for the other: it is there when the number of its opens changes.</summary>
    internal void ExpectPartner() => _partnerOpens = CanRead ? Pipe.WriterOpens : Pipe.ReaderOpens;

    /// <summary>Whether the other end has been opened since <see cref="ExpectPartner"/>.</summary>
    internal bool PartnerCame => _partnerOpens == AnyPartner || _partnerOpens != (CanRead ? Pipe.WriterOpens : Pipe.ReaderOpens);

    /// <inheritdoc/>
    public override PollEvents Poll() => Pipe.Poll(CanRead, CanWrite, PartnerCame);

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer) => Pipe.Read(thread, ref buffer, NonBlocking);

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer) =>
        Pipe.Write(thread, ref buffer, NonBlocking, (Flags & OpenFlags.O_DIRECT) != 0);

    /// <inheritdoc/>
    public override SyscallResult GetPipeSize() => Pipe.Capacity;

    /// <inheritdoc/>
    public override SyscallResult SetPipeSize(PosixThread thread, long size) => Pipe.SetCapacity(thread, (uint)size);

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => request switch
    {
        IoctlRequest.FIONREAD => IoctlRequest.PutInt32(thread, argument, Pipe.Count),
        _ => Errno.ENOTTY,
    };

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        if (CanRead) Pipe.Readers--;
        if (CanWrite) Pipe.Writers--;
        Pipe.OnEndClosed(kernel);
    }
}
