using System.Buffers;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>splice(2), tee(2), vmsplice(2). Bytes are copied: what programs see is the same.</summary>
internal static class Splicing
{
    private const int Chunk = 65536;
    private const int MaxVectors = 1024;

    /// <summary>One call moves at most this much: the kernel's lock is held meanwhile, and programs call again.</summary>
    private const long MaxPerCall = 1 << 20;

    [Flags]
    internal enum SpliceFlags : uint
    {
        None = 0,
        SPLICE_F_MOVE = 1,
        SPLICE_F_NONBLOCK = 2,
        SPLICE_F_MORE = 4,
        SPLICE_F_GIFT = 8,
        All = 15,
    }

    [Syscall(SyscallNumber.splice)]
    internal static SyscallResult Splice(PosixThread thread, int fdIn, UserAddress offsetIn, int fdOut, UserAddress offsetOut, ulong length, SpliceFlags flags)
    {
        if (length == 0) return 0;
        if ((flags & ~SpliceFlags.All) != 0) return Errno.EINVAL;
        if (thread.Files.Get(fdIn) is not { CanRead: true } source || thread.Files.Get(fdOut) is not { CanWrite: true } target) return Errno.EBADF;
        var from = source as PipeEnd;
        var to = target as PipeEnd;
        if ((from is not null && !offsetIn.IsNull) || (to is not null && !offsetOut.IsNull)) return Errno.ESPIPE;
        long inAt = -1, outAt = -1;
        if (!offsetIn.IsNull && !thread.Memory.User.TryRead(offsetIn, out inAt)) return Errno.EFAULT;
        if (!offsetOut.IsNull && !thread.Memory.User.TryRead(offsetOut, out outAt)) return Errno.EFAULT;
        if ((!offsetIn.IsNull && inAt < 0) || (!offsetOut.IsNull && outAt < 0)) return Errno.EINVAL;
        long count = (long)Math.Min(length, MaxPerCall);
        bool nonBlocking = (flags & SpliceFlags.SPLICE_F_NONBLOCK) != 0;
        if (from is not null && to is not null) return PipeToPipe(thread, from, to, count, nonBlocking, take: true);
        if (from is not null) return PipeToFile(thread, from, target, offsetOut, outAt, count, nonBlocking);
        return to is not null ? FileToPipe(thread, source, offsetIn, inAt, to, count, nonBlocking) : Errno.EINVAL;
    }

    [Syscall(SyscallNumber.tee)]
    internal static SyscallResult Tee(PosixThread thread, int fdIn, int fdOut, ulong length, SpliceFlags flags)
    {
        if ((flags & ~SpliceFlags.All) != 0) return Errno.EINVAL;
        if (length == 0) return 0;
        if (thread.Files.Get(fdIn) is not { CanRead: true } source || thread.Files.Get(fdOut) is not { CanWrite: true } target) return Errno.EBADF;
        if (source is not PipeEnd from || target is not PipeEnd to) return Errno.EINVAL;
        return PipeToPipe(thread, from, to, (long)Math.Min(length, MaxPerCall), (flags & SpliceFlags.SPLICE_F_NONBLOCK) != 0, take: false);
    }

    [Syscall(SyscallNumber.vmsplice)]
    internal static SyscallResult VmSplice(PosixThread thread, int fd, UserAddress vectors, ulong count, SpliceFlags flags)
    {
        if ((flags & ~SpliceFlags.All) != 0) return Errno.EINVAL;
        if (thread.Files.Get(fd) is not PipeEnd end) return Errno.EBADF;
        if (count > MaxVectors) return Errno.EINVAL;
        var parts = new IoVector[count];
        var error = ReadWrite.ReadVectors(thread, vectors, parts);
        if (error != Errno.None) return error;
        var buffer = new IoBuffer(thread.Memory.User, parts);
        if (buffer.Remaining == 0) return 0;
        bool nonBlocking = end.NonBlocking || (flags & SpliceFlags.SPLICE_F_NONBLOCK) != 0;
        if (!end.CanWrite) return end.Pipe.Read(thread, ref buffer, nonBlocking);

        // It waits for some room, not for room for all.
        var result = end.Pipe.Write(thread, ref buffer, nonBlocking: true, packets: false);
        thread.Progress = 0;
        return result.Error == Errno.EAGAIN && !nonBlocking ? thread.BlockOn(end.Pipe.Queue, PollEvents.POLLOUT | PollEvents.POLLERR) : result;
    }

    private static SyscallResult PipeToPipe(PosixThread thread, PipeEnd source, PipeEnd target, long count, bool nonBlocking, bool take)
    {
        var from = source.Pipe;
        var to = target.Pipe;
        if (from == to) return Errno.EINVAL;
        nonBlocking |= source.NonBlocking || target.NonBlocking;
        if (to.Readers == 0) return Pipe.BrokenPipe(thread);
        if (from.Count == 0)
        {
            if (from.Writers == 0) return 0;
            return nonBlocking ? Errno.EAGAIN : thread.BlockOn(from.Queue, PollEvents.POLLIN | PollEvents.POLLHUP);
        }

        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(count, from.Count));
        try
        {
            long done = 0;
            while (done < count && from.Count > 0)
            {
                int room = to.PrepareRoom(thread.Kernel, (int)Math.Min(Math.Min(count - done, bytes.Length), int.MaxValue));
                if (room == 0) break;
                int got = from.Peek(bytes.AsSpan(0, room), out bool packet);
                if (got == 0) break;
                to.AppendPrepared(thread.Kernel, bytes.AsSpan(0, got), packet);
                done += got;
                // Without taking, only the first run can be seen.
                if (!take) break;
                from.Consume(got);
            }

            if (done > 0) return done;
            return nonBlocking ? Errno.EAGAIN : thread.BlockOn(to.Queue, PollEvents.POLLOUT | PollEvents.POLLERR);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static SyscallResult PipeToFile(
        PosixThread thread, PipeEnd source, FileDescription target, UserAddress offset, long position, long count, bool nonBlocking)
    {
        if ((target.Flags & OpenFlags.O_APPEND) != 0) return Errno.EINVAL;
        if (target.Inode.IsDirectory) return Errno.EINVAL;
        var pipe = source.Pipe;
        nonBlocking |= source.NonBlocking;
        if (pipe.Count == 0)
        {
            if (pipe.Writers == 0) return 0;
            return nonBlocking ? Errno.EAGAIN : thread.BlockOn(pipe.Queue, PollEvents.POLLIN | PollEvents.POLLHUP);
        }

        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(count, Chunk));
        try
        {
            long done = 0;
            SyscallResult written = 0;
            while (done < count && pipe.Count > 0)
            {
                int got = pipe.Peek(bytes.AsSpan(0, (int)Math.Min(count - done, Math.Min(bytes.Length, Chunk))), out _);
                var buffer = new IoBuffer(bytes.AsSpan(0, got));
                written = offset.IsNull ? WithoutWaiting(thread, target, ref buffer, write: true) : target.WriteAt(thread, ref buffer, position + done);
                if (written.Value <= 0) break;
                pipe.Consume((int)written.Value);
                done += written.Value;
                if (written.Value < got) break;
            }

            if (done > 0) return offset.IsNull || thread.Memory.User.TryWrite(offset, position + done) ? done : Errno.EFAULT;
            bool waits = written.Error == Errno.EAGAIN && !target.NonBlocking && target.PollQueue is not null;
            return waits ? thread.BlockOn(target.PollQueue!, PollEvents.POLLOUT | Readiness.Always) : written;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static SyscallResult FileToPipe(
        PosixThread thread, FileDescription source, UserAddress offset, long position, PipeEnd target, long count, bool nonBlocking)
    {
        if (source.Inode.IsDirectory) return Errno.EINVAL;
        var pipe = target.Pipe;
        if (pipe.Readers == 0) return Pipe.BrokenPipe(thread);
        int room = pipe.PrepareRoom(thread.Kernel, (int)Math.Min(count, Chunk));
        if (room == 0) return nonBlocking || target.NonBlocking ? Errno.EAGAIN : thread.BlockOn(pipe.Queue, PollEvents.POLLOUT | PollEvents.POLLERR);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(room);
        try
        {
            var buffer = new IoBuffer(bytes.AsSpan(0, room));
            var read = offset.IsNull ? WithoutWaiting(thread, source, ref buffer, write: false) : source.ReadAt(thread, ref buffer, position);
            if (read.Error == Errno.EAGAIN && !source.NonBlocking && !nonBlocking && source.PollQueue is { } queue)
                return thread.BlockOn(queue, PollEvents.POLLIN | PollEvents.POLLRDHUP | Readiness.Always);
            if (read.Value <= 0) return read;
            pipe.AppendPrepared(thread.Kernel, bytes.AsSpan(0, (int)read.Value), packet: false);
            return offset.IsNull || thread.Memory.User.TryWrite(offset, position + read.Value) ? read : Errno.EFAULT;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Reads or writes as much as goes at once; EAGAIN when nothing does. A wait in the middle would have to remember what it has taken.</summary>
    private static SyscallResult WithoutWaiting(PosixThread thread, FileDescription description, ref IoBuffer buffer, bool write)
    {
        var flags = description.Flags;
        description.Flags |= OpenFlags.O_NONBLOCK;
        try
        {
            return write ? description.Write(thread, ref buffer) : description.Read(thread, ref buffer);
        }
        finally
        {
            description.Flags = flags;
            thread.Progress = 0;
        }
    }
}
