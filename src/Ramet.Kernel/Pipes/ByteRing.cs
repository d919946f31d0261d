using Ramet.Kernel.Files;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Pipes;

/// <summary>A bounded queue of bytes. Its storage grows with what is in it, so that the many pipes that carry little stay small.</summary>
[Saved]
public sealed partial class ByteRing
{
    /// <summary>Smallest storage in bytes; everybody gets that much, even over the budget.</summary>
    public const int MinimumStorage = 4096;

    private byte[] _bytes = [];
    private int _head;

    private ByteRing()
    {
    }

    /// <summary>A ring that takes up to this many bytes.</summary>
    public ByteRing(int capacity) => Capacity = capacity;

    /// <summary>Bytes that it takes at most.</summary>
    public int Capacity { get; private set; }

    /// <summary>Bytes in it.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes that fit in.</summary>
    public int Free => Capacity - Count;

    /// <summary>Changes how much fits in; not below what is in it.</summary>
    public void SetCapacity(int capacity) => Capacity = Math.Max(capacity, Count);

    /// <summary>Moves up to <paramref name="limit"/> bytes in from the buffer. Returns how many.</summary>
    public int Append(Kernel kernel, ref IoBuffer source, int limit)
    {
        int wanted = (int)Math.Min(Math.Min(limit, source.Remaining), Free);
        if (wanted == 0) return 0;
        wanted = Math.Min(wanted, Reserve(kernel, wanted));

        int done = 0;
        while (done < wanted)
        {
            int tail = (_head + Count) % _bytes.Length;
            int piece = Math.Min(wanted - done, _bytes.Length - tail);
            int copied = source.CopyTo(_bytes.AsSpan(tail, piece));
            Count += copied;
            done += copied;
            if (copied < piece) break;
        }

        return done;
    }

    /// <summary>Moves up to <paramref name="limit"/> bytes out into the buffer. Returns how many.</summary>
    public int Take(ref IoBuffer destination, int limit)
    {
        int wanted = (int)Math.Min(Math.Min(limit, destination.Remaining), Count);
        int done = 0;
        while (done < wanted)
        {
            int piece = Math.Min(wanted - done, _bytes.Length - _head);
            int copied = destination.CopyFrom(_bytes.AsSpan(_head, piece));
            Drop(copied);
            done += copied;
            if (copied < piece) break;
        }

        return done;
    }

    /// <summary>Copies bytes at the front without taking them. Returns how many.</summary>
    public int Peek(Span<byte> destination)
    {
        int count = Math.Min(destination.Length, Count);
        if (count == 0) return 0;
        int first = Math.Min(count, _bytes.Length - _head);
        _bytes.AsSpan(_head, first).CopyTo(destination);
        _bytes.AsSpan(0, count - first).CopyTo(destination[first..]);
        return count;
    }

    /// <summary>Makes room for bytes that are to come. Returns for how many, up to what is asked for.</summary>
    public int Prepare(Kernel kernel, int wanted)
    {
        wanted = Math.Min(wanted, Free);
        return wanted <= 0 ? 0 : Math.Min(Reserve(kernel, wanted), Free);
    }

    /// <summary>Makes sure that this many bytes can be appended. False: they do not fit, or the budget is spent.</summary>
    public bool EnsureRoom(Kernel kernel, int count) => count <= Free && Reserve(kernel, count) >= count;

    /// <summary>Forgets bytes at the front.</summary>
    public void Drop(int count)
    {
        Count -= count;
        _head = Count == 0 ? 0 : (_head + count) % _bytes.Length;
    }

    /// <summary>Gives the storage back.</summary>
    public void ReleaseStorage(Kernel kernel)
    {
        kernel.Buffers.Release(_bytes.Length);
        _bytes = [];
        _head = Count = 0;
    }

    /// <summary>Makes room for more bytes. Returns for how many: less than asked for when the budget is spent; the ring then stays at that size.</summary>
    private int Reserve(Kernel kernel, int more)
    {
        int needed = Count + more;
        if (needed <= _bytes.Length) return more;
        int size = Math.Max(_bytes.Length, MinimumStorage);
        while (size < needed) size *= 2;
        size = Math.Min(size, Math.Max(Capacity, MinimumStorage));
        if (!kernel.Buffers.TryCharge(size - _bytes.Length))
        {
            if (_bytes.Length == 0)
            {
                size = MinimumStorage;
                kernel.Buffers.Charge(size);
                Capacity = Math.Min(Capacity, size);
            }
            else
            {
                Capacity = size = _bytes.Length;
            }
        }

        if (size > _bytes.Length)
        {
            var grown = new byte[size];
            int first = Math.Min(Count, _bytes.Length - _head);
            _bytes.AsSpan(_head, first).CopyTo(grown);
            _bytes.AsSpan(0, Count - first).CopyTo(grown.AsSpan(first));
            _bytes = grown;
            _head = 0;
        }

        return Math.Min(more, _bytes.Length - Count);
    }
}
