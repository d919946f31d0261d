using System.Numerics;
using System.Runtime.InteropServices;

namespace Ramet.Images.Format;

/// <summary>
/// The layout of an image on disk, format 2. All numbers are little-endian.
/// <code>
/// image.index: header (256 bytes)
///              nodes (64 bytes each; node 0 is the root)
///              entries (12 bytes each: u32 name offset, u16 name length, u16 zero, u32 node; those of a directory are together, in byte order of names)
///              strings (names and link targets, without terminators)
///              extended attributes (for a node: u32 count, then for each u16 name length, u32 value length, name, value)
///              SHA-256 of all bytes before
/// image.data:  contents of files, each at a multiple of 4096 and zero-padded to one, ELF files first, equal contents once;
///              ELF files of 2 MiB and more at a multiple of that, so that programs at fixed addresses can be mapped with large pages
///              trailer (4096 bytes: magic, SHA-256 of all bytes before)
/// image.json:  the manifest, for people and for rebuilding
/// </code>
/// The header's CRC-32C covers the whole index but itself and the trailing SHA-256. It is checked at every open because it
/// costs a fraction of a millisecond; SHA-256 is for `image verify`.
/// </summary>
internal static class ImageFormat
{
    public const string IndexFile = "image.index";
    public const string DataFile = "image.data";
    public const string ManifestFile = "image.json";

    public const uint Version = 2;
    public const int HeaderSize = 256;
    public const int NodeSize = 64;
    public const int EntrySize = 12;
    public const int HashSize = 32;
    public const int PageSize = 4096;
    public const long LargePageSize = 2 << 20;

    public static ReadOnlySpan<byte> IndexMagic => "RAMETIDX"u8;
    public static ReadOnlySpan<byte> DataMagic => "RAMETDAT"u8;

    // Header offsets.
    public const int VersionAt = 8;
    public const int NodeCountAt = 12;
    public const int EntryCountAt = 16;
    public const int StringsLengthAt = 20;
    public const int AttributesLengthAt = 24;
    public const int CrcAt = 28;
    public const int DataLengthAt = 32;
    public const int FingerprintAt = 40;
    public const int DataHashAt = 48;
    public const int IdAt = 80;

    /// <summary>Rounds up to a whole page.</summary>
    public static long AlignUp(long value) => (value + PageSize - 1) & -PageSize;

    /// <summary>CRC-32C of an index file, leaving out the field itself and the trailing SHA-256.</summary>
    public static uint Crc(ReadOnlySpan<byte> index)
    {
        var crc = Crc(uint.MaxValue, index[..CrcAt]);
        return ~Crc(crc, index[(CrcAt + 4)..^HashSize]);
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes)) crc = BitOperations.Crc32C(crc, word);
        foreach (var rest in bytes[(bytes.Length & ~7)..]) crc = BitOperations.Crc32C(crc, rest);
        return crc;
    }
}

/// <summary>A node as it is in the index.</summary>
[StructLayout(LayoutKind.Sequential, Size = ImageFormat.NodeSize)]
internal struct NodeRecord
{
    public uint Mode;
    public uint Uid;
    public uint Gid;
    public uint LinkCount;
    public long Size;
    public long ModifiedNanoseconds;
    public ulong DeviceNumber;

    /// <summary>Regular file: offset in image.data. Directory: first entry. Symbolic link: offset in strings.</summary>
    public long Location;

    /// <summary>Directory: number of entries.</summary>
    public uint EntryCount;

    /// <summary>Directory: the node of "..".</summary>
    public uint Parent;

    /// <summary>Offset in extended attributes plus one, or 0.</summary>
    public uint Attributes;

    public uint Reserved;
}

/// <summary>A directory entry as it is in the index.</summary>
[StructLayout(LayoutKind.Sequential, Size = ImageFormat.EntrySize)]
internal struct EntryRecord
{
    public uint NameOffset;
    public ushort NameLength;
    public ushort Reserved;
    public uint Node;
}
