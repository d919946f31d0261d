namespace Ramet.Sandboxes.Hosting;

/// <summary>What a piece of output is.</summary>
public enum HostedEventKind
{
    /// <summary>Standard output, or a terminal's.</summary>
    Stdout,

    /// <summary>Standard error.</summary>
    Stderr,

    /// <summary>The end: <see cref="HostedEvent.ExitCode"/>.</summary>
    End,
}

/// <summary>Something that a program does, in order.</summary>
/// <param name="Kind">What.</param>
/// <param name="Data">Bytes of output.</param>
/// <param name="ExitCode">At the end: the exit code, or 128 + signal.</param>
/// <param name="Details">At the end of code in a warm interpreter: what it came to, as JSON; null: nothing.</param>
/// <param name="TimedOut">Whether it was ended because its time was over.</param>
public sealed record HostedEvent(HostedEventKind Kind, ReadOnlyMemory<byte> Data, int ExitCode = 0, string? Details = null, bool TimedOut = false);

/// <summary>
/// Output between a program and those who look at it, perhaps later. The last of it is kept. While nobody looks, what is older is forgotten and the program goes on; while somebody
/// does, the program waits for him as it would for the reader of a pipe.
/// </summary>
internal sealed class OutputBuffer(int limit, Action<int> drained)
{
    private readonly Lock _lock = new();
    /// <summary>What a piece takes beside its bytes, about: many small ones are not to take many times the limit.</summary>
    private const int PieceCost = 64;

    private const int LongestJoined = 4096;
    private const int NearReader = 64;

    private readonly PieceList _pieces = new();
    private readonly HashSet<int> _waitingStreams = [];
    private readonly List<Reader> _readers = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _firstPiece;
    private int _size;
    private HostedEvent? _end;

    /// <summary>The end, once there is one.</summary>
    public HostedEvent? End => Volatile.Read(ref _end);

    /// <summary>Takes output. Under the kernel lock.</summary>
    public Kernel.Files.OutputSinkResult Write(int stream, HostedEventKind kind, ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            // A slow reader holds the program up; one piece more than the limit is taken so that it always gets on.
            if (_size >= limit && _readers.Exists(reader => reader.Next <= _firstPiece))
            {
                _waitingStreams.Add(stream);
                return Kernel.Files.OutputSinkResult.Full;
            }

            if (CanJoin(kind, bytes.Length)) _pieces.Last.Append(bytes);
            else Add(kind, bytes.ToArray());
            _size += bytes.Length;
            Trim();
            Pulse();
            return Kernel.Files.OutputSinkResult.Accepted;
        }
    }

    /// <summary>Nothing more comes.</summary>
    public void Complete(HostedEvent end)
    {
        lock (_lock)
        {
            _end ??= end;
            Pulse();
        }
    }

    /// <summary>What is kept.</summary>
    public byte[] Snapshot()
    {
        lock (_lock)
        {
            using var joined = new MemoryStream();
            for (int i = 0; i < _pieces.Count; i++) joined.Write(_pieces[i].Data.Span);
            return joined.ToArray();
        }
    }

    /// <summary>What is kept, to be kept elsewhere; pieces of one stream that follow each other are joined.</summary>
    public IReadOnlyList<LiveOutput> Save()
    {
        lock (_lock)
        {
            var saved = new List<LiveOutput>();
            var joined = new MemoryStream();
            HostedEventKind? last = null;
            for (int i = 0; i < _pieces.Count; i++)
            {
                var kind = _pieces[i].Kind;
                if (last is { } before && before != kind)
                {
                    saved.Add(new LiveOutput(before, joined.ToArray()));
                    joined.SetLength(0);
                }

                last = kind;
                joined.Write(_pieces[i].Data.Span);
            }

            if (last is { } end) saved.Add(new LiveOutput(end, joined.ToArray()));
            return saved;
        }
    }

    /// <summary>Takes what another one has saved. Before anybody uses it.</summary>
    public void Restore(IReadOnlyList<LiveOutput> saved)
    {
        foreach (var (kind, data) in saved)
        {
            Add(kind, data);
            _size += data.Length;
        }
    }

    /// <summary>Begins to look: at what is kept, or only at what is to come. Before it returns, what comes is the reader's.</summary>
    public Reader Open(bool fromStart)
    {
        lock (_lock)
        {
            var reader = new Reader(this, fromStart ? _firstPiece : _firstPiece + _pieces.Count);
            _readers.Add(reader);
            return reader;
        }
    }

    private void Add(HostedEventKind kind, byte[] data)
    {
        _pieces.Add(new Piece(kind, data));
        _size += PieceCost;
    }

    /// <summary>Whether bytes can go to the end of the last piece: nobody has had it, or is so near that he gets each piece as it comes.</summary>
    private bool CanJoin(HostedEventKind kind, int length)
    {
        if (_pieces.Count == 0 || _pieces.Last.Kind != kind || _pieces.Last.Data.Length + length > LongestJoined) return false;
        long last = _firstPiece + _pieces.Count - 1;
        return _readers.TrueForAll(reader => reader.Next + NearReader <= last);
    }

    private void Trim()
    {
        long needed = _readers.Count == 0 ? long.MaxValue : _readers.Min(reader => reader.Next);
        while (_size > limit && _pieces.Count > 1 && _firstPiece < needed)
        {
            _size -= _pieces.RemoveFirst().Data.Length + PieceCost;
            _firstPiece++;
        }
    }

    private void Pulse()
    {
        var before = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        before.TrySetResult();
    }

    private void WakeWriters()
    {
        int[] streams;
        lock (_lock)
        {
            if (_waitingStreams.Count == 0) return;
            Trim();
            if (_size >= limit && _readers.Exists(reader => reader.Next <= _firstPiece)) return;
            streams = [.. _waitingStreams];
            _waitingStreams.Clear();
        }

        foreach (int stream in streams) drained(stream);
    }

    /// <summary>Bytes of one stream.</summary>
    private sealed class Piece(HostedEventKind kind, byte[] data)
    {
        private byte[] _buffer = data;
        private int _length = data.Length;

        public HostedEventKind Kind { get; } = kind;

        /// <summary>Stays as it is when more is appended: that lies behind it, or in another array.</summary>
        public ReadOnlyMemory<byte> Data => _buffer.AsMemory(0, _length);

        public void Append(ReadOnlySpan<byte> bytes)
        {
            int length = _length + bytes.Length;
            if (length > _buffer.Length) Array.Resize(ref _buffer, Math.Min(LongestJoined, Math.Max(length, 2 * _buffer.Length)));
            bytes.CopyTo(_buffer.AsSpan(_length));
            _length = length;
        }
    }

    /// <summary>Pieces, the oldest first: a ring, so that any of them is found at once however many there are.</summary>
    private sealed class PieceList
    {
        private Piece?[] _ring = new Piece?[4];
        private int _first;

        public int Count { get; private set; }

        public Piece Last => this[Count - 1];

        public Piece this[int index] => _ring[(_first + index) & (_ring.Length - 1)]!;

        public void Add(Piece piece)
        {
            if (Count == _ring.Length)
            {
                var larger = new Piece?[2 * _ring.Length];
                for (int i = 0; i < Count; i++) larger[i] = this[i];
                (_ring, _first) = (larger, 0);
            }

            _ring[(_first + Count++) & (_ring.Length - 1)] = piece;
        }

        public Piece RemoveFirst()
        {
            var piece = this[0];
            _ring[_first] = null;
            _first = (_first + 1) & (_ring.Length - 1);
            Count--;
            return piece;
        }
    }

    /// <summary>Somebody who looks.</summary>
    internal sealed class Reader(OutputBuffer buffer, long next) : IDisposable
    {
        /// <summary>Number of the next piece.</summary>
        public long Next { get; private set; } = next;

        /// <summary>The next piece that is there already; null: there is none.</summary>
        public HostedEvent? TryRead()
        {
            HostedEvent found;
            lock (buffer._lock)
            {
                Next = Math.Max(Next, buffer._firstPiece);
                int index = (int)(Next - buffer._firstPiece);
                if (index >= buffer._pieces.Count) return null;
                var piece = buffer._pieces[index];
                Next++;
                found = new HostedEvent(piece.Kind, piece.Data);
            }

            buffer.WakeWriters();
            return found;
        }

        /// <summary>The next piece, or the end after the last.</summary>
        public async ValueTask<HostedEvent> ReadAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                Task changed;
                lock (buffer._lock)
                {
                    changed = buffer._changed.Task;
                    if (buffer._end is { } end && Next >= buffer._firstPiece + buffer._pieces.Count) return end;
                }

                if (TryRead() is { } piece) return piece;
                await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        /// <summary>Waits until there may be something to read, or the task has ended.</summary>
        public async Task WaitAsync(Task other, CancellationToken cancellationToken)
        {
            Task changed;
            lock (buffer._lock)
            {
                changed = buffer._changed.Task;
                if (Next < buffer._firstPiece + buffer._pieces.Count) return;
            }

            await Task.WhenAny(changed, other).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (buffer._lock) buffer._readers.Remove(this);
            buffer.WakeWriters();
        }
    }
}
