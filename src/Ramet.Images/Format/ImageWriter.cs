using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Ramet.Images.Format;

/// <summary>Writes an <see cref="ImageTree"/> as image.data and image.index.</summary>
internal sealed class ImageWriter
{
    private readonly ImageTree _tree;
    private readonly List<TreeNode> _nodes = [];
    private readonly List<uint> _parents = [];
    private readonly Dictionary<TreeNode, uint> _ids = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<TreeNode, uint> _linkCounts = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<ContentReference, long> _offsets = [];
    private long _dataLength;

    private ImageWriter(ImageTree tree) => _tree = tree;

    /// <summary>Number of nodes and bytes written.</summary>
    internal readonly record struct Result(int NodeCount, long DataLength, string Id);

    /// <summary>Writes both files and waits until they are on disk.</summary>
    public static Result Write(ImageTree tree, ulong fingerprint, Func<string, Stream> create, string directory, Action<double> progress, CancellationToken cancellationToken)
    {
        var writer = new ImageWriter(tree);
        writer.Number(tree.Root, 0);
        byte[] dataHash;
        using (var data = create(Path.Combine(directory, ImageFormat.DataFile)))
        {
            dataHash = writer.WriteData(data, progress, cancellationToken);
            FlushToDisk(data);
        }
        var index = writer.MakeIndex(dataHash, fingerprint, out var id);
        using (var stream = create(Path.Combine(directory, ImageFormat.IndexFile)))
        {
            stream.Write(index);
            FlushToDisk(stream);
        }
        return new Result(writer._nodes.Count, writer._dataLength, id);
    }

    internal static void FlushToDisk(Stream stream)
    {
        if (stream is FileStream file) file.Flush(flushToDisk: true);
        else stream.Flush();
    }

    /// <summary>Breadth first, so that a directory's children have neighbouring numbers.</summary>
    private void Number(TreeNode root, uint rootParent)
    {
        Add(root, rootParent);
        _linkCounts[root] = 2;
        for (var i = 0; i < _nodes.Count; i++)
        {
            foreach (var (_, child) in _nodes[i].Entries)
            {
                if (_ids.ContainsKey(child))
                {
                    if (child.IsDirectory) throw new InvalidDataException("A directory has two names.");
                    _linkCounts[child]++;
                    continue;
                }
                Add(child, (uint)i);
                _linkCounts[child] = child.IsDirectory ? 2u : 1u;
                if (child.IsDirectory) _linkCounts[_nodes[i]]++;
            }
        }
    }

    private void Add(TreeNode node, uint parent)
    {
        _ids.Add(node, (uint)_nodes.Count);
        _nodes.Add(node);
        _parents.Add(parent);
    }

    private byte[] WriteData(Stream data, Action<double> progress, CancellationToken cancellationToken)
    {
        var distinct = _nodes.Where(node => node.IsRegular && node.Content.Length > 0).Select(node => node.Content).Distinct().ToList();
        var ordered = distinct.Where(content => content.IsElf).Concat(distinct.Where(content => !content.IsElf));
        var total = distinct.Sum(content => ImageFormat.AlignUp(content.Length)) + ImageFormat.PageSize;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 18];
        void Append(int count)
        {
            hash.AppendData(buffer, 0, count);
            data.Write(buffer, 0, count);
            _dataLength += count;
        }

        foreach (var content in ordered)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (content.IsElf && content.Length >= ImageFormat.LargePageSize)
            {
                Array.Clear(buffer);
                while ((-_dataLength & (ImageFormat.LargePageSize - 1)) is var gap and not 0) Append((int)Math.Min(gap, buffer.Length));
            }

            _offsets.Add(content, _dataLength);
            using var source = _tree.Contents.Open(content);
            for (var left = content.Length; left > 0;)
            {
                var count = (int)Math.Min(left, buffer.Length);
                source.ReadExactly(buffer.AsSpan(0, count));
                left -= count;
                var padded = left > 0 ? count : (int)ImageFormat.AlignUp(count); // The buffer is a whole number of pages.
                buffer.AsSpan(count, padded - count).Clear();
                Append(padded);
            }
            progress(Math.Min(1, (double)_dataLength / total));
        }
        var digest = hash.GetHashAndReset();
        var trailer = new byte[ImageFormat.PageSize];
        ImageFormat.DataMagic.CopyTo(trailer);
        digest.CopyTo(trailer, ImageFormat.DataMagic.Length);
        data.Write(trailer);
        _dataLength += trailer.Length;
        return digest;
    }

    private byte[] MakeIndex(byte[] dataHash, ulong fingerprint, out string id)
    {
        using var nodes = new MemoryStream();
        using var entries = new MemoryStream();
        using var strings = new MemoryStream();
        using var attributes = new MemoryStream();
        Dictionary<string, uint> interned = new(StringComparer.Ordinal);
        var entryCount = 0;
        for (var i = 0; i < _nodes.Count; i++)
        {
            var node = _nodes[i];
            var record = new NodeRecord
            {
                Mode = node.Mode,
                Uid = node.Uid,
                Gid = node.Gid,
                LinkCount = _linkCounts[node],
                ModifiedNanoseconds = node.ModifiedNanoseconds,
                DeviceNumber = node.DeviceNumber,
            };
            if (node.IsRegular)
            {
                record.Size = node.Content.Length;
                record.Location = node.Content.Length == 0 ? 0 : _offsets[node.Content];
            }
            else if (node.IsSymbolicLink)
            {
                record.Size = node.LinkTarget.Length;
                record.Location = Intern(node.LinkTarget, strings, interned);
            }
            else if (node.IsDirectory)
            {
                record.Size = ImageFormat.PageSize; // What ext4 shows for a small directory.
                record.Location = entryCount;
                record.EntryCount = (uint)node.Entries.Count;
                record.Parent = _parents[i];
                foreach (var (name, child) in node.Entries)
                {
                    var entry = new EntryRecord { NameOffset = Intern(name, strings, interned), NameLength = (ushort)name.Length, Node = _ids[child] };
                    entries.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<EntryRecord>(in entry)));
                    entryCount++;
                }
            }
            if (node.ExtendedAttributes.Count > 0) record.Attributes = WriteAttributes(node, attributes);
            nodes.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<NodeRecord>(in record)));
        }

        var index = new byte[ImageFormat.HeaderSize + nodes.Length + entries.Length + strings.Length + attributes.Length + ImageFormat.HashSize];
        var header = index.AsSpan(0, ImageFormat.HeaderSize);
        var at = ImageFormat.HeaderSize;
        foreach (var section in new[] { nodes, entries, strings, attributes })
        {
            section.GetBuffer().AsSpan(0, (int)section.Length).CopyTo(index.AsSpan(at));
            at += (int)section.Length;
        }
        ImageFormat.IndexMagic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[ImageFormat.VersionAt..], ImageFormat.Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[ImageFormat.NodeCountAt..], (uint)_nodes.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(header[ImageFormat.EntryCountAt..], (uint)entryCount);
        BinaryPrimitives.WriteUInt32LittleEndian(header[ImageFormat.StringsLengthAt..], (uint)strings.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[ImageFormat.AttributesLengthAt..], (uint)attributes.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header[ImageFormat.DataLengthAt..], _dataLength);
        dataHash.CopyTo(header[ImageFormat.DataHashAt..]);

        // The id covers what programs can see: files and their contents, not how or when they were put together.
        var identity = SHA256.HashData(index.AsSpan(0, at));
        identity.CopyTo(header[ImageFormat.IdAt..]);
        BinaryPrimitives.WriteUInt64LittleEndian(header[ImageFormat.FingerprintAt..], fingerprint);
        BinaryPrimitives.WriteUInt32LittleEndian(header[ImageFormat.CrcAt..], ImageFormat.Crc(index));
        SHA256.HashData(index.AsSpan(0, at), index.AsSpan(at));
        id = Convert.ToHexStringLower(identity);
        return index;
    }

    private static uint Intern(string text, MemoryStream strings, Dictionary<string, uint> interned)
    {
        if (interned.TryGetValue(text, out var offset)) return offset;
        offset = (uint)strings.Length;
        foreach (var c in text) strings.WriteByte(c <= 0xFF ? (byte)c : throw new InvalidDataException($"'{text}' is not a byte string."));
        interned.Add(text, offset);
        return offset;
    }

    private static uint WriteAttributes(TreeNode node, MemoryStream attributes)
    {
        var at = (uint)attributes.Length + 1;
        using var writer = new BinaryWriter(attributes, Encoding.Latin1, leaveOpen: true);
        writer.Write(node.ExtendedAttributes.Count);
        foreach (var (name, value) in node.ExtendedAttributes)
        {
            writer.Write((ushort)name.Length);
            writer.Write(value.Length);
            writer.Write(Encoding.Latin1.GetBytes(name));
            writer.Write(value);
        }
        return at;
    }
}
