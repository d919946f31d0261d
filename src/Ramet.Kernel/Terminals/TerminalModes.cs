namespace Ramet.Kernel.Terminals;

/// <summary>c_iflag (termios(3)).</summary>
[Flags]
public enum InputModes : uint
{
    None = 0,
    IGNBRK = 0x1,
    BRKINT = 0x2,
    IGNPAR = 0x4,
    PARMRK = 0x8,
    INPCK = 0x10,
    ISTRIP = 0x20,
    INLCR = 0x40,
    IGNCR = 0x80,
    ICRNL = 0x100,
    IUCLC = 0x200,
    IXON = 0x400,
    IXANY = 0x800,
    IXOFF = 0x1000,
    IMAXBEL = 0x2000,
    IUTF8 = 0x4000,
}

/// <summary>c_oflag.</summary>
[Flags]
public enum OutputModes : uint
{
    None = 0,
    OPOST = 0x1,
    OLCUC = 0x2,
    ONLCR = 0x4,
    OCRNL = 0x8,
    ONOCR = 0x10,
    ONLRET = 0x20,
    XTABS = 0x1800,
}

/// <summary>c_cflag.</summary>
[Flags]
public enum ControlModes : uint
{
    None = 0,
    B38400 = 0xF,
    CBAUD = 0x100F,
    BOTHER = 0x1000,
    CS8 = 0x30,
    CSIZE = 0x30,
    CREAD = 0x80,
    PARENB = 0x100,
}

/// <summary>c_lflag.</summary>
[Flags]
public enum LocalModes : uint
{
    None = 0,
    ISIG = 0x1,
    ICANON = 0x2,
    ECHO = 0x8,
    ECHOE = 0x10,
    ECHOK = 0x20,
    ECHONL = 0x40,
    NOFLSH = 0x80,
    TOSTOP = 0x100,
    ECHOCTL = 0x200,
    ECHOPRT = 0x400,
    ECHOKE = 0x800,
    FLUSHO = 0x1000,
    PENDIN = 0x4000,
    IEXTEN = 0x8000,
    EXTPROC = 0x10000,
}

/// <summary>Indices into c_cc.</summary>
public enum ControlCharacter
{
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2,
}

/// <summary>What a master in packet mode is told (ioctl_tty(2), TIOCPKT).</summary>
[Flags]
internal enum PacketStatus : byte
{
    TIOCPKT_DATA = 0,
    TIOCPKT_FLUSHREAD = 1,
    TIOCPKT_FLUSHWRITE = 2,
    TIOCPKT_STOP = 4,
    TIOCPKT_START = 8,
    TIOCPKT_NOSTOP = 16,
    TIOCPKT_DOSTOP = 32,
    TIOCPKT_IOCTL = 64,
}

/// <summary>struct winsize: size of a terminal's window in characters and, where known, in pixels.</summary>
/// <param name="Rows">Lines.</param>
/// <param name="Columns">Characters per line.</param>
/// <param name="Width">Pixels; 0: unknown.</param>
/// <param name="Height">Pixels; 0: unknown.</param>
public readonly record struct WindowSize(ushort Rows, ushort Columns, ushort Width = 0, ushort Height = 0);
