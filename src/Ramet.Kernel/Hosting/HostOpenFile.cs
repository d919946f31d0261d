using Ramet.Kernel.Files;

namespace Ramet.Kernel.Hosting;

/// <summary>A file of a sandbox that its host has open. Each method takes the kernel's lock for its own time, so keep pieces small.</summary>
public sealed class HostOpenFile : IDisposable
{
    private readonly Kernel _kernel;
    private readonly FileDescription _description;
    private bool _disposed;

    internal HostOpenFile(Kernel kernel, FileDescription description)
    {
        _kernel = kernel;
        _description = description;
    }

    /// <summary>Bytes of the file now; other programs may change that.</summary>
    public long Length
    {
        get
        {
            lock (_kernel.Lock) return _description.Inode.Size;
        }
    }

    /// <summary>Reads on. <paramref name="count"/> is 0 at the end.</summary>
    public Errno Read(Span<byte> destination, out int count)
    {
        count = 0;
        lock (_kernel.Lock)
        {
            var buffer = new IoBuffer(destination);
            var result = _description.Read(_kernel.HostThread, ref buffer);
            if (result.IsBlocked) return Errno.EAGAIN;
            if (result.IsError) return result.Error;
            count = (int)result.Value;
            return Errno.None;
        }
    }

    /// <summary>Writes all bytes at where the last write ended. ENOSPC when the sandbox's memory is full.</summary>
    public Errno Write(ReadOnlySpan<byte> source)
    {
        byte[] piece = System.Buffers.ArrayPool<byte>.Shared.Rent(Math.Clamp(source.Length, 1, 64 << 10));
        try
        {
            while (!source.IsEmpty)
            {
                int length = Math.Min(piece.Length, source.Length);
                source[..length].CopyTo(piece);
                lock (_kernel.Lock)
                {
                    var buffer = new IoBuffer(piece.AsSpan(0, length));
                    var result = _description.Write(_kernel.HostThread, ref buffer);
                    if (result.IsBlocked) return Errno.EAGAIN;
                    if (result.IsError) return result.Error;
                    if (result.Value == 0) return Errno.EIO;
                    source = source[(int)result.Value..];
                }
            }

            return Errno.None;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_kernel.Lock)
        {
            if (_disposed) return;
            _disposed = true;
            // Nothing is left to be told once the sandbox has ended.
            if (!_kernel.HasExited) _description.Release(_kernel);
        }
    }
}
