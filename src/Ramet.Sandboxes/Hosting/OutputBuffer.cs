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
    private readonly Queue<(HostedEventKind Kind, byte[] Data)> _pieces = new();
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

            _pieces.Enqueue((kind, bytes.ToArray()));
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
        lock (_lock) return [.. _pieces.SelectMany(piece => piece.Data)];
    }

    /// <summary>What is kept, to be kept elsewhere; pieces of one stream that follow each other are joined.</summary>
    public IReadOnlyList<LiveOutput> Save()
    {
        lock (_lock)
        {
            var saved = new List<LiveOutput>();
            var joined = new MemoryStream();
            HostedEventKind? last = null;
            foreach (var (kind, data) in _pieces)
            {
                if (last is { } before && before != kind)
                {
                    saved.Add(new LiveOutput(before, joined.ToArray()));
                    joined.SetLength(0);
                }

                last = kind;
                joined.Write(data);
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
            _pieces.Enqueue((kind, data));
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

    private void Trim()
    {
        long needed = _readers.Count == 0 ? long.MaxValue : _readers.Min(reader => reader.Next);
        while (_size > limit && _pieces.Count > 1 && _firstPiece < needed)
        {
            _size -= _pieces.Dequeue().Data.Length;
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
                var (kind, data) = buffer._pieces.ElementAt(index);
                Next++;
                found = new HostedEvent(kind, data);
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
