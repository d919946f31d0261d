using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>read(2), write(2) and their relatives, lseek(2).</summary>
internal static class ReadWrite
{
    /// <summary>The most that one call transfers (MAX_RW_COUNT).</summary>
    private const long MaxCount = 0x7FFFF000;

    private const int MaxVectors = 1024;

    [Syscall(SyscallNumber.read)]
    internal static SyscallResult Read(PosixThread thread, int fd, [Out] UserAddress buffer, ulong count)
    {
        if (thread.Files.Get(fd) is not { CanRead: true } description) return Errno.EBADF;
        if ((long)count < 0) return Errno.EINVAL;
        var io = new IoBuffer(thread.Memory.User, buffer, Math.Min((long)count, MaxCount));
        return description.Read(thread, ref io);
    }

    [Syscall(SyscallNumber.write)]
    internal static SyscallResult Write(PosixThread thread, int fd, [In("count")] UserAddress buffer, ulong count)
    {
        if (thread.Files.Get(fd) is not { CanWrite: true } description) return Errno.EBADF;
        if ((long)count < 0) return Errno.EINVAL;
        var io = new IoBuffer(thread.Memory.User, buffer, Math.Min((long)count, MaxCount));
        return description.Write(thread, ref io);
    }

    [Syscall(SyscallNumber.pread64)]
    internal static SyscallResult PRead64(PosixThread thread, int fd, [Out] UserAddress buffer, ulong count, long offset)
    {
        if (offset < 0 || (long)count < 0) return Errno.EINVAL;
        if (thread.Files.Get(fd) is not { CanRead: true } description) return Errno.EBADF;
        var io = new IoBuffer(thread.Memory.User, buffer, Math.Min((long)count, MaxCount));
        return description.ReadAt(thread, ref io, offset);
    }

    [Syscall(SyscallNumber.pwrite64)]
    internal static SyscallResult PWrite64(PosixThread thread, int fd, [In("count")] UserAddress buffer, ulong count, long offset)
    {
        if (offset < 0 || (long)count < 0) return Errno.EINVAL;
        if (thread.Files.Get(fd) is not { CanWrite: true } description) return Errno.EBADF;
        var io = new IoBuffer(thread.Memory.User, buffer, Math.Min((long)count, MaxCount));
        return description.WriteAt(thread, ref io, offset);
    }

    [Syscall(SyscallNumber.readv)]
    internal static SyscallResult ReadV(PosixThread thread, int fd, UserAddress vectors, int count) =>
        Vectored(thread, fd, vectors, count, -1, write: false, ReadWriteFlags.None);

    [Syscall(SyscallNumber.writev)]
    internal static SyscallResult WriteV(PosixThread thread, int fd, UserAddress vectors, int count) =>
        Vectored(thread, fd, vectors, count, -1, write: true, ReadWriteFlags.None);

    [Syscall(SyscallNumber.preadv)]
    internal static SyscallResult PReadV(PosixThread thread, int fd, UserAddress vectors, int count, long offset) =>
        offset < 0 ? Errno.EINVAL : Vectored(thread, fd, vectors, count, offset, write: false, ReadWriteFlags.None);

    [Syscall(SyscallNumber.pwritev)]
    internal static SyscallResult PWriteV(PosixThread thread, int fd, UserAddress vectors, int count, long offset) =>
        offset < 0 ? Errno.EINVAL : Vectored(thread, fd, vectors, count, offset, write: true, ReadWriteFlags.None);

    // The offset is split into low and high words for 32-bit ABIs; on x86-64 the low word is all of it.
    [Syscall(SyscallNumber.preadv2)]
    internal static SyscallResult PReadV2(PosixThread thread, int fd, UserAddress vectors, int count, long offset, long offsetHigh, ReadWriteFlags flags) =>
        offset < -1 ? Errno.EINVAL : Vectored(thread, fd, vectors, count, offset, write: false, flags);

    [Syscall(SyscallNumber.pwritev2)]
    internal static SyscallResult PWriteV2(PosixThread thread, int fd, UserAddress vectors, int count, long offset, long offsetHigh, ReadWriteFlags flags) =>
        offset < -1 ? Errno.EINVAL : Vectored(thread, fd, vectors, count, offset, write: true, flags);

    [Syscall(SyscallNumber.lseek)]
    internal static SyscallResult LSeek(PosixThread thread, int fd, long offset, SeekWhence whence)
    {
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        return whence is < SeekWhence.SEEK_SET or > SeekWhence.SEEK_HOLE ? Errno.EINVAL : description.Seek(thread, offset, (int)whence);
    }

    /// <summary>Copies struct iovec in and checks the lengths. EINVAL, EFAULT.</summary>
    internal static Errno ReadVectors(PosixThread thread, UserAddress address, Span<IoVector> vectors)
    {
        // IoVector has the layout of struct iovec: an address and a length of 8 bytes each.
        if (!thread.Memory.User.TryReadArray(address, vectors)) return Errno.EFAULT;
        long total = 0;
        for (int i = 0; i < vectors.Length; i++)
        {
            if ((long)vectors[i].Length < 0) return Errno.EINVAL;
            long length = Math.Min((long)vectors[i].Length, MaxCount - total);
            vectors[i] = vectors[i] with { Length = (ulong)length };
            total += length;
        }

        return Errno.None;
    }

    private static SyscallResult Vectored(PosixThread thread, int fd, UserAddress address, int count, long offset, bool write, ReadWriteFlags flags)
    {
        const ReadWriteFlags Known = ReadWriteFlags.RWF_HIPRI | ReadWriteFlags.RWF_DSYNC | ReadWriteFlags.RWF_SYNC | ReadWriteFlags.RWF_NOWAIT | ReadWriteFlags.RWF_APPEND;
        var description = thread.Files.Get(fd);
        if (description is null || !(write ? description.CanWrite : description.CanRead)) return Errno.EBADF;
        if ((uint)count > MaxVectors) return Errno.EINVAL;
        if ((flags & ~Known) != 0) return Errno.EOPNOTSUPP;
        Span<IoVector> vectors = count <= 16 ? stackalloc IoVector[count] : new IoVector[count];
        var error = ReadVectors(thread, address, vectors);
        if (error != Errno.None) return error;
        var io = new IoBuffer(thread.Memory.User, vectors);
        if (!write) return offset < 0 ? description.Read(thread, ref io) : description.ReadAt(thread, ref io, offset);
        if (offset < 0 && (flags & ReadWriteFlags.RWF_APPEND) == 0) return description.Write(thread, ref io);
        if ((flags & ReadWriteFlags.RWF_APPEND) == 0) return description.WriteAt(thread, ref io, offset);

        // Append for this call alone; a positioned write leaves the offset where it was.
        long before = description.Offset;
        var result = description.WriteAt(thread, ref io, -1);
        if (offset >= 0) description.Offset = before;
        return result;
    }
}
