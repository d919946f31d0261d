using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>Reading: lines in canonical mode, else by VMIN and VTIME.</summary>
public sealed partial class Terminal
{
    private const long Decisecond = 100_000_000;

    /// <summary>Bytes that FIONREAD reports.</summary>
    internal int ReadableCount
    {
        get
        {
            if (!IsCanonical) return (int)(_head - _tail);
            int count = 0;
            for (long i = _tail; i < _lineHead; i++)
            {
                // The mark of VEOF is not read.
                if (!_ends[i % BufferSize] || _buffer[i % BufferSize] != 0) count++;
            }

            return count;
        }
    }

    /// <summary>Whether poll(2) says that there is something to read.</summary>
    internal bool IsReadable
    {
        get
        {
            int minimum = Settings[ControlCharacter.VTIME] == 0 ? Settings[ControlCharacter.VMIN] : 1;
            return HasInput(Math.Max(minimum, 1));
        }
    }

    /// <summary>read(2), without the checks of job control.</summary>
    internal SyscallResult Read(PosixThread thread, ref IoBuffer buffer, bool nonBlocking)
    {
        if (IsCanonical)
        {
            if (_lineHead == _tail) return nonBlocking ? Errno.EAGAIN : thread.BlockOn(Queue, PollEvents.POLLIN | PollEvents.POLLHUP);
            return Finish(ref buffer, TakeLine(ref buffer));
        }

        long available = _head - _tail;
        int minimum = Settings[ControlCharacter.VMIN];
        long time = Settings[ControlCharacter.VTIME] * Decisecond;
        bool enough = available >= Math.Min(Math.Max(minimum, 1), buffer.Remaining);
        if (!enough && available > 0 && (nonBlocking || thread.SignalPending || (thread.Resuming && thread.TimedOut))) enough = true;
        if (enough) return Finish(ref buffer, TakeBytes(ref buffer));

        if (minimum == 0)
        {
            // VTIME bounds the whole read.
            if (time == 0 || (thread.Resuming && thread.TimedOut)) return nonBlocking && time != 0 ? Errno.EAGAIN : 0;
            if (nonBlocking) return Errno.EAGAIN;
            thread.WaitUntil(thread.Kernel.MonotonicNow + time);
        }
        else if (nonBlocking)
        {
            return Errno.EAGAIN;
        }
        else if (time != 0 && available > thread.Progress)
        {
            // VTIME is the time between two bytes.
            thread.Progress = available;
            thread.RestartDeadline(thread.Kernel.MonotonicNow + time);
        }

        return thread.BlockOn(Queue, PollEvents.POLLIN | PollEvents.POLLHUP);
    }

    private bool HasInput(int minimum) => IsCanonical ? _lineHead != _tail : _head - _tail >= minimum;

    private SyscallResult Finish(ref IoBuffer buffer, int done)
    {
        Pump();
        if (HasInput(minimum: 1)) Queue.Wake(Readiness.In);
        return done == 0 && buffer.Faulted ? Errno.EFAULT : done;
    }

    private int TakeLine(ref IoBuffer buffer)
    {
        int done = 0;
        while (_tail < _lineHead)
        {
            int index = (int)(_tail % BufferSize);
            bool isEnd = _ends[index];
            if (isEnd && _buffer[index] == 0)
            {
                _tail++;
                break;
            }

            if (buffer.Remaining == 0 || buffer.CopyFrom(_buffer.AsSpan(index, 1)) == 0) break;
            _tail++;
            done++;
            if (isEnd) break;
        }

        return done;
    }

    private int TakeBytes(ref IoBuffer buffer)
    {
        int done = 0;
        while (_tail < _head && buffer.Remaining > 0)
        {
            int index = (int)(_tail % BufferSize);
            int piece = (int)Math.Min(_head - _tail, BufferSize - index);
            int copied = buffer.CopyFrom(_buffer.AsSpan(index, piece));
            if (copied == 0) break;
            _tail += copied;
            done += copied;
        }

        if (_lineHead < _tail) _lineHead = _tail;
        return done;
    }
}
