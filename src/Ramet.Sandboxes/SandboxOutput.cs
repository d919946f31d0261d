using Ramet.Kernel.Files;

namespace Ramet.Sandboxes;

/// <summary>
/// Takes what a sandbox prints. The kernel must never wait, so bytes are queued; if there is a receiver, a thread of its own passes them on, and the program
/// blocks while the queue is full.
/// </summary>
internal sealed class SandboxOutput(long limit, IOutputReceiver? receiver, Action<int> drained, Action overLimit) : IOutputSink, IDisposable
{
    private const int QueueLimit = 1 << 20;

    /// <summary>What a piece takes beside its bytes, about: many small ones are not to take many times the limit.</summary>
    private const int PieceCost = 64;

    private readonly Lock _lock = new();
    private readonly MemoryStream[] _streams = [new(), new()];
    private readonly Queue<(int Stream, byte[] Bytes)> _queue = new();
    private readonly bool[] _full = new bool[3];
    private readonly ManualResetEventSlim _idle = new(initialState: true);
    private long _total;
    private int _queued;
    private bool _writing;
    private bool _closed;

    /// <summary>When the first byte came (host monotonic ns); 0: none yet.</summary>
    public long FirstOutputAt { get; private set; }

    /// <summary>Whether more was printed than may be.</summary>
    public bool IsCutOff { get; private set; }

    /// <summary>Bytes taken.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <inheritdoc/>
    public OutputSinkResult Write(int stream, ReadOnlySpan<byte> bytes)
    {
        if (FirstOutputAt == 0) FirstOutputAt = Host.HostClock.MonotonicNanoseconds;
        lock (_lock)
        {
            if (_closed) return OutputSinkResult.Closed;
            if (_total + bytes.Length > limit)
            {
                // What still fits is kept: the user sees the output up to the limit to the byte.
                Take(stream, bytes[..(int)(limit - _total)]);
                _closed = true;
                IsCutOff = true;
                overLimit();
                return OutputSinkResult.Closed;
            }

            if (receiver is not null && _queued > QueueLimit)
            {
                _full[stream is 1 or 2 ? stream : 1] = true;
                return OutputSinkResult.Full;
            }

            Take(stream, bytes);
            return OutputSinkResult.Accepted;
        }
    }

    /// <summary>Waits until the receiver has all that was printed.</summary>
    public void Flush() => _idle.Wait();

    /// <summary>What was kept of a stream.</summary>
    public byte[] GetBytes(int stream)
    {
        lock (_lock) return _streams[stream - 1].ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _idle.Dispose();

    private void Take(int stream, ReadOnlySpan<byte> bytes)
    {
        _total += bytes.Length;
        if (receiver is null)
        {
            _streams[stream == 2 ? 1 : 0].Write(bytes);
            return;
        }

        _queue.Enqueue((stream, bytes.ToArray()));
        _queued += bytes.Length + PieceCost;
        if (_writing) return;
        _writing = true;
        _idle.Reset();
        ThreadPool.UnsafeQueueUserWorkItem(static output => output.PassOn(), this, preferLocal: false);
    }

    private void PassOn()
    {
        while (true)
        {
            (int Stream, byte[] Bytes) next;
            lock (_lock)
            {
                if (!_queue.TryDequeue(out next))
                {
                    _writing = false;
                    _idle.Set();
                    return;
                }
            }

            try
            {
                receiver!.Write(next.Stream, next.Bytes);
            }
            catch (IOException)
            {
                lock (_lock)
                {
                    _closed = true;
                    _queue.Clear();
                }
            }

            WakeWriters(next.Bytes.Length + PieceCost);
        }
    }

    private void WakeWriters(int passedOn)
    {
        bool first, second;
        lock (_lock)
        {
            _queued -= passedOn;
            if (_queued > QueueLimit / 2 && !_closed) return;
            (first, second) = (_full[1], _full[2]);
            _full[1] = _full[2] = false;
        }

        if (first) drained(1);
        if (second) drained(2);
    }
}
