using System.Buffers;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>From file to file inside the kernel: sendfile(2), copy_file_range(2).</summary>
internal static class Transfers
{
    private const int Chunk = 65536;

    // One call moves at most this much: the kernel's lock is held meanwhile, and programs call again (both calls may transfer less than asked).
    private const long MaxPerCall = 16 << 20;

    [Syscall(SyscallNumber.sendfile)]
    internal static SyscallResult SendFile(PosixThread thread, int outFd, int inFd, UserAddress offset, ulong count)
    {
        if (thread.Files.Get(inFd) is not { CanRead: true } source || thread.Files.Get(outFd) is not { CanWrite: true } target) return Errno.EBADF;
        if ((long)count < 0) return Errno.EINVAL;
        if (!source.Inode.IsRegular && (source.Inode.Mode & InodeMode.S_IFMT) != InodeMode.S_IFCHR) return offset.IsNull ? Errno.EINVAL : Errno.ESPIPE;
        if ((target.Flags & OpenFlags.O_APPEND) != 0 && target.Inode.IsRegular) return Errno.EINVAL;
        long position = source.Offset;
        if (!offset.IsNull && !thread.Memory.User.TryRead(offset, out position)) return Errno.EFAULT;
        if (position < 0) return Errno.EINVAL;

        // A part that blocked is written again by the target's own count of progress, so each run starts where nothing was taken from the source yet.
        var result = Copy(thread, source, position, target, -1, (long)Math.Min(count, MaxPerCall));
        if (result.IsBlocked || result.IsError) return result;
        if (offset.IsNull) source.Offset = position + result.Value;
        else if (!thread.Memory.User.TryWrite(offset, position + result.Value)) return Errno.EFAULT;
        return result;
    }

    [Syscall(SyscallNumber.copy_file_range)]
    internal static SyscallResult CopyFileRange(PosixThread thread, int inFd, UserAddress inOffset, int outFd, UserAddress outOffset, ulong count, uint flags)
    {
        if (flags != 0) return Errno.EINVAL;
        if (thread.Files.Get(inFd) is not { CanRead: true } source || thread.Files.Get(outFd) is not { CanWrite: true } target) return Errno.EBADF;
        if ((target.Flags & OpenFlags.O_APPEND) != 0) return Errno.EBADF;
        if (source.Inode.IsDirectory || target.Inode.IsDirectory) return Errno.EISDIR;
        if (source is not RegularFileDescription || target is not RegularFileDescription) return Errno.EINVAL;
        long from = source.Offset, to = target.Offset;
        if (!inOffset.IsNull && !thread.Memory.User.TryRead(inOffset, out from)) return Errno.EFAULT;
        if (!outOffset.IsNull && !thread.Memory.User.TryRead(outOffset, out to)) return Errno.EFAULT;
        long length = (long)Math.Min(count, MaxPerCall);
        if (from < 0 || to < 0) return Errno.EINVAL;
        if (from > long.MaxValue - length || to > long.MaxValue - length) return Errno.EOVERFLOW;
        length = Math.Min(length, Math.Max(source.Inode.Size - from, 0));
        if (source.Inode == target.Inode && from < to + length && to < from + length) return Errno.EINVAL;

        var result = Copy(thread, source, from, target, to, length);
        if (result.IsError) return result;
        if (inOffset.IsNull) source.Offset = from + result.Value;
        else if (!thread.Memory.User.TryWrite(inOffset, from + result.Value)) return Errno.EFAULT;
        if (outOffset.IsNull) target.Offset = to + result.Value;
        else if (!thread.Memory.User.TryWrite(outOffset, to + result.Value)) return Errno.EFAULT;
        return result;
    }

    /// <summary>Copies bytes; to -1 means by write at the target's own offset, which may block.</summary>
    private static SyscallResult Copy(PosixThread thread, FileDescription source, long from, FileDescription target, long to, long count)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Chunk);
        try
        {
            // Chunks that were written before the call blocked are in ResumeState; progress within a chunk is the target's (Progress).
            long done = thread.ResumeState is TransferState state ? state.Done : 0;
            while (done < count)
            {
                var input = new IoBuffer(bytes.AsSpan(0, (int)Math.Min(Chunk, count - done)));
                var read = source.ReadAt(thread, ref input, from + done);
                if (read.IsError) return done > 0 ? done : read;
                if (read.Value == 0) break;
                var output = new IoBuffer(bytes.AsSpan(0, (int)read.Value));
                var written = to < 0 ? target.Write(thread, ref output) : target.WriteAt(thread, ref output, to + done);
                if (written.IsBlocked)
                {
                    if (done > 0) thread.ResumeState = new TransferState { Done = done };
                    return written;
                }

                if (written.Value < 0) return done > 0 ? done : written;
                done += written.Value;
                thread.Progress = 0;
                if (written.Value < read.Value) break;
            }

            return done;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}

/// <summary>How far a transfer that waits has come.</summary>
[State.Saved]
internal sealed partial class TransferState
{
    /// <summary>Bytes that are through.</summary>
    public long Done { get; set; }
}
