using System.Text;

namespace Ramet.Images;

/// <summary>Writes an image as a tar archive (GNU format), which tar, chroot and container tools can use.</summary>
public static class ImageExporter
{
    private const int BlockSize = 512;

    /// <summary>Writes all files, with their owners, modes and times.</summary>
    public static void WriteTar(Image image, Stream destination, CancellationToken cancellationToken = default)
    {
        Dictionary<int, string> written = [];
        var buffer = new byte[1 << 17];
        WriteDirectory(Image.RootId, "./");
        destination.Write(new byte[BlockSize * 2]);

        void WriteDirectory(int id, string path)
        {
            WriteHeader(destination, '5', image.GetNode(id), path, "", 0);
            foreach (var entry in image.EnumerateDirectory(id))
            {
                cancellationToken.ThrowIfCancellationRequested();
                var name = path + entry.Name;
                var node = image.GetNode(entry.NodeId);
                if (node.IsDirectory) WriteDirectory(entry.NodeId, name + "/");
                else if (written.TryGetValue(entry.NodeId, out var first)) WriteHeader(destination, '1', node, name, first, 0);
                else
                {
                    if (node.LinkCount > 1) written.Add(entry.NodeId, name);
                    WriteFile(node, name);
                }
            }
        }

        void WriteFile(ImageNode node, string name)
        {
            var type = node.Type switch
            {
                ModeBits.Regular => '0',
                ModeBits.SymbolicLink => '2',
                ModeBits.CharacterDevice => '3',
                ModeBits.BlockDevice => '4',
                ModeBits.Fifo => '6',
                _ => '\0',
            };
            if (type == '\0') return; // tar has no sockets.
            WriteHeader(destination, type, node, name, image.GetLinkTarget(node.Id), node.IsRegular ? node.Size : 0);
            if (!node.IsRegular) return;
            for (long at = 0; at < node.Size;)
            {
                var count = image.Read(node.Id, at, buffer);
                if (count == 0) throw new ImageCorruptException($"image in {image.Directory} is damaged: the data are cut short.");
                destination.Write(buffer, 0, count);
                at += count;
            }
            destination.Write(buffer.AsSpan(0, (int)(-node.Size & (BlockSize - 1))));
        }
    }

    private static void WriteHeader(Stream destination, char type, in ImageNode node, string name, string link, long size)
    {
        if (link.Length > 100) WriteLong(destination, 'K', link);
        if (name.Length > 100) WriteLong(destination, 'L', name);
        Span<byte> block = stackalloc byte[BlockSize];
        block.Clear();
        Put(block[..100], name);
        PutNumber(block[100..108], node.Mode & ModeBits.PermissionMask);
        PutNumber(block[108..116], node.Uid);
        PutNumber(block[116..124], node.Gid);
        PutNumber(block[124..136], size);
        PutNumber(block[136..148], Math.DivRem(node.ModifiedNanoseconds, 1_000_000_000).Quotient);
        block[156] = (byte)type;
        Put(block[157..257], link);
        "ustar  \0"u8.CopyTo(block[257..]);
        if (type is '3' or '4')
        {
            PutNumber(block[329..337], (long)((node.DeviceNumber >> 8) & 0xFFF));
            PutNumber(block[337..345], (long)((node.DeviceNumber & 0xFF) | ((node.DeviceNumber >> 12) & 0xFFFFFF00)));
        }
        Seal(block);
        destination.Write(block);
    }

    private static void WriteLong(Stream destination, char type, string text)
    {
        Span<byte> block = stackalloc byte[BlockSize];
        block.Clear();
        Put(block[..100], "././@LongLink");
        PutNumber(block[100..108], 0x1A4);
        PutNumber(block[108..116], 0);
        PutNumber(block[116..124], 0);
        PutNumber(block[124..136], text.Length + 1);
        PutNumber(block[136..148], 0);
        block[156] = (byte)type;
        "ustar  \0"u8.CopyTo(block[257..]);
        Seal(block);
        destination.Write(block);
        var padded = new byte[(text.Length + BlockSize) & -BlockSize];
        Encoding.Latin1.GetBytes(text, padded);
        destination.Write(padded);
    }

    private static void Put(Span<byte> field, string text) => Encoding.Latin1.GetBytes(text.AsSpan(0, Math.Min(text.Length, field.Length)), field);

    private static void PutNumber(Span<byte> field, long value)
    {
        var digits = Convert.ToString(value, 8);
        if (value < 0 || digits.Length >= field.Length)
        {
            // Base 256, for what does not fit in octal digits.
            for (var i = field.Length - 1; i >= 0; i--, value >>= 8) field[i] = (byte)value;
            field[0] = (byte)(value < 0 ? 0xFF : 0x80);
            return;
        }
        field.Fill((byte)'0');
        Put(field[(field.Length - 1 - digits.Length)..], digits);
        field[^1] = 0;
    }

    private static void Seal(Span<byte> block)
    {
        block[148..156].Fill((byte)' ');
        var sum = 0;
        foreach (var b in block) sum += b;
        PutNumber(block[148..155], sum);
    }
}
