using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Ramet.Images.Format;

namespace Ramet.Images;

/// <summary>
/// An image on disk, opened for reading: a file tree and one data file with the contents of all files. Immutable and
/// thread safe. The data file stays open until disposal, so removing or rebuilding the image does not disturb users.
/// Names are byte strings, one char a byte.
/// </summary>
public sealed class Image : IDisposable
{
    /// <summary>Number of the root directory.</summary>
    public const int RootId = 0;

    private readonly byte[] _index;
    private readonly int _nodeCount;
    private readonly int _entriesAt;
    private readonly int _entryCount;
    private readonly int _stringsAt;
    private readonly int _stringsLength;
    private readonly int _attributesAt;
    private readonly int _attributesLength;

    private Image(string directory, byte[] index, SafeFileHandle dataHandle)
    {
        Directory = directory;
        _index = index;
        DataHandle = dataHandle;
        if (index.Length < ImageFormat.HeaderSize + ImageFormat.HashSize || !index.AsSpan().StartsWith(ImageFormat.IndexMagic))
            throw Corrupt("the index is not one of an image");
        var version = BinaryPrimitives.ReadUInt32LittleEndian(index.AsSpan(ImageFormat.VersionAt));
        if (version != ImageFormat.Version) throw Corrupt($"it has format {version}, this program knows format {ImageFormat.Version}");
        if (BinaryPrimitives.ReadUInt32LittleEndian(index.AsSpan(ImageFormat.CrcAt)) != ImageFormat.Crc(index)) throw Corrupt("the checksum of the index is wrong");

        long nodes = ReadCount(ImageFormat.NodeCountAt), entries = ReadCount(ImageFormat.EntryCountAt);
        long strings = ReadCount(ImageFormat.StringsLengthAt), attributes = ReadCount(ImageFormat.AttributesLengthAt);
        var entriesAt = ImageFormat.HeaderSize + (nodes * ImageFormat.NodeSize);
        var stringsAt = entriesAt + (entries * ImageFormat.EntrySize);
        if (nodes == 0 || stringsAt + strings + attributes + ImageFormat.HashSize != index.Length) throw Corrupt("the index has the wrong length");
        (_nodeCount, _entryCount, _stringsLength, _attributesLength) = ((int)nodes, (int)entries, (int)strings, (int)attributes);
        (_entriesAt, _stringsAt, _attributesAt) = ((int)entriesAt, (int)stringsAt, (int)(stringsAt + strings));

        DataLength = BinaryPrimitives.ReadInt64LittleEndian(index.AsSpan(ImageFormat.DataLengthAt));
        Fingerprint = BinaryPrimitives.ReadUInt64LittleEndian(index.AsSpan(ImageFormat.FingerprintAt));
        Id = Convert.ToHexStringLower(index.AsSpan(ImageFormat.IdAt, ImageFormat.HashSize));
        CheckData();
        CheckStructure();
    }

    /// <summary>The directory that holds the image.</summary>
    public string Directory { get; }

    /// <summary>Identity of the files and contents: SHA-256 in lower-case hexadecimal. Equal ids mean equal images.</summary>
    public string Id { get; }

    /// <summary>The data file. Prefer <see cref="DataHandle"/>: the name may come to mean a newer build.</summary>
    public string DataPath => Path.Combine(Directory, ImageFormat.DataFile);

    /// <summary>The data file, open for reading; owned by the image.</summary>
    public SafeFileHandle DataHandle { get; }

    /// <summary>Bytes of the data file: a multiple of 4096.</summary>
    public long DataLength { get; }

    /// <summary>Number of files, which are numbered from 0.</summary>
    public int NodeCount => _nodeCount;

    /// <summary>Fingerprint of the specification and builder that made the image.</summary>
    internal ulong Fingerprint { get; }

    /// <summary>Opens the image in a directory. Reads the whole index (about 100 bytes a file) and nothing of the data but its last page.</summary>
    /// <exception cref="ImageCorruptException">The files are damaged, or do not belong together.</exception>
    /// <exception cref="ImageNotFoundException">There is no image in the directory.</exception>
    public static Image Open(string directory)
    {
        // Data first: were the image replaced between the two calls, the trailer of the data would not match the index.
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(Path.Combine(directory, ImageFormat.DataFile));
            var index = File.ReadAllBytes(Path.Combine(directory, ImageFormat.IndexFile));
            var image = new Image(directory, index, handle);
            handle = null;
            return image;
        }
        catch (DirectoryNotFoundException e)
        {
            throw new ImageNotFoundException($"no image in {directory}: {e.Message}");
        }
        catch (FileNotFoundException e)
        {
            throw new ImageCorruptException($"image in {directory} is damaged: {Path.GetFileName(e.FileName)} is missing.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ImageException($"image in {directory} cannot be read: {e.Message}", e);
        }
        finally
        {
            handle?.Dispose();
        }
    }

    /// <summary>The attributes of a file.</summary>
    public ImageNode GetNode(int id)
    {
        ref readonly var node = ref Nodes[id];
        var isFile = (node.Mode & ModeBits.TypeMask) == ModeBits.Regular;
        return new ImageNode(id, node.Mode, node.Uid, node.Gid, node.LinkCount, node.Size, node.ModifiedNanoseconds, node.DeviceNumber, isFile ? node.Location : 0);
    }

    /// <summary>The directory above a directory; the root is above itself.</summary>
    public int GetParent(int directory) => (int)Nodes[directory].Parent;

    /// <summary>Looks a name up in a directory. False when it is not there, or <paramref name="directory"/> is not a directory.</summary>
    public bool TryLookup(int directory, ReadOnlySpan<char> name, out int id)
    {
        ref readonly var node = ref Nodes[directory];
        var entries = Entries.Slice(IsDirectory(in node) ? (int)node.Location : 0, (int)node.EntryCount);
        int low = 0, high = entries.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            ref readonly var entry = ref entries[middle];
            var order = Compare(Strings.Slice((int)entry.NameOffset, entry.NameLength), name);
            if (order == 0)
            {
                id = (int)entry.Node;
                return true;
            }
            if (order < 0) low = middle + 1;
            else high = middle - 1;
        }
        id = -1;
        return false;
    }

    /// <summary>Number of entries of a directory, without "." and "..".</summary>
    public int GetEntryCount(int directory) => (int)Nodes[directory].EntryCount;

    /// <summary>The entry of a directory at a position from 0; entries are in byte order of their names.</summary>
    public ImageEntry GetEntry(int directory, int position)
    {
        ref readonly var node = ref Nodes[directory];
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)position, node.EntryCount, nameof(position));
        ref readonly var entry = ref Entries[(int)node.Location + position];
        return new ImageEntry(Encoding.Latin1.GetString(Strings.Slice((int)entry.NameOffset, entry.NameLength)), (int)entry.Node, Nodes[(int)entry.Node].Mode);
    }

    /// <summary>The entries of a directory, without "." and "..".</summary>
    public IEnumerable<ImageEntry> EnumerateDirectory(int directory)
    {
        var count = GetEntryCount(directory);
        for (var i = 0; i < count; i++) yield return GetEntry(directory, i);
    }

    /// <summary>Where a symbolic link points; empty for other files.</summary>
    public string GetLinkTarget(int id)
    {
        ref readonly var node = ref Nodes[id];
        return (node.Mode & ModeBits.TypeMask) == ModeBits.SymbolicLink ? Encoding.Latin1.GetString(Strings.Slice((int)node.Location, (int)node.Size)) : "";
    }

    /// <summary>The extended attributes of a file, by full name.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> GetExtendedAttributes(int id)
    {
        var at = Nodes[id].Attributes;
        if (at == 0) return [];
        try
        {
            using var reader = new BinaryReader(new MemoryStream(_index, _attributesAt, _attributesLength, writable: false), Encoding.Latin1);
            reader.BaseStream.Position = at - 1;
            var list = new List<KeyValuePair<string, byte[]>>();
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var nameLength = reader.ReadUInt16();
                var valueLength = reader.ReadInt32();
                if (valueLength < 0 || valueLength > _attributesLength) throw new EndOfStreamException();
                list.Add(new(Encoding.Latin1.GetString(reader.ReadBytes(nameLength)), reader.ReadBytes(valueLength)));
            }
            return list;
        }
        catch (EndOfStreamException e)
        {
            throw new ImageCorruptException($"image in {Directory} is damaged: an extended attribute is out of bounds.", e);
        }
    }

    /// <summary>Reads contents of a regular file. Returns the number of bytes, 0 at the end.</summary>
    public int Read(int id, long position, Span<byte> buffer)
    {
        ref readonly var node = ref Nodes[id];
        if ((node.Mode & ModeBits.TypeMask) != ModeBits.Regular || position < 0 || position >= node.Size) return 0;
        return RandomAccess.Read(DataHandle, buffer[..(int)Math.Min(buffer.Length, node.Size - position)], node.Location + position);
    }

    /// <summary>Reads everything and compares it with the checksums.</summary>
    /// <exception cref="ImageCorruptException">Something has changed.</exception>
    public void Verify(IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        Span<byte> digest = stackalloc byte[ImageFormat.HashSize];
        SHA256.HashData(_index.AsSpan(0, _index.Length - ImageFormat.HashSize), digest);
        if (!digest.SequenceEqual(_index.AsSpan(_index.Length - ImageFormat.HashSize))) throw Corrupt("the checksum of the index is wrong");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        var end = DataLength - ImageFormat.PageSize;
        for (long at = 0; at < end;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = RandomAccess.Read(DataHandle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at)), at);
            if (count == 0) throw Corrupt("the data are cut short");
            hash.AppendData(buffer, 0, count);
            at += count;
            progress?.Report((double)at / end);
        }
        hash.GetHashAndReset(digest);
        if (!digest.SequenceEqual(_index.AsSpan(ImageFormat.DataHashAt, ImageFormat.HashSize))) throw Corrupt("the checksum of the data is wrong");
    }

    /// <inheritdoc/>
    public void Dispose() => DataHandle.Dispose();

    private ReadOnlySpan<NodeRecord> Nodes => MemoryMarshal.Cast<byte, NodeRecord>(_index.AsSpan(ImageFormat.HeaderSize, _nodeCount * ImageFormat.NodeSize));

    private ReadOnlySpan<EntryRecord> Entries => MemoryMarshal.Cast<byte, EntryRecord>(_index.AsSpan(_entriesAt, _entryCount * ImageFormat.EntrySize));

    private ReadOnlySpan<byte> Strings => _index.AsSpan(_stringsAt, _stringsLength);

    private uint ReadCount(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_index.AsSpan(at));

    private static bool IsDirectory(in NodeRecord node) => (node.Mode & ModeBits.TypeMask) == ModeBits.Directory;

    private static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<char> right)
    {
        var length = Math.Min(left.Length, right.Length);
        for (var i = 0; i < length; i++)
            if (left[i] != right[i]) return left[i] - right[i];
        return left.Length - right.Length;
    }

    private void CheckData()
    {
        if (DataLength < ImageFormat.PageSize || DataLength % ImageFormat.PageSize != 0) throw Corrupt("the index has a wrong length of the data");
        if (RandomAccess.GetLength(DataHandle) != DataLength) throw Corrupt("the data have the wrong length");
        Span<byte> trailer = stackalloc byte[ImageFormat.DataMagic.Length + ImageFormat.HashSize];
        if (RandomAccess.Read(DataHandle, trailer, DataLength - ImageFormat.PageSize) != trailer.Length || !trailer.StartsWith(ImageFormat.DataMagic)
            || !trailer[ImageFormat.DataMagic.Length..].SequenceEqual(_index.AsSpan(ImageFormat.DataHashAt, ImageFormat.HashSize)))
            throw Corrupt("the data do not belong to the index");
    }

    /// <summary>Every location in bounds, so that no later call can leave the image whatever the index says.</summary>
    private void CheckStructure()
    {
        var end = DataLength - ImageFormat.PageSize;
        var nodes = Nodes;
        if (!IsDirectory(in nodes[RootId])) throw Corrupt("the root is not a directory");
        foreach (ref readonly var node in nodes)
        {
            var good = (node.Mode & ModeBits.TypeMask) switch
            {
                ModeBits.Regular => node.Size >= 0 && node.Location >= 0 && node.Location % ImageFormat.PageSize == 0 && node.Size <= end && node.Location <= end - node.Size,
                ModeBits.SymbolicLink => node.Size is >= 0 and < ImageFormat.PageSize && node.Location >= 0 && node.Location <= _stringsLength - node.Size,
                ModeBits.Directory => node.Location >= 0 && node.EntryCount <= _entryCount && node.Location <= _entryCount - (int)node.EntryCount && node.Parent < _nodeCount,
                _ => true,
            };
            if (!good || node.Attributes > _attributesLength || (node.EntryCount != 0 && !IsDirectory(in node))) throw Corrupt("a file is out of bounds");
        }
        foreach (ref readonly var entry in Entries)
            if (entry.Node >= _nodeCount || entry.NameLength == 0 || entry.NameOffset > _stringsLength - entry.NameLength) throw Corrupt("a directory entry is out of bounds");
    }

    private ImageCorruptException Corrupt(string what) => new($"image in {Directory} is damaged: {what}.");
}
