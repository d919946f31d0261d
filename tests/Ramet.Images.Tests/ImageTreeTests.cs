namespace Ramet.Images.Tests;

public sealed class ImageTreeTests : IDisposable
{
    private readonly ContentSpool _spool = new(new MemoryStream());
    private readonly ImageTree _tree;

    public ImageTreeTests() => _tree = new ImageTree(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact]
    public void Paths_go_through_symbolic_links()
    {
        _tree.AddDirectory("usr/lib");
        _tree.AddSymbolicLink("lib", "usr/lib");
        _tree.AddSymbolicLink("usr/lib/up", "../../lib/x86");
        _tree.AddFile("/lib/x86/a.so", "a");
        Assert.NotNull(_tree.Find("usr/lib/x86/a.so"));
        Assert.Same(_tree.Find("usr/lib/x86/a.so"), _tree.Find("lib/up/a.so"));
        Assert.True(_tree.Find("lib", followLast: false)!.IsSymbolicLink);
        Assert.True(_tree.Find("lib")!.IsDirectory);
    }

    [Fact]
    public void A_directory_over_a_link_to_a_directory_keeps_the_link()
    {
        _tree.AddDirectory("usr/bin");
        _tree.AddSymbolicLink("bin", "usr/bin");
        _tree.AddDirectory("bin", 0x1C0);
        Assert.True(_tree.Find("bin", followLast: false)!.IsSymbolicLink);
        Assert.Equal(ModeBits.Directory | 0x1C0, _tree.Find("usr/bin")!.Mode);
    }

    [Fact]
    public void Dot_dot_stops_at_the_root_and_link_loops_end()
    {
        _tree.AddFile("../../a", "x");
        Assert.NotNull(_tree.Find("a"));
        _tree.AddSymbolicLink("b", "c");
        _tree.AddSymbolicLink("c", "b");
        Assert.Null(_tree.Find("b/x"));
        Assert.Throws<InvalidDataException>(() => _tree.AddFile("b/x", "x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/.")]
    [InlineData("a/b/..")]
    public void Names_that_no_file_can_have_are_refused(string path) => Assert.Throws<InvalidDataException>(() => _tree.AddFile(path, "x"));

    [Fact]
    public void A_file_cannot_hide_a_directory_with_files_nor_be_one()
    {
        _tree.AddFile("d/f", "x");
        Assert.Throws<InvalidDataException>(() => _tree.AddFile("d", "y"));
        Assert.Throws<InvalidDataException>(() => _tree.AddFile("d/f/g", "y"));
        Assert.Throws<InvalidDataException>(() => _tree.AddFile("d/" + new string('n', 256), "y"));
    }

    [Fact]
    public void Files_are_replaced_and_removed()
    {
        _tree.AddFile("f", "one");
        _tree.AddFile("f", "two");
        Assert.Equal("two"u8.ToArray(), _tree.ReadFile("f"));
        Assert.True(_tree.Remove("f"));
        Assert.False(_tree.Remove("f"));
        Assert.Null(_tree.ReadFile("f"));
    }
}
