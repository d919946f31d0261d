using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Files;

public sealed class PunchHoleTests
{
    private const long Page = 4096;
    private const int Pages = 4000;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;
    private readonly int _fd;
    private readonly PageStore _content;

    public PunchHoleTests()
    {
        _a = _sandbox.NewProcess();
        _fd = _a.Ok(SyscallNumber.open, _a.Put("/tmp/sparse\0"u8), (long)(OpenFlags.O_RDWR | OpenFlags.O_CREAT), 0x1B6);
        _content = ((TmpfsFile)_a.Thread.Files.Get(_fd)!.Inode).Pages;
    }

    /// <summary>A hole is made of pages far apart in one pass, and stops where it should.</summary>
    [Fact]
    public void A_hole_over_pages_far_apart_takes_all_of_them_and_no_others()
    {
        long x = _a.Put("x"u8);
        // From the last to the first, so that the order in which they came is not theirs.
        for (int i = Pages - 1; i >= 0; i--) _a.Ok(SyscallNumber.pwrite64, _fd, x, 1, Place(i));
        Assert.Equal(Pages, _content.FrameCount);
        Punch(Place(10), Place(Pages - 10) - Place(10));
        Assert.Equal(20, _content.FrameCount);
        for (int i = 0; i < Pages; i += 5) Assert.Equal(i is < 10 or >= Pages - 10 ? 'x' : 0, ByteAt(Place(i)));
        Punch(0, Place(Pages));
        Assert.Equal(0, _content.FrameCount);
    }

    [Fact]
    public void A_hole_within_pages_clears_their_bytes_and_mappings_see_it()
    {
        _a.Ok(SyscallNumber.ftruncate, _fd, 4 * Page);
        for (int i = 0; i < 4; i++) _a.Ok(SyscallNumber.pwrite64, _fd, _a.Put("ab"u8), 2, (i * Page) + 100);
        long map = _a.Call(SyscallNumber.mmap, 0, 4 * Page, 3, 1, _fd, 0);
        for (int i = 0; i < 4; i++) Assert.Equal((byte)'a', _a.Get<byte>(map + (i * Page) + 100));
        Punch(101, 3 * Page);
        Assert.Equal(2, _content.FrameCount);
        byte[] first = _a.Get(map + 100, 2), second = _a.Get(map + Page + 100, 2), last = _a.Get(map + (3 * Page) + 100, 2);
        Assert.Equal([(byte)'a', 0], first);
        Assert.Equal([0, 0], second);
        Assert.Equal([0, (byte)'b'], last);
        Punch(3 * Page, 0x7fff_ffff_0000);
        Assert.Equal([0, 0], _a.Get(map + (3 * Page) + 100, 2));
    }

    [Fact]
    public void What_is_left_of_a_dense_file_is_found_and_can_grow_again()
    {
        _a.Ok(SyscallNumber.ftruncate, _fd, 3000 * Page);
        _a.Ok(SyscallNumber.fallocate, _fd, 0, 0, 3000 * Page);
        long x = _a.Put("x"u8);
        foreach (int i in new[] { 0, 1500, 2999 }) _a.Ok(SyscallNumber.pwrite64, _fd, x, 1, i * Page);
        Punch(Page, 1499 * Page);
        Punch(1501 * Page, 1498 * Page);
        Assert.Equal(3, _content.FrameCount);
        foreach (int i in new[] { 0, 1500, 2999 }) Assert.Equal('x', ByteAt(i * Page));
        Assert.Equal(1500 * Page, _a.Ok(SyscallNumber.lseek, _fd, Page, 3));
        for (int i = 0; i < 20; i++) _a.Ok(SyscallNumber.pwrite64, _fd, x, 1, i * Page);
        Assert.Equal(22, _content.FrameCount);
        Assert.Equal('x', ByteAt(1500 * Page));
        Punch(0, 3000 * Page);
        Assert.Equal(0, _content.FrameCount);
        Assert.Equal(0, ByteAt(1500 * Page));
    }

    private static long Place(int page) => (page + 1) * 1000L * Page;

    private char ByteAt(long offset)
    {
        Span<byte> one = [1];
        Assert.Equal(1, _content.Read(offset, one));
        return (char)one[0];
    }

    private void Punch(long offset, long length) =>
        _a.Ok(SyscallNumber.fallocate, _fd, (long)(FallocateMode.FALLOC_FL_PUNCH_HOLE | FallocateMode.FALLOC_FL_KEEP_SIZE), offset, length);
}
