using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace Ramet.Sandboxes.Workers;

/// <summary>Events that a worker has sent and nobody has taken yet: no more than its <see cref="FlowWindow"/> allows, which is not left to the worker to decide.</summary>
internal sealed class EventQueue
{
    private readonly Channel<Frame> _frames = Channel.CreateUnbounded<Frame>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private long _waiting;
    private int _taken;

    /// <summary>Adds one.</summary>
    /// <exception cref="FrameException">The worker sends more than it may.</exception>
    public void Add(Frame frame)
    {
        if (Volatile.Read(ref _waiting) >= FlowWindow.Size) throw new FrameException("more events than it may send");
        Interlocked.Add(ref _waiting, FlowWindow.CostOf(frame));
        _frames.Writer.TryWrite(frame);
    }

    /// <summary>No more will come.</summary>
    public void Complete() => _frames.Writer.TryComplete();

    /// <summary>Waits for one; false: none will come.</summary>
    public ValueTask<bool> WaitAsync() => _frames.Reader.WaitToReadAsync();

    /// <summary>Takes one. Whoever takes has done with those before, so these are what the worker gets credit for.</summary>
    /// <param name="frame">The event.</param>
    /// <param name="credit">Bytes to tell the worker of; 0: not yet.</param>
    public bool TryTake([NotNullWhen(true)] out Frame? frame, out uint credit)
    {
        credit = 0;
        if (!_frames.Reader.TryRead(out frame)) return false;
        _taken += FlowWindow.CostOf(frame);
        if (_taken < FlowWindow.Size / 4) return true;
        credit = (uint)_taken;
        Interlocked.Add(ref _waiting, -_taken);
        _taken = 0;
        return true;
    }
}
