using System.Text;
using Ramet.Images.Archives;

namespace Ramet.Images.Tests;

public sealed class TarStreamReaderTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("gnu")]
    [InlineData("pax")]
    [InlineData("ustar")]
    [InlineData("v7")]
    public void Archives_of_GNU_tar_are_read(string format)
    {
        var deep = format is "v7" ? "short" : string.Join('/', Enumerable.Repeat("0123456789abcdef", format is "ustar" ? 8 : 20));
        var root = _directory.In("root");
        Directory.CreateDirectory(Path.Combine(root, deep));
        var content = new byte[100_000];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(Path.Combine(root, deep, "file"), content);
        File.WriteAllText(Path.Combine(root, "empty"), "");
        File.CreateSymbolicLink(Path.Combine(root, "link"), "../target");
        Command.Run("ln", Path.Combine(root, "empty"), Path.Combine(root, "hard"));
        Command.Run("chmod", "4751", Path.Combine(root, "empty"));
        var archive = _directory.In("a.tar");
        Command.Run("tar", $"--format={format}", "--sort=name", "--owner=ann:1234", "--group=bob:5678", "--mtime=@1700000000", "-cf", archive, "-C", root, ".");

        using var stream = File.OpenRead(archive);
        using var reader = new TarStreamReader(stream);
        Dictionary<string, (TarEntry Entry, byte[] Content)> entries = new(StringComparer.Ordinal);
        while (reader.Next() is { } entry)
        {
            using var copy = new MemoryStream();
            reader.Content.CopyTo(copy);
            entries.Add(entry.Name, (entry, copy.ToArray()));
        }
        Assert.Equal(content, entries[$"./{deep}/file"].Content);
        Assert.Equal(('5', 1234u, 5678u), (entries["./"].Entry.Type, entries["./"].Entry.Uid, entries["./"].Entry.Gid));
        Assert.Equal((0x9E9u, 1_700_000_000_000_000_000L), (entries["./empty"].Entry.Permissions, entries["./empty"].Entry.ModifiedNanoseconds));
        Assert.Equal(('2', "../target"), (entries["./link"].Entry.Type, entries["./link"].Entry.LinkName));
        Assert.Equal(('1', "./empty"), (entries["./hard"].Entry.Type, entries["./hard"].Entry.LinkName));
    }

    [Fact]
    public void Pax_keeps_nanoseconds_binary_attributes_and_names_that_are_not_UTF8()
    {
        using var archive = new MemoryStream();
        void Block(char type, string name, ReadOnlySpan<byte> data)
        {
            var block = new byte[512];
            Encoding.Latin1.GetBytes(name, block);
            Encoding.Latin1.GetBytes("0000644\0" + "0000000\0" + "0000000\0" + Convert.ToString(data.Length, 8).PadLeft(11, '0') + "\0" + "00000000000\0", block.AsSpan(100));
            block.AsSpan(148, 8).Fill((byte)' ');
            block[156] = (byte)type;
            "ustar\000"u8.CopyTo(block.AsSpan(257));
            Encoding.Latin1.GetBytes(Convert.ToString(block.Sum(b => b), 8).PadLeft(6, '0') + "\0 ", block.AsSpan(148));
            archive.Write(block);
            archive.Write(data);
            archive.Write(new byte[-data.Length & 511]);
        }
        byte[] Record(string text)
        {
            var length = text.Length + 3;
            while (length.ToString().Length + text.Length + 2 != length) length = length.ToString().Length + text.Length + 2;
            return Encoding.Latin1.GetBytes($"{length} {text}\n");
        }
        Block('x', "header", [.. Record("path=na\u00ffme"), .. Record("mtime=12.000000345"), .. Record("SCHILY.xattr.security.capability=\u0001\0\n\u00fe")]);
        Block('0', "ignored", "hello"u8);
        Block('0', "plain", "x"u8);
        archive.Write(new byte[1024]);
        archive.Position = 0;

        using var reader = new TarStreamReader(archive);
        var entry = reader.Next()!;
        Assert.Equal(("na\u00ffme", 12_000_000_345L, 5L), (entry.Name, entry.ModifiedNanoseconds, entry.Size));
        Assert.Equal([1, 0, 10, 0xfe], entry.ExtendedAttributes["security.capability"]);
        Assert.Equal("plain", reader.Next()!.Name); // The content before was never read.
        Assert.Null(reader.Next());
    }

    [Fact]
    public void Damaged_archives_are_refused()
    {
        File.WriteAllText(_directory.In("f"), new string('x', 3000));
        Command.Run("tar", "-cf", _directory.In("a.tar"), "-C", _directory.Path, "f");
        var good = File.ReadAllBytes(_directory.In("a.tar"));

        void ReadAll(byte[] bytes)
        {
            using var reader = new TarStreamReader(new MemoryStream(bytes));
            while (reader.Next() is not null) reader.Content.CopyTo(Stream.Null);
        }
        ReadAll(good);
        var bad = (byte[])good.Clone();
        bad[130] ^= 1;
        Assert.Throws<InvalidDataException>(() => ReadAll(bad));
        Assert.Throws<EndOfStreamException>(() => ReadAll(good[..1000]));
        Assert.Throws<EndOfStreamException>(() => ReadAll(good[..300]));
        var random = new Random(7);
        for (var i = 0; i < 2000; i++)
        {
            var noise = (byte[])good.Clone();
            random.NextBytes(noise.AsSpan(random.Next(500), 12));
            var e = Record.Exception(() => ReadAll(noise));
            Assert.True(e is null or InvalidDataException or EndOfStreamException or FormatException or OverflowException, e?.ToString());
        }
    }
}
