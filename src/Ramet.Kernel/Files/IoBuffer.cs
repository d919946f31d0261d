using Ramet.Kernel.Memory;

namespace Ramet.Kernel.Files;

/// <summary>One element of struct iovec.</summary>
/// <param name="Base">Where the bytes are.</param>
/// <param name="Length">How many.</param>
public readonly record struct IoVector(UserAddress Base, ulong Length);

/// <summary>
/// The memory side of a read or a write: a buffer of the program, scattered over vectors or not, or bytes of the kernel's own. It is
/// consumed from the front. An address that does not work makes a copy stop short and sets <see cref="Faulted"/>.
/// </summary>
public ref struct IoBuffer
{
    private readonly UserMemory? _memory;
    private readonly ReadOnlySpan<IoVector> _vectors;
    private Span<byte> _kernel;
    private UserAddress _current;
    private long _currentLength;
    private int _nextVector;

    private IoBuffer(UserMemory memory, UserAddress address, long length, ReadOnlySpan<IoVector> rest, long total)
    {
        _memory = memory;
        _current = address;
        _currentLength = length;
        _vectors = rest;
        Remaining = Length = total;
    }

    /// <summary>A buffer of the program.</summary>
    public IoBuffer(UserMemory memory, UserAddress address, long length)
        : this(memory, address, length, [], length)
    {
    }

    /// <summary>Vectors of the program, whose lengths have been validated to add up to no more than long.MaxValue.</summary>
    public IoBuffer(UserMemory memory, ReadOnlySpan<IoVector> vectors)
        : this(memory, default, 0, vectors, Sum(vectors))
    {
    }

    /// <summary>Bytes of the kernel's own (sendfile, tests).</summary>
    public IoBuffer(Span<byte> bytes)
    {
        _kernel = bytes;
        Remaining = Length = bytes.Length;
    }

    /// <summary>Bytes at the start.</summary>
    public long Length { get; }

    /// <summary>Bytes not yet consumed; less than the memory that is left once <see cref="Limit"/> was called.</summary>
    public long Remaining { get; private set; }

    /// <summary>Bytes consumed.</summary>
    public long Consumed { get; private set; }

    /// <summary>Whether a copy hit an address that does not work: EFAULT if nothing was transferred.</summary>
    public bool Faulted { get; private set; }

    /// <summary>Makes the buffer end after that many further bytes, if it is longer.</summary>
    public void Limit(long count) => Remaining = Math.Min(Remaining, Math.Max(count, 0));

    /// <summary>Copies bytes into the buffer (a read). Returns how many fitted.</summary>
    public int CopyFrom(scoped ReadOnlySpan<byte> source)
    {
        int done = 0;
        while (done < source.Length && Remaining > 0 && !Faulted && NextPiece())
        {
            int piece = (int)Math.Min(Math.Min(source.Length - done, PieceLength), Remaining);
            int copied = piece;
            if (_memory is null) source.Slice(done, piece).CopyTo(_kernel);
            else copied = _memory.Write(_current, source.Slice(done, piece));
            Advance(copied);
            Faulted = copied < piece;
            done += copied;
        }

        return done;
    }

    /// <summary>Copies bytes out of the buffer (a write). Returns how many there were.</summary>
    public int CopyTo(scoped Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length && Remaining > 0 && !Faulted && NextPiece())
        {
            int piece = (int)Math.Min(Math.Min(destination.Length - done, PieceLength), Remaining);
            int copied = piece;
            if (_memory is null) _kernel[..piece].CopyTo(destination[done..]);
            else copied = _memory.Read(_current, destination.Slice(done, piece));
            Advance(copied);
            Faulted = copied < piece;
            done += copied;
        }

        return done;
    }

    /// <summary>Consumes bytes without touching them: what an earlier run of the same call has transferred already.</summary>
    public void Skip(long count)
    {
        while (count > 0 && Remaining > 0 && NextPiece())
        {
            int piece = (int)Math.Min(Math.Min(count, PieceLength), int.MaxValue);
            Advance(piece);
            count -= piece;
        }
    }

    /// <summary>Fills the buffer with zeros (a hole, /dev/zero). Returns how many fitted.</summary>
    public long Zero(long count)
    {
        ReadOnlySpan<byte> zeros = new byte[(int)Math.Min(count, GuestPage)];
        long done = 0;
        while (done < count && Remaining > 0)
        {
            int copied = CopyFrom(zeros[..(int)Math.Min(zeros.Length, count - done)]);
            done += copied;
            if (copied == 0) break;
        }

        return done;
    }

    private const int GuestPage = 4096;

    private readonly long PieceLength => _memory is null ? _kernel.Length : _currentLength;

    private bool NextPiece()
    {
        if (_memory is null) return _kernel.Length > 0;
        while (_currentLength == 0)
        {
            if (_nextVector >= _vectors.Length) return false;
            _current = _vectors[_nextVector].Base;
            _currentLength = (long)_vectors[_nextVector].Length;
            _nextVector++;
        }

        return true;
    }

    private void Advance(int count)
    {
        Remaining -= count;
        Consumed += count;
        if (_memory is null)
        {
            _kernel = _kernel[count..];
        }
        else
        {
            _current += count;
            _currentLength -= count;
        }
    }

    private static long Sum(ReadOnlySpan<IoVector> vectors)
    {
        long sum = 0;
        foreach (var vector in vectors) sum += (long)vector.Length;
        return sum;
    }
}
