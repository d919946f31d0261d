using System.Text;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Server.Api;

/// <summary>
/// A tar archive (pax(1), "ustar Interchange Format" and "pax Interchange Format") on its way to a reader that takes as much memory for long names and attributes as the archive says they have:
/// here they are bounded. Kinds of entries that nobody unpacks end the archive.
/// </summary>
internal sealed class TarGuardStream(Stream inner) : SimpleStream
{
    private const int BlockSize = 512;
    private const int LargestMetadata = 1 << 20;

    private readonly byte[] _header = new byte[BlockSize];
    private readonly MemoryStream _attributes = new();
    private int _headerLength;
    private long _data;
    private long _padding;
    private long? _nextSize;
    private bool _collects;
    private bool _ended;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_ended) return 0;
        int count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        Look(buffer.Span[..count]);
        return count;
    }

    private void Look(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && !_ended)
        {
            int count;
            if (_data > 0)
            {
                count = (int)Math.Min(_data, bytes.Length);
                if (_collects) _attributes.Write(bytes[..count]);
                _data -= count;
                if (_data == 0 && _collects) TakeAttributes();
            }
            else if (_padding > 0)
            {
                count = (int)Math.Min(_padding, bytes.Length);
                _padding -= count;
            }
            else
            {
                count = Math.Min(BlockSize - _headerLength, bytes.Length);
                bytes[..count].CopyTo(_header.AsSpan(_headerLength));
                _headerLength += count;
                if (_headerLength == BlockSize) TakeHeader();
            }

            bytes = bytes[count..];
        }
    }

    private void TakeHeader()
    {
        _headerLength = 0;
        if (!_header.AsSpan().ContainsAnyExcept((byte)0)) return; // Two of them are the end.
        long size = ReadNumber(_header.AsSpan(124, 12));
        char type = (char)_header[156];
        switch (type)
        {
            case 'x' or 'g' or 'L' or 'K':
                if (size is < 0 or > LargestMetadata) throw new InvalidDataException($"Names or attributes of an entry have {size} bytes; {LargestMetadata} are the most.");
                _collects = type is 'x' or 'g';
                break;
            case '0' or '\0' or '7':
                size = _nextSize ?? size;
                _nextSize = null;
                _collects = false;
                if (size < 0) throw new InvalidDataException("An entry has a negative size.");
                break;
            case '2' or '5' when size == 0 && _nextSize is null or 0:
                _nextSize = null;
                break;
            default:
                // Nothing of this kind is unpacked: the reader gets its header, and nothing behind it.
                _ended = true;
                return;
        }

        (_data, _padding) = (size, (BlockSize - (size % BlockSize)) % BlockSize);
        if (_data == 0) _collects = false;
    }

    /// <summary>Attributes of pax: "length key=value\n" each, of which one may be the size of the entry that follows.</summary>
    private void TakeAttributes()
    {
        var records = _attributes.GetBuffer().AsSpan(0, (int)_attributes.Length);
        while (!records.IsEmpty)
        {
            int space = records.IndexOf((byte)' ');
            if (space < 1 || !int.TryParse(Encoding.ASCII.GetString(records[..space]), out int length) || length <= space + 1 || length > records.Length) break;
            var record = records[(space + 1)..(length - 1)];
            records = records[length..];
            if (!record.StartsWith("size="u8)) continue;
            if (_header[156] == 'g' || !long.TryParse(Encoding.ASCII.GetString(record[5..]), out long size)) throw new InvalidDataException("The size of an entry is not a number, or one for all.");
            _nextSize = size;
        }

        _attributes.SetLength(0);
        _collects = false;
    }

    /// <summary>Octal digits, or (GNU) a binary number with the first bit set.</summary>
    private static long ReadNumber(ReadOnlySpan<byte> field)
    {
        long value = 0;
        if ((field[0] & 0x80) != 0)
        {
            for (int i = 1; i < field.Length; i++) value = checked((value << 8) | field[i]);
            return value;
        }

        foreach (byte digit in field)
        {
            if (digit is (byte)' ' or 0)
            {
                if (value > 0) break;
                continue;
            }

            if (digit is < (byte)'0' or > (byte)'7') throw new InvalidDataException("The size of an entry is not a number.");
            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }
}
