using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Sockets;

namespace Ramet.Kernel.Syscalls;

/// <summary>Arguments of the socket calls: descriptors, addresses, message headers.</summary>
internal static class SocketArguments
{
    /// <summary>Vectors in one message (UIO_MAXIOV).</summary>
    private const ulong MaximumVectors = 1024;

    /// <summary>Bytes in one call (MAX_RW_COUNT).</summary>
    private const long MaximumBytes = 0x7FFFF000;

    /// <summary>The socket behind a descriptor. EBADF, ENOTSOCK.</summary>
    public static Errno Get(PosixThread thread, int fd, out Socket socket)
    {
        socket = null!;
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        if (description is not Socket found) return Errno.ENOTSOCK;
        socket = found;
        return Errno.None;
    }

    /// <summary>Reads a sockaddr. EINVAL, EFAULT.</summary>
    public static Errno ReadAddress(PosixThread thread, UserAddress address, int length, out byte[] bytes)
    {
        bytes = [];
        if (length is < 0 or > Socket.MaximumAddress) return Errno.EINVAL;
        bytes = new byte[length];
        return thread.Memory.User.Read(address, bytes) == length ? Errno.None : Errno.EFAULT;
    }

    /// <summary>Stores a sockaddr, cut to the room there is, and its true length. EINVAL, EFAULT.</summary>
    public static Errno WriteAddress(PosixThread thread, ReadOnlySpan<byte> bytes, UserAddress address, UserAddress length)
    {
        var memory = thread.Memory.User;
        if (!memory.TryRead(length, out int capacity)) return Errno.EFAULT;
        if (capacity < 0) return Errno.EINVAL;
        int count = Math.Min(capacity, bytes.Length);
        return memory.Write(address, bytes[..count]) == count && memory.TryWrite(length, bytes.Length) ? Errno.None : Errno.EFAULT;
    }

    /// <summary>A buffer's length as a signed number within the most that one call moves.</summary>
    public static long ClampLength(ulong length) => (long)Math.Min(length, MaximumBytes);

    /// <summary>Reads the vectors of a message. EMSGSIZE (too many), EFAULT, EINVAL (too long).</summary>
    public static Errno ReadVectors(PosixThread thread, in MsgHdr header, out IoVector[] vectors)
    {
        vectors = [];
        if (header.msg_iovlen > MaximumVectors) return Errno.EMSGSIZE;
        vectors = new IoVector[header.msg_iovlen];
        if (!thread.Memory.User.TryReadArray(new UserAddress(header.msg_iov), vectors.AsSpan())) return Errno.EFAULT;
        long left = MaximumBytes;
        for (int i = 0; i < vectors.Length; i++)
        {
            if (vectors[i].Length > long.MaxValue) return Errno.EINVAL;
            vectors[i] = vectors[i] with { Length = (ulong)Math.Min((long)vectors[i].Length, left) };
            left -= (long)vectors[i].Length;
        }

        return Errno.None;
    }
}
