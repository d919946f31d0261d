using System.Buffers;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>
/// A standard stream that leads to the host. To programs it is a pipe: fstat says S_IFIFO, there are no offsets, isatty(3) is false.
/// </summary>
[Saved]
public sealed partial class HostStream : FileDescription
{
    private const int ChunkSize = 65536;

    private HostStreams _streams = null!;
    private HostInput? _input;

    private HostStream()
    {
    }

    private HostStream(Kernel kernel, int number, OpenFlags access)
    {
        _streams = kernel.HostStreams;
        Number = number;
        Flags = access;
        // Programs that change users still write to /dev/stderr: anyone may open it.
        Inode = new AnonymousInode(kernel, "pipe", InodeMode.S_IFIFO | (InodeMode)0x1B6) { Attachment = this };
    }

    private HostStream(HostStream original, OpenFlags flags)
    {
        _streams = original._streams;
        _input = original._input;
        Number = original.Number;
        Inode = original.Inode;
        Flags = (original.Flags & OpenFlags.O_ACCMODE) | (flags & (OpenFlags.O_NONBLOCK | OpenFlags.O_APPEND));
    }

    private HostInput Input => _input ?? _streams.Input;

    /// <summary>The number by which the host knows the stream.</summary>
    public int Number { get; private set; }

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => CanRead ? Input.Queue : _streams.OutputQueue;

    /// <summary>A description that reads what the host appends to <see cref="HostStreams.Input"/>.</summary>
    public static HostStream CreateInput(Kernel kernel) => new(kernel, 0, OpenFlags.O_RDONLY);

    /// <summary>A description that reads what the host appends to an input of its own.</summary>
    public static HostStream CreateInput(Kernel kernel, HostInput input) => new(kernel, 0, OpenFlags.O_RDONLY) { _input = input };

    /// <summary>A description whose output goes to <see cref="HostStreams.Sink"/> under this number.</summary>
    public static HostStream CreateOutput(Kernel kernel, int number) => new(kernel, number, OpenFlags.O_WRONLY);

    /// <summary>open(2) by way of /dev/stdin, /dev/stdout or /proc/self/fd. EACCES against the stream's direction.</summary>
    internal SyscallResult Reopen(OpenFlags flags, out FileDescription? description)
    {
        var access = flags & OpenFlags.O_ACCMODE;
        bool wrongWay = access != OpenFlags.O_RDWR && access != (Flags & OpenFlags.O_ACCMODE);
        description = wrongWay ? null : new HostStream(this, flags);
        return wrongWay ? Errno.EACCES : 0;
    }

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        if (!CanRead) return _streams.CanWrite(Number) ? Readiness.Out : PollEvents.None;
        return (Input.Count > 0 ? Readiness.In : PollEvents.None) | (Input.IsClosed ? PollEvents.POLLHUP : PollEvents.None);
    }

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining == 0) return 0;
        var input = Input;
        if (input.Count == 0)
        {
            if (input.IsClosed) return 0;
            return NonBlocking ? Errno.EAGAIN : thread.BlockOn(input.Queue, PollEvents.POLLIN);
        }

        int done = input.Take(ref buffer);
        return done == 0 && buffer.Faulted ? Errno.EFAULT : done;
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        long total = buffer.Length;
        if (total == 0) return 0;
        buffer.Skip(thread.Progress);
        var chunk = ArrayPool<byte>.Shared.Rent((int)Math.Min(ChunkSize, buffer.Remaining));
        try
        {
            while (thread.Progress < total)
            {
                if (!_streams.CanWrite(Number)) return Wait(thread);
                int count = buffer.CopyTo(chunk.AsSpan(0, (int)Math.Min(Math.Min(chunk.Length, ChunkSize), buffer.Remaining)));
                if (count == 0) return thread.Progress > 0 ? thread.Progress : Errno.EFAULT;
                switch (_streams.Write(Number, chunk.AsSpan(0, count)))
                {
                    case OutputSinkResult.Full:
                        return Wait(thread);
                    case OutputSinkResult.Closed:
                        return Pipe.BrokenPipe(thread);
                    default:
                        thread.Progress += count;
                        break;
                }
            }

            return total;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => request switch
    {
        IoctlRequest.FIONREAD when CanRead => IoctlRequest.PutInt32(thread, argument, (int)Math.Min(int.MaxValue, Input.Count)),
        IoctlRequest.FIONREAD => IoctlRequest.PutInt32(thread, argument, 0),
        _ => Errno.ENOTTY,
    };

    private SyscallResult Wait(PosixThread thread)
    {
        if (thread.Progress > 0 && (NonBlocking || thread.SignalPending)) return thread.Progress;
        return NonBlocking ? Errno.EAGAIN : thread.BlockOn(_streams.OutputQueue, PollEvents.POLLOUT);
    }
}
