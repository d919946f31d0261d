using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Terminals;

/// <summary>Output: what programs write and what is echoed, processed and handed to the master.</summary>
public sealed partial class Terminal
{
    private const int TabWidth = 8;
    private const int Chunk = 512;
    private const int MaximumPendingEcho = 4096;

    private bool _isStopped;
    private bool _stoppedByCall;
    private int _column;
    private int _lineStartColumn;
    private List<byte> _pendingEcho = [];

    /// <summary>Bytes that programs can write now; 0 while output is stopped.</summary>
    internal int OutputRoom => _isStopped || _pendingEcho.Count > 0 ? 0 : _outgoing.Free / Expansion;

    /// <summary>Bytes that one byte can become.</summary>
    private int Expansion => !Settings.Has(OutputModes.OPOST) ? 1 : (Settings.Output & OutputModes.XTABS) == OutputModes.XTABS ? TabWidth : 2;

    /// <summary>A program writes. Returns how many bytes were taken: fewer than there are when the master does not read, or output is stopped.</summary>
    internal int PutOutput(ref IoBuffer buffer)
    {
        FlushEcho();
        int total = 0;
        Span<byte> chunk = stackalloc byte[Chunk];
        Span<byte> processed = stackalloc byte[Chunk * TabWidth];
        while (buffer.Remaining > 0)
        {
            int wanted = (int)Math.Min(Math.Min(Chunk, buffer.Remaining), OutputRoom);
            if (wanted == 0 || !_outgoing.EnsureRoom(Kernel, wanted * Expansion)) break;
            int count = buffer.CopyTo(chunk[..wanted]);
            int length = 0;
            if (Settings.Has(OutputModes.OPOST))
            {
                foreach (byte character in chunk[..count]) length += Process(character, processed[length..]);
                Append(processed[..length]);
            }
            else
            {
                Append(chunk[..count]);
            }

            total += count;
            if (count < wanted) break;
            // A host takes its output at once, so there may be room again.
            if (OutputRoom == 0) NotifyMaster();
        }

        NotifyMaster();
        return total;
    }

    /// <summary>Output goes on.</summary>
    internal void StartOutput(bool byCall)
    {
        if (!_isStopped || (_stoppedByCall && !byCall)) return;
        _isStopped = _stoppedByCall = false;
        Report(PacketStatus.TIOCPKT_START, clears: PacketStatus.TIOCPKT_STOP);
        FlushEcho();
        NotifyMaster();
        Queue.Wake(Readiness.Out);
    }

    /// <summary>Output stops.</summary>
    internal void StopOutput(bool byCall)
    {
        if (byCall) _stoppedByCall = true;
        if (_isStopped) return;
        _isStopped = true;
        Report(PacketStatus.TIOCPKT_STOP, clears: PacketStatus.TIOCPKT_START);
    }

    /// <summary>A flow control character for the master, past all else (TCIOFF, TCION).</summary>
    internal void SendControl(byte character)
    {
        if (character == 0 || !_outgoing.EnsureRoom(Kernel, 1)) return;
        Append([character]);
        NotifyMaster();
    }

    /// <summary>TCOFLUSH. What the master could read already it keeps, as on Linux.</summary>
    internal void FlushOutput()
    {
        _pendingEcho.Clear();
        Report(PacketStatus.TIOCPKT_FLUSHWRITE);
        Queue.Wake(Readiness.Out);
    }

    /// <summary>Whether a character is a control character to the line discipline: those of ASCII.</summary>
    private static bool IsControl(byte character) => character < 0x20 || character == 0x7F;

    private bool IsContinuation(byte character) => (character & 0xC0) == 0x80 && Settings.Has(InputModes.IUTF8);

    /// <summary>Output processing of one character (OPOST); returns how many bytes it becomes.</summary>
    private int Process(byte character, Span<byte> output)
    {
        switch (character)
        {
            case (byte)'\n':
                if (Settings.Has(OutputModes.ONLRET)) _column = 0;
                if (Settings.Has(OutputModes.ONLCR))
                {
                    _lineStartColumn = _column = 0;
                    "\r\n"u8.CopyTo(output);
                    return 2;
                }

                _lineStartColumn = _column;
                break;
            case (byte)'\r':
                if (Settings.Has(OutputModes.ONOCR) && _column == 0) return 0;
                if (Settings.Has(OutputModes.OCRNL))
                {
                    character = (byte)'\n';
                    if (Settings.Has(OutputModes.ONLRET)) _lineStartColumn = _column = 0;
                    break;
                }

                _lineStartColumn = _column = 0;
                break;
            case (byte)'\t':
                int spaces = TabWidth - (_column & (TabWidth - 1));
                _column += spaces;
                if ((Settings.Output & OutputModes.XTABS) != OutputModes.XTABS) break;
                output[..spaces].Fill((byte)' ');
                return spaces;
            case (byte)'\b':
                if (_column > 0) _column--;
                break;
            default:
                if (IsControl(character)) break;
                if (Settings.Has(OutputModes.OLCUC) && character is >= (byte)'a' and <= (byte)'z') character -= 0x20;
                if (!IsContinuation(character)) _column++;
                break;
        }

        output[0] = character;
        return 1;
    }

    /// <summary>Echoes a character as output.</summary>
    private void EchoRaw(byte character)
    {
        Span<byte> bytes = stackalloc byte[TabWidth];
        int count = 1;
        if (Settings.Has(OutputModes.OPOST)) count = Process(character, bytes);
        else bytes[0] = character;
        Echo(bytes[..count]);
    }

    /// <summary>Echoes a character in the way that shows control characters as ^X if that is wanted (ECHOCTL).</summary>
    private void EchoCharacter(byte character)
    {
        if (Settings.Has(LocalModes.ECHOCTL) && IsControl(character) && character != (byte)'\t')
        {
            _column += 2;
            Echo([(byte)'^', (byte)(character ^ 0x40)]);
        }
        else
        {
            EchoRaw(character);
        }
    }

    private void Echo(ReadOnlySpan<byte> bytes)
    {
        if (!_isStopped && _pendingEcho.Count == 0 && _outgoing.EnsureRoom(Kernel, bytes.Length)) Append(bytes);
        else if (_pendingEcho.Count + bytes.Length <= MaximumPendingEcho) _pendingEcho.AddRange(bytes);
    }

    /// <summary>Echo that had to wait goes out when there is room.</summary>
    private void FlushEcho()
    {
        if (_isStopped || _pendingEcho.Count == 0) return;
        int count = Math.Min(_pendingEcho.Count, _outgoing.Free);
        if (count == 0 || !_outgoing.EnsureRoom(Kernel, count)) return;
        Append(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_pendingEcho)[..count]);
        _pendingEcho.RemoveRange(0, count);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        Span<byte> copy = stackalloc byte[Chunk * TabWidth];
        bytes.CopyTo(copy);
        var buffer = new IoBuffer(copy[..bytes.Length]);
        _outgoing.Append(Kernel, ref buffer, bytes.Length);
    }

    private void NotifyMaster()
    {
        if (_outgoing.Count == 0) return;
        if (Host is not null) Host.PumpOutput();
        else MasterQueue.Wake(Readiness.In);
    }
}
