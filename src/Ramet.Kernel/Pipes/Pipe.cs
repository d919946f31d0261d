using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Pipes;

/// <summary>
/// What is between the two ends of a pipe (pipe(7)). Writers block while less than PIPE_BUF is free, and are woken when a read brings that much: no
/// writer that waits needs less to go on.
/// </summary>
[Saved]
public sealed partial class Pipe
{
    /// <summary>Bytes in a new pipe, as on Linux.</summary>
    public const int DefaultCapacity = 65536;

    /// <summary>/proc/sys/fs/pipe-max-size: the most that an unprivileged F_SETPIPE_SZ gets.</summary>
    public const int MaximumCapacity = 1 << 20;

    /// <summary>PIPE_BUF: writes up to this are not interleaved with others.</summary>
    public const int AtomicSize = 4096;

    private const int SlotSize = 4096;

    private ByteRing _ring = new(DefaultCapacity);
    private List<PipeRun>? _runs;
    private int _packets;

    /// <summary>Readers wait here for POLLIN, writers for POLLOUT.</summary>
    public WaitQueue Queue { get; private set; } = new();

    /// <summary>Descriptions that can read.</summary>
    public int Readers { get; internal set; }

    /// <summary>Descriptions that can write.</summary>
    public int Writers { get; internal set; }

    /// <summary>How often an end was opened for reading: what open(2) of a FIFO waits to change.</summary>
    internal long ReaderOpens;

    /// <summary>How often an end was opened for writing.</summary>
    internal long WriterOpens;

    /// <summary>Bytes that fit in (F_GETPIPE_SZ).</summary>
    public int Capacity => _ring.Capacity;

    /// <summary>Bytes to read (FIONREAD).</summary>
    public int Count => _ring.Count;

    private int Slots => Math.Max(1, _ring.Capacity / SlotSize);

    private bool HasRoom => _ring.Free >= AtomicSize && _packets < Slots;

    /// <summary>What an end can do.</summary>
    public PollEvents Poll(bool reader, bool writer, bool hadWriter)
    {
        var events = PollEvents.None;
        if (reader)
        {
            if (_ring.Count > 0) events |= Readiness.In;
            if (Writers == 0 && hadWriter) events |= PollEvents.POLLHUP;
        }

        if (writer)
        {
            if (HasRoom) events |= Readiness.Out;
            if (Readers == 0) events |= PollEvents.POLLERR;
        }

        return events;
    }

    /// <summary>read(2).</summary>
    public SyscallResult Read(PosixThread thread, ref IoBuffer buffer, bool nonBlocking)
    {
        if (buffer.Remaining == 0) return 0;
        if (_ring.Count == 0)
        {
            if (Writers == 0) return 0;
            return nonBlocking ? Errno.EAGAIN : thread.BlockOn(Queue, PollEvents.POLLIN);
        }

        bool hadRoom = HasRoom;
        int done = Take(ref buffer);
        if (!hadRoom && HasRoom) Queue.Wake(Readiness.Out);
        return done == 0 && buffer.Faulted ? Errno.EFAULT : done;
    }

    /// <summary>write(2). Bytes written before the call blocked are in <see cref="PosixThread.Progress"/>.</summary>
    public SyscallResult Write(PosixThread thread, ref IoBuffer buffer, bool nonBlocking, bool packets)
    {
        long total = buffer.Length;
        if (total == 0) return 0;
        buffer.Skip(thread.Progress);
        if (Readers == 0)
        {
            return BrokenPipe(thread);
        }

        int appended = packets ? AppendPackets(thread.Kernel, ref buffer) : AppendStream(thread.Kernel, ref buffer, total <= AtomicSize);
        if (appended > 0) Queue.Wake(Readiness.In);
        thread.Progress += appended;

        if (buffer.Faulted) return thread.Progress > 0 ? thread.Progress : Errno.EFAULT;
        if (thread.Progress == total) return total;
        if (thread.Progress > 0 && (nonBlocking || thread.SignalPending)) return thread.Progress;
        return nonBlocking ? Errno.EAGAIN : thread.BlockOn(Queue, PollEvents.POLLOUT | PollEvents.POLLERR);
    }

    /// <summary>Nobody will read: SIGPIPE, and EPIPE unless the call had written something before it blocked.</summary>
    internal static SyscallResult BrokenPipe(PosixThread thread)
    {
        const int sigpipe = 13;
        thread.SendSignal(sigpipe);
        return thread.Progress > 0 ? thread.Progress : Errno.EPIPE;
    }

    /// <summary>F_SETPIPE_SZ: the new size, rounded up to a power of two of pages. EPERM, EBUSY, EINVAL.</summary>
    public SyscallResult SetCapacity(PosixThread thread, ulong bytes)
    {
        if (bytes > 1UL << 31) return Errno.EINVAL;
        long size = Math.Max(SlotSize, (long)System.Numerics.BitOperations.RoundUpToPowerOf2(bytes));
        if (size > MaximumCapacity && size > Capacity) return Errno.EPERM;
        if (size < _ring.Count || (_packets > 0 && size / SlotSize < _packets)) return Errno.EBUSY;
        bool hadRoom = HasRoom;
        _ring.SetCapacity((int)size);
        if (!hadRoom && HasRoom) Queue.Wake(Readiness.Out);
        return Capacity;
    }

    /// <summary>An end has closed.</summary>
    internal void OnEndClosed(Kernel kernel)
    {
        if (Readers == 0 && Writers == 0)
        {
            _ring.ReleaseStorage(kernel);
            _runs = null;
            _packets = 0;
        }
        else if (Readers == 0 || Writers == 0)
        {
            Queue.Wake();
        }
    }

    private int AppendStream(Kernel kernel, ref IoBuffer buffer, bool atomic)
    {
        if (_packets >= Slots || (atomic && _ring.Free < buffer.Remaining)) return 0;
        int appended = _ring.Append(kernel, ref buffer, int.MaxValue);

        // The budget of the sandbox may have cut an atomic write short: it then is what the ring holds from now on.
        if (_runs is { Count: > 0 } && appended > 0) AddRun(appended, packet: false);
        return appended;
    }

    private int AppendPackets(Kernel kernel, ref IoBuffer buffer)
    {
        int total = 0;
        while (buffer.Remaining > 0 && _packets < Slots)
        {
            int size = (int)Math.Min(buffer.Remaining, AtomicSize);
            if (_ring.Free < size) break;
            if (_runs is not { Count: > 0 } && _ring.Count > 0) AddRun(_ring.Count, packet: false);
            int appended = _ring.Append(kernel, ref buffer, size);
            if (appended == 0) break;
            AddRun(appended, packet: true);
            total += appended;
            if (appended < size) break;
        }

        return total;
    }

    private void AddRun(int length, bool packet)
    {
        _runs ??= [];
        if (packet)
        {
            _packets++;
        }
        else if (_runs.Count > 0 && !_runs[^1].IsPacket)
        {
            _runs[^1] = new PipeRun(_runs[^1].Length + length, IsPacket: false);
            return;
        }

        _runs.Add(new PipeRun(length, packet));
    }

    private int Take(ref IoBuffer buffer)
    {
        if (_runs is not { Count: > 0 }) return _ring.Take(ref buffer, int.MaxValue);

        var run = _runs[0];
        int done = _ring.Take(ref buffer, run.Length);
        if (run.IsPacket && !(done == 0 && buffer.Faulted))
        {
            // What did not fit into the reader's buffer is lost (pipe(2), O_DIRECT).
            _ring.Drop(run.Length - done);
            _packets--;
            _runs.RemoveAt(0);
        }
        else if (done == run.Length)
        {
            _runs.RemoveAt(0);
        }
        else
        {
            _runs[0] = run with { Length = run.Length - done };
        }

        return done;
    }
}

/// <summary>Bytes of a pipe that are read together: a packet (O_DIRECT), or the stream between two packets.</summary>
internal readonly record struct PipeRun(int Length, bool IsPacket);
