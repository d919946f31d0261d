using System.Buffers;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>
/// Requests of the host to the runner of a runtime, and its replies. A template is frozen while the runner waits in read(2) for a request; a fork posts one, and the
/// handler, run again, copies it straight into the runner's buffer. All members are used under the kernel lock.
/// </summary>
[Saved]
public sealed partial class RunnerMailbox
{
    private Queue<byte[]> _requests = [];

    /// <summary>Where replies go; replies that come while there is none get EPIPE.</summary>
    [NotSaved]
    public IRunnerSink? Sink { get; set; }

    /// <summary>Whether the runner waits in read(2), and no request is queued.</summary>
    public bool IsIdle => _requests.Count == 0 && !Queue.IsEmpty;

    internal WaitQueue Queue { get; private set; } = new();

    internal byte[]? Next => _requests.TryPeek(out var request) ? request : null;

    /// <summary>Queues a request. The runner reads it whole.</summary>
    public void Post(ReadOnlyMemory<byte> request)
    {
        _requests.Enqueue(request.ToArray());
        Queue.Wake(Readiness.In);
    }

    internal void RemoveNext() => _requests.Dequeue();
}

/// <summary>
/// The runner's end of the mailbox, like a character device: read(2) gives one whole request (EMSGSIZE when the buffer is too small for it; FIONREAD says how
/// much it needs), write(2) delivers one whole reply.
/// </summary>
[Saved]
public sealed partial class RunnerChannel : FileDescription
{
    /// <summary>Largest reply in bytes.</summary>
    public const int MaximumReply = 16 << 20;

    private RunnerMailbox _mailbox = null!;

    private RunnerChannel()
    {
    }

    /// <summary>An end for the runner of this kernel, open for reading and writing.</summary>
    public RunnerChannel(Kernel kernel)
    {
        _mailbox = kernel.HostStreams.Runner;
        Flags = OpenFlags.O_RDWR;
        Inode = new AnonymousInode(kernel, "[runner]", InodeMode.S_IFCHR | InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <inheritdoc/>
    public override string AnonymousName => ((AnonymousInode)Inode).LinkName;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _mailbox.Queue;

    /// <inheritdoc/>
    public override PollEvents Poll() => (_mailbox.Next is null ? PollEvents.None : Readiness.In) | Readiness.Out;

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (_mailbox.Next is not { } request)
        {
            if (NonBlocking) return Errno.EAGAIN;
            var result = thread.BlockOn(_mailbox.Queue, PollEvents.POLLIN);
            if (result.IsBlocked) _mailbox.Sink?.OnIdle();
            return result;
        }

        if (request.Length > buffer.Remaining) return Errno.EMSGSIZE;
        if (buffer.CopyFrom(request) < request.Length) return Errno.EFAULT;
        _mailbox.RemoveNext();
        return request.Length;
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining > MaximumReply) return Errno.EMSGSIZE;
        if (_mailbox.Sink is not { } sink) return Errno.EPIPE;
        int length = (int)buffer.Remaining;
        var reply = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            if (buffer.CopyTo(reply.AsSpan(0, length)) < length) return Errno.EFAULT;
            sink.OnReply(reply.AsSpan(0, length));
            return length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(reply);
        }
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => request switch
    {
        IoctlRequest.FIONREAD => IoctlRequest.PutInt32(thread, argument, _mailbox.Next?.Length ?? 0),
        _ => Errno.ENOTTY,
    };
}
