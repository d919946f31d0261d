using System.Runtime.InteropServices;

namespace Ramet.Host;

/// <summary>An owned file descriptor of the host process. Closed once, when disposed or finalized.</summary>
public sealed class FileDescriptor : SafeHandle
{
    /// <summary>Takes ownership of a descriptor.</summary>
    public FileDescriptor(int fd)
        : base(-1, ownsHandle: true) => SetHandle(fd);

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>The number, for passing over a socket or in /proc/self/fd. Valid while this object lives.</summary>
    public int Number => (int)handle;

    /// <summary>Opens an existing file to read. open(2).</summary>
    /// <exception cref="HostException">The file cannot be opened.</exception>
    public static FileDescriptor OpenRead(string path) => Open(path, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);

    /// <summary>Opens a file to read and write. open(2).</summary>
    /// <exception cref="HostException">The file cannot be opened.</exception>
    public static FileDescriptor OpenReadWrite(string path) => Open(path, Libc.O_RDWR | Libc.O_CLOEXEC, 0);

    /// <summary>Makes a new file, or empties an existing one. open(2).</summary>
    /// <exception cref="HostException">The file cannot be made.</exception>
    public static FileDescriptor Create(string path, uint mode = 0x1A4) =>
        Open(path, Libc.O_RDWR | Libc.O_CREAT | Libc.O_TRUNC | Libc.O_CLOEXEC, mode);

    /// <summary>Opens a file to write at its end, wherever that is by then, and makes it when there is none. open(2), O_APPEND: what several processes write does not overlap.</summary>
    /// <exception cref="HostException">The file cannot be opened.</exception>
    public static FileDescriptor OpenAppend(string path, uint mode) =>
        Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND | Libc.O_CLOEXEC, mode);

    private static FileDescriptor Open(string path, int flags, uint mode)
    {
        int fd;
        do fd = Libc.Open(path, flags, mode);
        while (fd < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR);
        return fd >= 0 ? new FileDescriptor(fd) : throw HostException.FromErrno($"Opening {path}");
    }

    /// <summary>A second descriptor of the same open file. fcntl(2) F_DUPFD_CLOEXEC.</summary>
    public FileDescriptor Duplicate()
    {
        var fd = Libc.Fcntl(this, Libc.F_DUPFD_CLOEXEC, 3);
        return fd >= 0 ? new FileDescriptor(fd) : throw HostException.FromErrno("Duplicating a file descriptor");
    }

    /// <summary>Length of the file in bytes. Moves the file position. lseek(2).</summary>
    public long GetLength()
    {
        var length = Libc.Seek(this, 0, 2);
        return length >= 0 ? length : throw HostException.FromErrno("Finding the length of a file");
    }

    /// <summary>Where the next data at or behind an offset begins (lseek(2), SEEK_DATA); -1 when there is none.</summary>
    /// <exception cref="HostException">The file system cannot tell.</exception>
    public long SeekData(long offset)
    {
        var found = Libc.Seek(this, offset, Libc.SEEK_DATA);
        if (found < 0 && Marshal.GetLastPInvokeError() != Libc.ENXIO)
            throw HostException.FromErrno("Looking for data in a file");
        return found;
    }

    /// <summary>Where the next hole at or behind an offset begins, or the end of the file (lseek(2), SEEK_HOLE).</summary>
    /// <exception cref="HostException">The file system cannot tell.</exception>
    public long SeekHole(long offset)
    {
        var found = Libc.Seek(this, offset, Libc.SEEK_HOLE);
        return found >= 0 ? found : throw HostException.FromErrno("Looking for a hole in a file");
    }

    /// <summary>Sets the length of the file in bytes. ftruncate(2).</summary>
    public void SetLength(long length)
    {
        if (Libc.Truncate(this, length) < 0)
            throw HostException.FromErrno($"Setting the length of a file to {length} bytes");
    }

    /// <summary>Makes what was written durable. fsync(2).</summary>
    public void Synchronize()
    {
        if (Libc.Synchronize(this) < 0)
            throw HostException.FromErrno("Writing a file to disk");
    }

    /// <summary>Makes the names in a directory durable. fsync(2).</summary>
    /// <exception cref="HostException">It cannot be opened, or not be written to disk.</exception>
    public static void SynchronizeDirectory(string path)
    {
        using var directory = OpenRead(path);
        directory.Synchronize();
    }

    /// <summary>Reads from the file position; 0 at the end. Repeats after EINTR. read(2).</summary>
    public int Read(Span<byte> buffer)
    {
        var n = TryRead(buffer);
        return n >= 0 ? n : throw HostException.FromErrno("Reading", -n);
    }

    /// <summary>Like <see cref="Read"/>, but gives the negative error number instead of throwing.</summary>
    public unsafe int TryRead(Span<byte> buffer)
    {
        // SAFETY: the pointer and length are those of the pinned span.
        fixed (byte* p = buffer)
        {
            nint n;
            do n = Libc.Read(this, p, (nuint)buffer.Length);
            while (n < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR);
            return n >= 0 ? (int)n : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Writes everything at the file position. Repeats after short writes and EINTR. write(2).</summary>
    public void WriteAll(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var n = TryWrite(data);
            if (n < 0)
                throw HostException.FromErrno("Writing", -n);
            data = data[n..];
        }
    }

    /// <summary>One write(2): the bytes written, or the negative error number. Repeats after EINTR.</summary>
    public unsafe int TryWrite(ReadOnlySpan<byte> data)
    {
        // SAFETY: the pointer and length are those of the pinned span.
        fixed (byte* p = data)
        {
            nint n;
            do n = Libc.Write(this, p, (nuint)data.Length);
            while (n < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR);
            return n >= 0 ? (int)n : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Reads at an offset without moving the file position; 0 at the end. pread(2).</summary>
    public unsafe int ReadAt(Span<byte> buffer, long offset)
    {
        // SAFETY: the pointer and length are those of the pinned span.
        fixed (byte* p = buffer)
        {
            nint n;
            do n = Libc.PRead(this, p, (nuint)buffer.Length, offset);
            while (n < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR);
            return n >= 0 ? (int)n : throw HostException.FromErrno($"Reading at offset {offset}");
        }
    }

    /// <summary>Reads exactly the buffer's length at an offset.</summary>
    /// <exception cref="HostException">The file is shorter, or cannot be read.</exception>
    public void ReadExactlyAt(Span<byte> buffer, long offset)
    {
        while (!buffer.IsEmpty)
        {
            var n = ReadAt(buffer, offset);
            if (n == 0)
                throw new HostException($"The file ends before offset {offset + buffer.Length}: it is damaged or was cut short.");
            buffer = buffer[n..];
            offset += n;
        }
    }

    /// <summary>Writes everything at an offset without moving the file position. pwrite(2).</summary>
    public unsafe void WriteAllAt(ReadOnlySpan<byte> data, long offset)
    {
        // SAFETY: the pointer stays inside the pinned span: each step advances by what the kernel took, at most the rest.
        fixed (byte* start = data)
        {
            for (var done = 0; done < data.Length;)
            {
                var n = Libc.PWrite(this, start + done, (nuint)(data.Length - done), offset + done);
                if (n < 0)
                {
                    if (Marshal.GetLastPInvokeError() == Libc.EINTR)
                        continue;
                    throw HostException.FromErrno($"Writing at offset {offset + done}");
                }
                done += (int)n;
            }
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Libc.Close((int)handle) == 0;
}
