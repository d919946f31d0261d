using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Terminals;

/// <summary>Input: the line discipline takes the master's bytes one by one (termios(3)).</summary>
public sealed partial class Terminal
{
    private const int BufferSize = 4096;

    private byte[] _buffer = new byte[BufferSize];
    private bool[] _ends = new bool[BufferSize];
    private long _tail;
    private long _lineHead;
    private long _head;
    private bool _literalNext;
    private bool _erasing;

    private bool IsCanonical => Settings.Has(LocalModes.ICANON) && !Settings.Has(LocalModes.EXTPROC);

    /// <summary>Forgets input that no program has read (TCIFLUSH).</summary>
    internal void FlushInput()
    {
        ResetInput();
        Report(PacketStatus.TIOCPKT_FLUSHREAD);
        MasterQueue.Wake(Readiness.Out);
    }

    /// <summary>Takes new settings over (tcsetattr(3)).</summary>
    internal void Apply(TerminalSettings settings)
    {
        var old = Settings;
        Settings = settings;
        if (((old.Local ^ settings.Local) & (LocalModes.ICANON | LocalModes.EXTPROC)) != 0)
        {
            Array.Clear(_ends);
            _erasing = _literalNext = false;
            _lineHead = _tail;
            if (settings.Has(LocalModes.ICANON) && _head != _tail)
            {
                // What lies there raw can be read as a line.
                _ends[(_head - 1) % BufferSize] = true;
                _lineHead = _head;
            }
        }

        if (!settings.Has(InputModes.IXON) && old.Has(InputModes.IXON)) StartOutput(byCall: false);
        ReportSettings(old);
        Pump();
        Queue.Wake();
    }

    private void ReportSettings(TerminalSettings old)
    {
        static bool Flows(TerminalSettings settings) =>
            settings.Has(InputModes.IXON) && settings[ControlCharacter.VSTOP] == 0x13 && settings[ControlCharacter.VSTART] == 0x11;
        if (Flows(old) != Flows(Settings))
        {
            var status = Flows(Settings) ? PacketStatus.TIOCPKT_DOSTOP : PacketStatus.TIOCPKT_NOSTOP;
            Report(status, clears: PacketStatus.TIOCPKT_DOSTOP | PacketStatus.TIOCPKT_NOSTOP);
        }

        if (old.Has(LocalModes.EXTPROC) || Settings.Has(LocalModes.EXTPROC)) Report(PacketStatus.TIOCPKT_IOCTL);
    }

    private void ResetInput()
    {
        _incoming.Drop(_incoming.Count);
        DiscardRead();
    }

    private void DiscardRead()
    {
        _tail = _lineHead = _head = 0;
        _literalNext = _erasing = false;
        Array.Clear(_ends);
    }

    /// <summary>Moves bytes of the master into the line discipline as far as there is room.</summary>
    private void Pump()
    {
        if (_incoming.Count == 0) return;
        Span<byte> chunk = stackalloc byte[256];
        bool moved = false;
        while (_incoming.Count > 0)
        {
            int count = _incoming.Peek(chunk);
            int done = 0;
            while (done < count && MakeRoom()) Receive(chunk[done++]);
            // A signal character has flushed what was behind it in the queue.
            _incoming.Drop(Math.Min(done, _incoming.Count));
            moved |= done > 0;
            if (done < count) break;
        }

        if (!moved) return;
        if (HasInput(minimum: 1)) Queue.Wake(Readiness.In);
        NotifyMaster();
        MasterQueue.Wake(Readiness.Out);
    }

    /// <summary>
    /// Whether a byte can be taken. A line that is too long for the buffer loses what comes last, so that its end can still be typed; else bytes wait for the reader.
    /// </summary>
    private bool MakeRoom()
    {
        long used = _head - _tail;
        if (used < BufferSize - 1) return true;
        if (!Settings.Has(LocalModes.ICANON) || _lineHead != _tail) return false;
        if (used == BufferSize) _head--;
        return true;
    }

    private void Receive(byte character)
    {
        var settings = Settings;
        if (settings.Has(InputModes.ISTRIP)) character &= 0x7F;
        if (settings.Has(InputModes.IUCLC) && settings.Has(LocalModes.IEXTEN) && character is >= (byte)'A' and <= (byte)'Z') character += 0x20;
        if (settings.Has(LocalModes.EXTPROC))
        {
            Put(character);
            return;
        }

        if (_literalNext)
        {
            _literalNext = false;
            TakeOrdinary(character);
            return;
        }

        if (settings.Has(InputModes.IXON) && TakeFlowControl(character)) return;
        if (settings.Has(LocalModes.ISIG) && SignalOf(character) is var signal and not 0)
        {
            TakeSignal(character, signal);
            return;
        }

        if (_isStopped && settings.Has(InputModes.IXON) && settings.Has(InputModes.IXANY)) StartOutput(byCall: false);
        if (character == (byte)'\r')
        {
            if (settings.Has(InputModes.IGNCR)) return;
            if (settings.Has(InputModes.ICRNL)) character = (byte)'\n';
        }
        else if (character == (byte)'\n' && settings.Has(InputModes.INLCR))
        {
            character = (byte)'\r';
        }

        if (settings.Has(LocalModes.ICANON) && TakeEditing(character)) return;
        if (character == (byte)'\n' && settings.Has(LocalModes.ECHO))
        {
            FinishErasing();
            EchoRaw(character);
            Put(character);
            return;
        }

        TakeOrdinary(character);
    }

    private bool TakeFlowControl(byte character)
    {
        if (Settings.Is(character, ControlCharacter.VSTART))
        {
            StartOutput(byCall: false);
            return true;
        }

        if (!Settings.Is(character, ControlCharacter.VSTOP)) return false;
        StopOutput(byCall: false);
        return true;
    }

    private int SignalOf(byte character) =>
        Settings.Is(character, ControlCharacter.VINTR) ? Signal.SIGINT
        : Settings.Is(character, ControlCharacter.VQUIT) ? Signal.SIGQUIT
        : Settings.Is(character, ControlCharacter.VSUSP) ? Signal.SIGTSTP
        : 0;

    private void TakeSignal(byte character, int signal)
    {
        if (!Settings.Has(LocalModes.NOFLSH))
        {
            _pendingEcho.Clear();
            DiscardRead();
            Report(PacketStatus.TIOCPKT_FLUSHREAD | PacketStatus.TIOCPKT_FLUSHWRITE);
        }

        SignalForeground(signal);
        if (Settings.Has(InputModes.IXON)) StartOutput(byCall: false);
        if (Settings.Has(LocalModes.ECHO)) EchoCharacter(character);
    }

    private void TakeOrdinary(byte character)
    {
        if (Settings.Has(LocalModes.ECHO))
        {
            FinishErasing();
            if (_lineHead == _head) _lineStartColumn = _column;
            EchoCharacter(character);
        }

        Put(character);
    }

    private void Put(byte character)
    {
        if (character == 0xFF && Settings.Has(InputModes.PARMRK) && _head - _tail < BufferSize - 1) PutOne(character);
        PutOne(character);
    }

    private void PutOne(byte character)
    {
        _ends[_head % BufferSize] = false;
        _buffer[_head++ % BufferSize] = character;
    }

    /// <summary>The line is complete. A 0 stands for VEOF, which is not part of it.</summary>
    private void EndLine(byte character)
    {
        _ends[_head % BufferSize] = true;
        _buffer[_head++ % BufferSize] = character;
        _lineHead = _head;
        Queue.Wake(Readiness.In);
    }
}
