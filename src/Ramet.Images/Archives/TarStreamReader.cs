using System.Buffers.Binary;
using System.Text;

namespace Ramet.Images.Archives;

/// <summary>An entry of a tar archive. Names are byte strings: one char a byte.</summary>
internal sealed record TarEntry
{
    public required char Type { get; init; }
    public required string Name { get; init; }
    public required string LinkName { get; init; }
    public required uint Permissions { get; init; }
    public required uint Uid { get; init; }
    public required uint Gid { get; init; }
    public required long Size { get; init; }
    public required long ModifiedNanoseconds { get; init; }
    public required uint DeviceMajor { get; init; }
    public required uint DeviceMinor { get; init; }
    public IReadOnlyDictionary<string, byte[]> ExtendedAttributes { get; init; } = new Dictionary<string, byte[]>(StringComparer.Ordinal);
}

/// <summary>
/// Reads tar archives (ustar, GNU and pax: POSIX.1-2001 pax(1), and GNU tar's manual, "Basic Tar Format").
/// System.Formats.Tar is not used because it decodes names and extended attributes as UTF-8, which loses other bytes:
/// names in Linux are any bytes, and security.capability is binary.
/// </summary>
internal sealed class TarStreamReader(Stream stream) : IDisposable
{
    private const int BlockSize = 512;
    private const int MaximumMetadata = 1 << 20;

    private readonly byte[] _block = new byte[BlockSize];
    private readonly Dictionary<string, byte[]> _global = new(StringComparer.Ordinal);
    private BoundedStream? _content;
    private int _padding;

    /// <summary>The bytes of the current entry.</summary>
    public Stream Content => _content ?? Stream.Null;

    /// <summary>The next entry, or null at the end of the archive.</summary>
    /// <exception cref="InvalidDataException">Not a tar archive.</exception>
    /// <exception cref="EndOfStreamException">The archive is cut short.</exception>
    public TarEntry? Next()
    {
        string? longName = null, longLink = null;
        Dictionary<string, byte[]> local = new(_global, StringComparer.Ordinal);
        while (true)
        {
            FinishEntry();
            if (!ReadHeader()) return null;
            var type = (char)_block[156];
            var size = ReadNumber(_block.AsSpan(124, 12));
            if (size < 0) throw new InvalidDataException("A tar entry has a negative size.");
            switch (type)
            {
                case 'L':
                    longName = ReadString(ReadMetadata(size));
                    continue;
                case 'K':
                    longLink = ReadString(ReadMetadata(size));
                    continue;
                case 'x':
                    ParsePax(ReadMetadata(size), local);
                    continue;
                case 'g':
                    ParsePax(ReadMetadata(size), _global);
                    foreach (var (key, value) in _global) local[key] = value;
                    continue;
                default:
                    return MakeEntry(type, size, longName, longLink, local);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _content?.Dispose();

    private TarEntry MakeEntry(char type, long size, string? longName, string? longLink, Dictionary<string, byte[]> pax)
    {
        var block = _block.AsSpan();
        var isGnu = block[257..265].SequenceEqual("ustar  \0"u8);
        var name = ReadString(block[..100]);
        if (!isGnu && block[257..262].SequenceEqual("ustar"u8) && block[345] != 0) name = $"{ReadString(block[345..500])}/{name}";
        if (pax.TryGetValue("size", out var paxSize)) size = long.Parse(Encoding.Latin1.GetString(paxSize), null);
        if (type is not ('0' or '\0' or '7')) size = 0; // Links and the like carry no data, whatever their header says.
        else if (type != '0') type = '0';
        if (size < 0) throw new InvalidDataException("A tar entry has a negative size.");

        var entry = new TarEntry
        {
            Type = type,
            Name = Pax(pax, "path") ?? longName ?? name,
            LinkName = Pax(pax, "linkpath") ?? longLink ?? ReadString(block[157..257]),
            Permissions = (uint)ReadNumber(block[100..108]) & ModeBits.PermissionMask,
            Uid = ReadId(pax, "uid", block[108..116]),
            Gid = ReadId(pax, "gid", block[116..124]),
            Size = size,
            ModifiedNanoseconds = Pax(pax, "mtime") is { } time ? ParseTime(time) : checked(ReadNumber(block[136..148]) * 1_000_000_000),
            DeviceMajor = type is '3' or '4' ? (uint)ReadNumber(block[329..337]) : 0,
            DeviceMinor = type is '3' or '4' ? (uint)ReadNumber(block[337..345]) : 0,
            ExtendedAttributes = pax.Where(pair => pair.Key.StartsWith("SCHILY.xattr.", StringComparison.Ordinal))
                .ToDictionary(pair => pair.Key["SCHILY.xattr.".Length..], pair => pair.Value, StringComparer.Ordinal),
        };
        Begin(size);
        return entry;
    }

    private void Begin(long size)
    {
        _content = new BoundedStream(stream, size);
        _padding = (int)(-size & (BlockSize - 1));
    }

    private void FinishEntry()
    {
        if (_content is null) return;
        _content.Skip();
        _content = null;
        stream.ReadExactly(_block.AsSpan(0, _padding));
    }

    /// <summary>False at the end-of-archive block, or at the end of the stream between two entries.</summary>
    private bool ReadHeader()
    {
        var count = stream.ReadAtLeast(_block, BlockSize, throwOnEndOfStream: false);
        if (count == 0) return false;
        if (count < BlockSize) throw new EndOfStreamException("The tar archive is cut short.");
        if (!_block.AsSpan().ContainsAnyExcept((byte)0))
        {
            // Drain, so that the writing side of a pipe is not broken off.
            stream.CopyTo(Stream.Null);
            return false;
        }
        long sum = 0;
        for (var i = 0; i < BlockSize; i++) sum += i is >= 148 and < 156 ? ' ' : _block[i];
        if (sum != ReadNumber(_block.AsSpan(148, 8))) throw new InvalidDataException("The tar archive is damaged: a header has a wrong checksum.");
        return true;
    }

    private byte[] ReadMetadata(long size)
    {
        if (size > MaximumMetadata) throw new InvalidDataException("A tar entry has more than 1 MiB of metadata.");
        Begin(size);
        var bytes = new byte[size];
        _content!.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Records of the form "length key=value\n".</summary>
    private static void ParsePax(ReadOnlySpan<byte> data, Dictionary<string, byte[]> into)
    {
        while (!data.IsEmpty)
        {
            var space = data.IndexOf((byte)' ');
            if (space <= 0 || !int.TryParse(data[..space], out var length) || length <= space + 1 || length > data.Length)
                throw new InvalidDataException("A pax header of the tar archive is damaged.");
            var record = data[(space + 1)..(length - 1)];
            var equals = record.IndexOf((byte)'=');
            if (equals <= 0) throw new InvalidDataException("A pax header of the tar archive is damaged.");
            into[Encoding.Latin1.GetString(record[..equals])] = record[(equals + 1)..].ToArray();
            data = data[length..];
        }
    }

    private static string? Pax(Dictionary<string, byte[]> pax, string key) => pax.TryGetValue(key, out var value) ? Encoding.Latin1.GetString(value) : null;

    private static uint ReadId(Dictionary<string, byte[]> pax, string key, ReadOnlySpan<byte> field) =>
        Pax(pax, key) is { } text ? uint.Parse(text, null) : (uint)ReadNumber(field);

    private static long ParseTime(string text) =>
        decimal.TryParse(text, System.Globalization.NumberStyles.AllowDecimalPoint | System.Globalization.NumberStyles.AllowLeadingSign, null, out var seconds)
            && Math.Abs(seconds) < 9_000_000_000
            ? (long)(seconds * 1_000_000_000)
            : throw new InvalidDataException("A time in the tar archive is damaged.");

    private static string ReadString(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? field : field[..end]);
    }

    /// <summary>Octal digits, or GNU's base-256 when the top bit is set.</summary>
    private static long ReadNumber(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
        {
            Span<byte> bytes = stackalloc byte[16];
            bytes.Fill((field[0] & 0x40) != 0 ? (byte)0xFF : (byte)0);
            field.CopyTo(bytes[^field.Length..]);
            if ((field[0] & 0x40) == 0) bytes[^field.Length] &= 0x7F;
            return BinaryPrimitives.ReadInt64BigEndian(bytes[8..]);
        }
        long value = 0;
        foreach (var c in field.Trim(" \0"u8))
        {
            if (c is < (byte)'0' or > (byte)'7') throw new InvalidDataException("The tar archive is damaged: a number is not octal.");
            value = (value << 3) | (uint)(c - '0');
        }
        return value;
    }
}
