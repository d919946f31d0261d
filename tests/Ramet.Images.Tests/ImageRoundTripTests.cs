using System.Text;
using Ramet.Images.Archives;
using Ramet.Images.Format;

namespace Ramet.Images.Tests;

public sealed class ImageRoundTripTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    private static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A tree with one of everything.</summary>
    private static ImageTree Fill(ContentSpool spool)
    {
        var tree = new ImageTree(spool);
        tree.AddDirectory("usr/bin", 0x1ED, 1, 2, 3_000_000_004);
        tree.AddSymbolicLink("bin", "usr/bin");
        tree.AddFile("bin/text", Bytes(5000, 1), 0x9ED);
        byte[] elf = [0x7f, .. "ELF"u8, .. Bytes(9000, 2)];
        tree.AddFile("usr/bin/zelf", elf);
        tree.AddFile("usr/bin/same", elf);
        tree.AddHardLink("usr/bin/hard", "bin/text");
        tree.AddFile("empty", Array.Empty<byte>());
        tree.AddFile("page", Bytes(4096, 3));
        tree.AddFile("\u00ff\u00fe\u0080", Bytes(1, 4));
        tree.AddSpecial("null", ModeBits.CharacterDevice | 0x1B6, DebTree(1, 3));
        tree.AddSpecial("fifo", ModeBits.Fifo | 0x180, 0);
        var owned = tree.AddFile("owned", Bytes(10, 5));
        (owned.Uid, owned.Gid, owned.ModifiedNanoseconds) = (4_000_000_000, 65534, -1_500_000_000);
        owned.ExtendedAttributes["security.capability"] = [1, 0, 0, 2, 0xff];
        owned.ExtendedAttributes["user.a"] = [];
        for (var i = 0; i < 300; i++) tree.AddFile($"many/file{i}", Encoding.ASCII.GetBytes($"content {i}"));
        return tree;
    }

    private static ulong DebTree(uint major, uint minor) => Ramet.Images.Debian.TreeEntries.MakeDevice(major, minor);

    private Image WriteAndOpen()
    {
        using var spool = new ContentSpool(new MemoryStream());
        ImageWriter.Write(Fill(spool), 42, path => new FileStream(path, FileMode.Create, FileAccess.Write), _directory.Path, _ => { }, CancellationToken.None);
        return Image.Open(_directory.Path);
    }

    private static int Lookup(Image image, string path)
    {
        var id = Image.RootId;
        foreach (var part in path.Split('/')) Assert.True(image.TryLookup(id, part, out id), path);
        return id;
    }

    private static byte[] ReadAll(Image image, int id)
    {
        var bytes = new byte[image.GetNode(id).Size];
        for (var at = 0; at < bytes.Length;)
        {
            var count = image.Read(id, at, bytes.AsSpan(at));
            Assert.True(count > 0);
            at += count;
        }
        Assert.Equal(0, image.Read(id, bytes.Length, new byte[1]));
        return bytes;
    }

    [Fact]
    public void Contents_names_and_attributes_come_back()
    {
        using var image = WriteAndOpen();
        var text = image.GetNode(Lookup(image, "usr/bin/text"));
        Assert.Equal(ModeBits.Regular | 0x9ED, text.Mode);
        Assert.Equal(2u, text.LinkCount);
        Assert.Equal(text.Id, Lookup(image, "usr/bin/hard"));
        Assert.Equal(Bytes(5000, 1), ReadAll(image, text.Id));
        Assert.Equal("usr/bin", image.GetLinkTarget(Lookup(image, "bin")));
        Assert.Equal(7, image.GetNode(Lookup(image, "bin")).Size);
        Assert.Equal(0, image.GetNode(Lookup(image, "empty")).Size);
        Assert.Equal(Bytes(1, 4), ReadAll(image, Lookup(image, "\u00ff\u00fe\u0080")));
        Assert.Equal((ModeBits.CharacterDevice | 0x1B6, 0x103ul), (image.GetNode(Lookup(image, "null")).Mode, image.GetNode(Lookup(image, "null")).DeviceNumber));
        Assert.Equal(ModeBits.Fifo | 0x180, image.GetNode(Lookup(image, "fifo")).Mode);
        var owned = image.GetNode(Lookup(image, "owned"));
        Assert.Equal((4_000_000_000u, 65534u, -1_500_000_000L), (owned.Uid, owned.Gid, owned.ModifiedNanoseconds));
        var attributes = image.GetExtendedAttributes(owned.Id);
        Assert.Equal(["security.capability", "user.a"], attributes.Select(pair => pair.Key));
        Assert.Equal([1, 0, 0, 2, 0xff], attributes[0].Value);
        Assert.Empty(attributes[1].Value);
        Assert.Empty(image.GetExtendedAttributes(text.Id));
    }

    [Fact]
    public void Directories_are_sorted_counted_and_know_their_parent()
    {
        using var image = WriteAndOpen();
        var many = Lookup(image, "many");
        Assert.Equal(300, image.GetEntryCount(many));
        var names = image.EnumerateDirectory(many).Select(entry => entry.Name).ToList();
        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"file{i}").Order(StringComparer.Ordinal), names);
        foreach (var entry in image.EnumerateDirectory(many)) Assert.Equal("content " + entry.Name[4..], Encoding.ASCII.GetString(ReadAll(image, entry.NodeId)));
        Assert.Equal(Lookup(image, "usr"), image.GetParent(Lookup(image, "usr/bin")));
        Assert.Equal(Image.RootId, image.GetParent(Image.RootId));
        Assert.Equal(4u, image.GetNode(Image.RootId).LinkCount); // usr, many
        Assert.Equal(3u, image.GetNode(Lookup(image, "usr")).LinkCount);
        var bin = image.GetNode(Lookup(image, "usr/bin"));
        Assert.Equal((1u, 2u, 3_000_000_004L), (bin.Uid, bin.Gid, bin.ModifiedNanoseconds));
    }

    [Theory]
    [InlineData("file")]
    [InlineData("file300")]
    [InlineData("")]
    [InlineData("zzz")]
    [InlineData("file1\u0131")]
    public void Lookup_of_an_absent_name_fails(string name)
    {
        using var image = WriteAndOpen();
        Assert.False(image.TryLookup(Lookup(image, "many"), name, out _));
        Assert.False(image.TryLookup(Lookup(image, "page"), name, out _));
    }

    [Fact]
    public void Contents_start_at_pages_are_zero_padded_elf_first_and_stored_once()
    {
        using var image = WriteAndOpen();
        var elf = image.GetNode(Lookup(image, "usr/bin/zelf"));
        Assert.Equal(0, elf.DataOffset);
        Assert.Equal(0, image.GetNode(Lookup(image, "usr/bin/same")).DataOffset);
        Assert.NotEqual(elf.Id, Lookup(image, "usr/bin/same"));
        var text = image.GetNode(Lookup(image, "usr/bin/text"));
        Assert.Equal(0, text.DataOffset % 4096);
        var tail = new byte[8192 - 5000];
        Assert.Equal(tail.Length, RandomAccess.Read(image.DataHandle, tail, text.DataOffset + 5000));
        Assert.DoesNotContain(tail, b => b != 0);
        // elf 3 pages, text 2, page 1, one each for the odd name, owned and 300 small files, trailer.
        Assert.Equal(4096L * (3 + 2 + 1 + 1 + 1 + 300 + 1), image.DataLength);
        Assert.Equal(image.DataLength, new FileInfo(image.DataPath).Length);
        image.Verify();
    }

    [Fact]
    public void Equal_trees_have_equal_ids_and_different_ones_do_not()
    {
        string first;
        using (var image = WriteAndOpen()) first = image.Id;
        using (var image = WriteAndOpen()) Assert.Equal(first, image.Id);
        using var spool = new ContentSpool(new MemoryStream());
        var tree = Fill(spool);
        tree.AddFile("page", Bytes(4096, 99));
        var other = ImageWriter.Write(tree, 42, path => new FileStream(path, FileMode.Create, FileAccess.Write), _directory.Path, _ => { }, CancellationToken.None);
        Assert.NotEqual(first, other.Id);
    }

    [Fact]
    public void Any_changed_byte_of_the_index_is_noticed_at_open_or_by_verify()
    {
        WriteAndOpen().Dispose();
        var path = _directory.In(ImageFormat.IndexFile);
        var good = File.ReadAllBytes(path);
        for (var at = 0; at < good.Length; at += Math.Max(1, good.Length / 997))
        {
            var bad = (byte[])good.Clone();
            bad[at] ^= 0x10;
            File.WriteAllBytes(path, bad);
            Assert.Throws<ImageCorruptException>(() =>
            {
                using var image = Image.Open(_directory.Path);
                image.Verify();
            });
            if (at < good.Length - ImageFormat.HashSize) Assert.Throws<ImageCorruptException>(() => Image.Open(_directory.Path).Dispose());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(256)]
    [InlineData(1000)]
    public void A_cut_index_is_noticed(int length)
    {
        WriteAndOpen().Dispose();
        var path = _directory.In(ImageFormat.IndexFile);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..length]);
        Assert.Throws<ImageCorruptException>(() => Image.Open(_directory.Path));
    }

    [Fact]
    public void Damaged_data_are_noticed()
    {
        WriteAndOpen().Dispose();
        var path = _directory.In(ImageFormat.DataFile);
        var good = File.ReadAllBytes(path);

        File.WriteAllBytes(path, good[..^4096]);
        Assert.Contains("wrong length", Assert.Throws<ImageCorruptException>(() => Image.Open(_directory.Path)).Message, StringComparison.Ordinal);

        var swapped = (byte[])good.Clone();
        swapped[^4080] ^= 1;
        File.WriteAllBytes(path, swapped);
        Assert.Contains("do not belong", Assert.Throws<ImageCorruptException>(() => Image.Open(_directory.Path)).Message, StringComparison.Ordinal);

        var changed = (byte[])good.Clone();
        changed[6000] ^= 1;
        File.WriteAllBytes(path, changed);
        using (var image = Image.Open(_directory.Path))
            Assert.Contains("checksum of the data", Assert.Throws<ImageCorruptException>(() => image.Verify()).Message, StringComparison.Ordinal);

        File.Delete(path);
        Assert.Contains("image.data is missing", Assert.Throws<ImageCorruptException>(() => Image.Open(_directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hostile_index_with_a_right_checksum_cannot_point_outside()
    {
        WriteAndOpen().Dispose();
        var path = _directory.In(ImageFormat.IndexFile);
        var good = File.ReadAllBytes(path);
        var nodes = BitConverter.ToInt32(good, ImageFormat.NodeCountAt);
        var refused = 0;
        // Words of nodes and entries (a stride of 7 words meets each field) set to a huge value, with the checksum made right again.
        for (var at = ImageFormat.HeaderSize; at < ImageFormat.HeaderSize + (nodes * ImageFormat.NodeSize) + 1200; at += 28)
        {
            var bad = (byte[])good.Clone();
            BitConverter.TryWriteBytes(bad.AsSpan(at), 0x7ffffff0);
            BitConverter.TryWriteBytes(bad.AsSpan(ImageFormat.CrcAt), ImageFormat.Crc(bad));
            File.WriteAllBytes(path, bad);
            try
            {
                using var image = Image.Open(_directory.Path);
                for (var id = 0; id < image.NodeCount; id++)
                {
                    image.GetNode(id);
                    image.GetLinkTarget(id);
                    image.Read(id, 0, new byte[16]);
                    image.TryLookup(id, "x", out _);
                    foreach (var entry in image.EnumerateDirectory(id)) Assert.NotEmpty(entry.Name);
                    image.GetExtendedAttributes(id);
                }
            }
            catch (ImageCorruptException)
            {
                refused++;
            }
        }
        Assert.True(refused > 50, $"only {refused} refused");
    }

    [Fact]
    public void The_tar_export_is_read_by_tar_and_by_the_importer_alike()
    {
        using var image = WriteAndOpen();
        var path = _directory.In("x.tar");
        using (var stream = File.Create(path)) ImageExporter.WriteTar(image, stream);
        var listing = Command.Run("tar", "--numeric-owner", "-tvf", path);
        Assert.Contains("4000000000/65534", listing, StringComparison.Ordinal);
        Assert.Contains("link to ./usr/bin/hard", listing, StringComparison.Ordinal);

        using var spool = new ContentSpool(new MemoryStream());
        var tree = new ImageTree(spool);
        using var input = File.OpenRead(path);
        using var reader = new TarStreamReader(input);
        while (reader.Next() is { } entry)
            Ramet.Images.Debian.TreeEntries.Add(tree, entry, entry.Name[2..].TrimEnd('/'), entry.LinkName.StartsWith("./", StringComparison.Ordinal) ? entry.LinkName[2..] : "", reader.Content);
        Assert.Equal(Bytes(5000, 1), tree.ReadFile("bin/text"));
        Assert.Same(tree.Find("usr/bin/text"), tree.Find("usr/bin/hard"));
        Assert.Equal(0x103ul, tree.Find("null")!.DeviceNumber);
        Assert.Equal(Bytes(1, 4), tree.ReadFile("\u00ff\u00fe\u0080"));
        Assert.Equal(300, tree.Find("many")!.Entries.Count);
    }
}
