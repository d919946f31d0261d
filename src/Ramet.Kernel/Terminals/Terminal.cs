using Ramet.Kernel.Files;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Terminals;

/// <summary>
/// A pseudoterminal (pty(7)): the terminal that programs see, its line discipline, and the two queues between it and its master. The master is a description
/// (<see cref="TerminalMaster"/>) or the host (<see cref="HostTerminal"/>). All members are used under the kernel lock.
/// </summary>
[Saved]
public sealed partial class Terminal
{
    /// <summary>Major device number of terminals of devpts, for the first 256.</summary>
    public const uint Major = 136;

    private const int QueueCapacity = 65536;

    private ByteRing _incoming = new(QueueCapacity);
    private ByteRing _outgoing = new(QueueCapacity);

    private Terminal()
    {
    }

    internal Terminal(Kernel kernel, int number)
    {
        Kernel = kernel;
        Number = number;
    }

    /// <summary>The N of /dev/pts/N.</summary>
    public int Number { get; private set; }

    /// <summary>Size of the window.</summary>
    public WindowSize WindowSize { get; private set; }

    /// <summary>The session whose controlling terminal this is; 0: none's.</summary>
    public int Session { get; private set; }

    /// <summary>The foreground process group; 0: none.</summary>
    public int ForegroundGroup { get; internal set; }

    internal Kernel Kernel { get; private set; } = null!;

    /// <summary>Modes and special characters.</summary>
    internal TerminalSettings Settings { get; private set; } = new();

    /// <summary>Its node in devpts.</summary>
    internal TerminalInode Inode { get; set; } = null!;

    /// <summary>The host, if that is the master.</summary>
    internal HostTerminal? Host { get; set; }

    /// <summary>Readers and writers of the terminal wait here.</summary>
    internal WaitQueue Queue { get; private set; } = new();

    /// <summary>Readers and writers of the master wait here.</summary>
    internal WaitQueue MasterQueue { get; private set; } = new();

    /// <summary>TIOCSPTLCK: it cannot be opened yet.</summary>
    internal bool IsLocked { get; set; }

    /// <summary>TIOCEXCL.</summary>
    internal bool IsExclusive { get; set; }

    /// <summary>The master is gone.</summary>
    internal bool IsMasterClosed { get; private set; }

    /// <summary>All descriptions of the terminal are closed, and there had been one.</summary>
    internal bool IsSlaveClosed { get; private set; }

    /// <summary>Counts hangups: a description of an earlier generation is dead.</summary>
    internal int Generation { get; private set; }

    /// <summary>Open descriptions of the terminal.</summary>
    internal int SlaveCount { get; private set; }

    /// <summary>TIOCPKT.</summary>
    internal bool PacketMode { get; set; }

    /// <summary>What the master has not been told yet in packet mode.</summary>
    internal PacketStatus PacketStatus { get; set; }

    /// <summary>Bytes that the master can read.</summary>
    internal int OutputCount => _outgoing.Count;

    /// <summary>st_rdev: beyond 256 terminals the majors go on.</summary>
    internal ulong Device => DeviceNumber.Make(Major + ((uint)Number >> 8), (uint)Number & 0xFF);

    internal void OnOpened()
    {
        SlaveCount++;
        IsSlaveClosed = false;
    }

    internal void OnClosed(int generation)
    {
        if (generation != Generation || --SlaveCount > 0) return;
        IsSlaveClosed = true;
        IsExclusive = false;
        MasterQueue.Wake();
    }

    /// <summary>The master is closed: the terminal is hung up, and its name goes.</summary>
    internal void OnMasterClosed()
    {
        IsMasterClosed = true;
        HangUp();
        Kernel.Terminals.Remove(this);
        _incoming.ReleaseStorage(Kernel);
        _outgoing.ReleaseStorage(Kernel);
    }

    /// <summary>The terminal hangs up (vhangup(2)): its session leader gets SIGHUP and SIGCONT, descriptions lead nowhere, nobody has it as controlling terminal.</summary>
    internal void HangUp()
    {
        foreach (var process in Kernel.Processes.All.Where(process => Session != 0 && process.Session == Session).ToArray())
        {
            if (process.ControllingTerminal == this) process.ControllingTerminal = null;
            if (process.Pid != Session || process.IsZombie) continue;
            process.LostForegroundGroup = ForegroundGroup;
            process.SendSignal(Signal.SIGHUP);
            process.SendSignal(Signal.SIGCONT);
        }

        Session = ForegroundGroup = 0;
        Generation++;
        SlaveCount = 0;
        IsSlaveClosed = true;
        ResetInput();
        _isStopped = false;
        Queue.Wake();
        MasterQueue.Wake();
    }

    /// <summary>TIOCSWINSZ: the foreground group is told.</summary>
    internal void Resize(WindowSize size)
    {
        if (size == WindowSize) return;
        WindowSize = size;
        SignalForeground(Signal.SIGWINCH);
    }

    /// <summary>The master writes: bytes from the buffer, as many as fit. Returns how many.</summary>
    internal int TakeInput(ref IoBuffer buffer)
    {
        int total = 0;
        while (buffer.Remaining > 0 && !buffer.Faulted)
        {
            int taken = _incoming.Append(Kernel, ref buffer, QueueCapacity);
            total += taken;
            Pump();
            if (taken == 0) break;
        }

        return total;
    }

    /// <summary>Whether the master can write.</summary>
    internal bool HasInputRoom => _incoming.Free > 0;

    /// <summary>Bytes of the master that the line discipline has not taken yet.</summary>
    internal int UnprocessedInput => _incoming.Count;

    /// <summary>The master reads what programs have written and what was echoed.</summary>
    internal int TakeOutput(ref IoBuffer buffer)
    {
        int done = _outgoing.Take(ref buffer, int.MaxValue);
        if (done > 0)
        {
            FlushEcho();
            if (OutputRoom > 0) Queue.Wake(Readiness.Out);
        }

        return done;
    }

    /// <summary>Copies what comes next for the master without taking it.</summary>
    internal int PeekOutput(Span<byte> destination) => _outgoing.Peek(destination);

    /// <summary>The host has taken that many bytes.</summary>
    internal void DropOutput(int count)
    {
        _outgoing.Drop(count);
        FlushEcho();
        if (OutputRoom > 0) Queue.Wake(Readiness.Out);
    }

    /// <summary>Tells a master in packet mode.</summary>
    private void Report(PacketStatus status, PacketStatus clears = 0)
    {
        if (!PacketMode) return;
        PacketStatus = (PacketStatus & ~clears) | status;
        MasterQueue.Wake(Readiness.In | PollEvents.POLLPRI);
    }
}
