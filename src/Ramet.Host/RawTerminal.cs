using System.Buffers.Binary;

namespace Ramet.Host;

/// <summary>
/// A terminal of this machine in raw mode (cfmakeraw(3)): keys arrive one by one and unechoed, Ctrl-C included, as another terminal behind it wants them. Disposing it gives the
/// terminal back as it was. ioctl_tty(2).
/// </summary>
public sealed class RawTerminal : IDisposable
{
    private const uint TCGETS = 0x5401, TCSETSW = 0x5403, TIOCGWINSZ = 0x5413;

    // struct termios of the kernel: four words of flags, the line discipline, 19 control characters.
    private const int TermiosSize = 64;
    private const int InputFlags = 0, OutputFlags = 4, ControlFlags = 8, LocalFlags = 12, ControlCharacters = 17, VTIME = 5, VMIN = 6;
    private const uint IGNBRK = 1, BRKINT = 2, PARMRK = 8, ISTRIP = 0x20, INLCR = 0x40, IGNCR = 0x80, ICRNL = 0x100, IXON = 0x400, OPOST = 1;
    private const uint ISIG = 1, ICANON = 2, ECHO = 8, ECHONL = 0x40, IEXTEN = 0x8000, CSIZE = 0x30, PARENB = 0x100, CS8 = 0x30;

    private readonly int _fd;
    private readonly byte[] _before = new byte[TermiosSize];
    private int _restored;

    private RawTerminal(int fd) => _fd = fd;

    /// <summary>Puts a terminal into raw mode; null when the descriptor is not one.</summary>
    /// <exception cref="HostException">Its settings cannot be changed.</exception>
    public static RawTerminal? TryOpen(int fd)
    {
        var terminal = new RawTerminal(fd);
        if (!TryRequest(fd, TCGETS, terminal._before)) return null;
        byte[] raw = [.. terminal._before];
        Change(raw, InputFlags, IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON, 0);
        Change(raw, OutputFlags, OPOST, 0);
        Change(raw, LocalFlags, ECHO | ECHONL | ICANON | ISIG | IEXTEN, 0);
        Change(raw, ControlFlags, CSIZE | PARENB, CS8);
        raw[ControlCharacters + VMIN] = 1;
        raw[ControlCharacters + VTIME] = 0;
        return TryRequest(fd, TCSETSW, raw) ? terminal : throw HostException.FromErrno("Putting the terminal into raw mode");
    }

    /// <summary>Rows and columns of a terminal's window; null when the descriptor is not a terminal, or does not know.</summary>
    public static (ushort Rows, ushort Columns)? GetSize(int fd)
    {
        byte[] size = new byte[8];
        if (!TryRequest(fd, TIOCGWINSZ, size)) return null;
        (ushort rows, ushort columns) = (BinaryPrimitives.ReadUInt16LittleEndian(size), BinaryPrimitives.ReadUInt16LittleEndian(size.AsSpan(2)));
        return rows == 0 || columns == 0 ? null : (rows, columns);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _restored, 1) == 0) TryRequest(_fd, TCSETSW, _before);
    }

    private static void Change(byte[] termios, int offset, uint clear, uint set)
    {
        var word = termios.AsSpan(offset, 4);
        BinaryPrimitives.WriteUInt32LittleEndian(word, (BinaryPrimitives.ReadUInt32LittleEndian(word) & ~clear) | set);
    }

    private static unsafe bool TryRequest(int fd, uint request, byte[] argument)
    {
        // SAFETY: the array stays where it is during the call, and is longer than the 36 bytes (termios) or 8 bytes (winsize) that these requests read or write.
        fixed (byte* pointer = argument) return Libc.Ioctl(fd, request, (nint)pointer) == 0;
    }
}
