using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>The receive queue of a socket.</summary>
[Saved]
internal sealed partial class SegmentQueue
{
    private Queue<Segment> _segments = [];
    private Segment? _last;

    /// <summary>Segments in it.</summary>
    public int Count => _segments.Count;

    /// <summary>Bytes that have not been read.</summary>
    public long Bytes { get; private set; }

    /// <summary>A sender found no room since the last wake-up of senders.</summary>
    public bool Congested { get; set; }

    public Segment? First => _segments.TryPeek(out var first) ? first : null;

    public IEnumerable<Segment> All => _segments;

    /// <summary>The last segment, if its free space can take more bytes of a stream from the same sender.</summary>
    public Segment? Extensible(UCred credentials) =>
        _last is { Rights: null } last && _segments.Count > 0 && last.End < last.Data.Length && AreEqual(last.Credentials, credentials) ? last : null;

    /// <summary>The byte that was added last; the queue is not empty.</summary>
    public byte LastByte => _last!.Data[_last.End - 1];

    public static bool AreEqual(UCred a, UCred b) => (a.pid, a.uid, a.gid) == (b.pid, b.uid, b.gid);

    /// <summary>Takes a segment over, whose cost has been charged.</summary>
    public void Add(Segment segment)
    {
        _segments.Enqueue(segment);
        _last = segment;
        Bytes += segment.Count;
    }

    /// <summary>Bytes were appended to the last segment.</summary>
    public void OnExtended(int count) => Bytes += count;

    /// <summary>Bytes of the first segment were read; it goes when it is empty.</summary>
    public void Consume(Kernel kernel, int count)
    {
        var first = _segments.Peek();
        first.Start += count;
        Bytes -= count;
        if (first.Count == 0) RemoveFirst(kernel);
    }

    /// <summary>Drops the first segment with what is left of it.</summary>
    public void RemoveFirst(Kernel kernel)
    {
        var first = _segments.Dequeue();
        if (_segments.Count == 0) _last = null;
        Bytes -= first.Count;
        kernel.Buffers.Release(first.Cost);
        first.ReleaseRights(kernel);
    }

    /// <summary>Drops everything.</summary>
    public void Clear(Kernel kernel)
    {
        while (_segments.Count > 0) RemoveFirst(kernel);
    }
}
