namespace Ramet.Sandboxes.Workers;

/// <summary>
/// How much of a stream may be under way: a worker sends while less than <see cref="Size"/> bytes are not yet taken by whoever asked. So a caller who reads slowly holds up the
/// program that prints, as the reader of a pipe would, and memory grows on neither side.
/// </summary>
internal sealed class FlowWindow
{
    /// <summary>Bytes that may be under way; the last event may go beyond.</summary>
    public const int Size = 256 << 10;

    /// <summary>Most bytes of output in one event; longer ones are split.</summary>
    public const int LongestEvent = 64 << 10;

    private readonly Lock _lock = new();
    private long _left = Size;
    private TaskCompletionSource? _opened;

    /// <summary>What an event counts: its bytes, and something for itself.</summary>
    public static int CostOf(Frame frame) => 64 + frame.Json.Length + frame.Blobs.Sum(blob => blob.Length);

    /// <summary>Waits until something may be sent.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task opened;
            lock (_lock)
            {
                if (_left > 0) return;
                opened = (_opened ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await opened.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>So much was sent.</summary>
    public void Take(int bytes)
    {
        lock (_lock) _left -= bytes;
    }

    /// <summary>So much has arrived where it was to go.</summary>
    public void Give(uint bytes)
    {
        lock (_lock)
        {
            _left = Math.Min(Size, _left + bytes);
            if (_left <= 0 || _opened is null) return;
            _opened.TrySetResult();
            _opened = null;
        }
    }
}
