using System.Buffers.Binary;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Terminals;

/// <summary>struct termios of a terminal.</summary>
[Saved]
internal sealed partial class TerminalSettings
{
    /// <summary>Bytes of struct termios as TCGETS has it.</summary>
    public const int Size = 36;

    /// <summary>Bytes of struct termios2.</summary>
    public const int Size2 = 44;

    /// <summary>Bytes of struct termio (TCGETA).</summary>
    public const int OldSize = 18;

    private const int CharacterCount = 19;
    private const int OldCharacterCount = 8;
    private const int CharactersOffset = 17;
    private const uint DefaultSpeed = 38400;

    private byte[] _characters = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];

    /// <summary>c_iflag.</summary>
    public InputModes Input { get; set; } = InputModes.ICRNL | InputModes.IXON;

    /// <summary>c_oflag.</summary>
    public OutputModes Output { get; set; } = OutputModes.OPOST | OutputModes.ONLCR;

    /// <summary>c_cflag.</summary>
    public ControlModes Control { get; set; } = ControlModes.B38400 | ControlModes.CS8 | ControlModes.CREAD;

    /// <summary>c_lflag.</summary>
    public LocalModes Local { get; set; } =
        LocalModes.ISIG | LocalModes.ICANON | LocalModes.ECHO | LocalModes.ECHOE | LocalModes.ECHOK | LocalModes.ECHOCTL | LocalModes.ECHOKE | LocalModes.IEXTEN;

    private byte Line { get; set; }

    private uint InputSpeed { get; set; } = DefaultSpeed;

    private uint OutputSpeed { get; set; } = DefaultSpeed;

    public bool Has(InputModes mode) => (Input & mode) != 0;

    public bool Has(OutputModes mode) => (Output & mode) != 0;

    public bool Has(LocalModes mode) => (Local & mode) != 0;

    /// <summary>A special character; 0 for VMIN and VTIME is a count, for others it means that there is none.</summary>
    public byte this[ControlCharacter index] => _characters[(int)index];

    /// <summary>Whether this character has this meaning.</summary>
    public bool Is(byte character, ControlCharacter index) => character != 0 && _characters[(int)index] == character;

    public TerminalSettings Clone() => new()
    {
        _characters = [.. _characters],
        Input = Input,
        Output = Output,
        Control = Control,
        Local = Local,
        Line = Line,
        InputSpeed = InputSpeed,
        OutputSpeed = OutputSpeed,
    };

    /// <summary>Fills a struct termios, or termios2 if there is room for one.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)Input);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)Output);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], (uint)Control);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], (uint)Local);
        bytes[16] = Line;
        _characters.CopyTo(bytes[CharactersOffset..]);
        if (bytes.Length < Size2) return;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[36..], InputSpeed);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[40..], OutputSpeed);
    }

    /// <summary>Takes a struct termios or termios2.</summary>
    public void Read(ReadOnlySpan<byte> bytes)
    {
        Input = (InputModes)BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        Output = (OutputModes)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        Control = (ControlModes)BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        Local = (LocalModes)BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        Line = bytes[16];
        bytes.Slice(CharactersOffset, CharacterCount).CopyTo(_characters);
        if (bytes.Length >= Size2)
        {
            InputSpeed = BinaryPrimitives.ReadUInt32LittleEndian(bytes[36..]);
            OutputSpeed = BinaryPrimitives.ReadUInt32LittleEndian(bytes[40..]);
        }

        if ((Control & ControlModes.CBAUD) != ControlModes.BOTHER) InputSpeed = OutputSpeed = SpeedOf(Control);
        // A pseudoterminal has no line: eight bits, no parity.
        Control = (Control & ~(ControlModes.CSIZE | ControlModes.PARENB)) | ControlModes.CS8 | ControlModes.CREAD;
    }

    /// <summary>Fills a struct termio: 16 bits of each mode.</summary>
    public void WriteOld(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)Input);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], (ushort)Output);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], (ushort)Control);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], (ushort)Local);
        bytes[8] = Line;
        _characters.AsSpan(0, OldCharacterCount).CopyTo(bytes[9..]);
    }

    /// <summary>Takes a struct termio.</summary>
    public void ReadOld(ReadOnlySpan<byte> bytes)
    {
        Span<byte> full = stackalloc byte[Size];
        Write(full);
        for (int i = 0; i < 4; i++) bytes.Slice(2 * i, 2).CopyTo(full[(4 * i)..]);
        full[16] = bytes[8];
        bytes.Slice(9, OldCharacterCount).CopyTo(full[CharactersOffset..]);
        Read(full);
    }

    private static uint SpeedOf(ControlModes control)
    {
        ReadOnlySpan<uint> speeds = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
        ReadOnlySpan<uint> fast = [0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000];
        int index = (int)(control & ControlModes.CBAUD);
        return (index & 0x1000) != 0 ? fast[index & 15] : speeds[index & 15];
    }
}
