using Ramet.Kernel.Files;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public class OverlayTests
{
    private const OpenFlags ReadWriteFlag = OpenFlags.O_RDWR;

    private readonly FakeSandbox _s = new(new FakeImage()
        .File("/etc/passwd", "root:x:0:0\n")
        .File("/etc/group", "root:x:0:\n")
        .File("/bin/tool", new byte[10000], 0x1ED)
        .HardLink("/bin/tool2", "/bin/tool")
        .Directory("/var/empty")
        .Link("/bin/link", "tool"));

    [Fact]
    public void A_file_of_the_image_reads_as_it_is_and_costs_no_frames()
    {
        ulong before = _s.Kernel.Frames.UsedBytes;
        Assert.Equal("root:x:0:0\n", _s.ReadFile("/etc/passwd"));

        // The scratch buffer of the test may have taken pages; the file itself none.
        var stat = _s.MustStat("/etc/passwd");
        Assert.Equal(11, stat.st_size);
        Assert.Equal(1u, stat.st_nlink);
        Assert.Equal(1_600_000_000, stat.st_mtime);
        Assert.True(_s.Kernel.Frames.UsedBytes - before <= 20 * 4096);
        Assert.Same(Inode("/etc/passwd"), Inode("/etc/passwd"));
        Assert.Null(Frame(Inode("/etc/passwd"), 0, out bool image));
        Assert.True(image);
    }

    [Fact]
    public void A_write_changes_the_file_and_keeps_its_inode_number()
    {
        ulong number = _s.MustStat("/etc/passwd").st_ino;
        int fd = _s.MustOpen("/etc/passwd", ReadWriteFlag | OpenFlags.O_APPEND);
        Assert.Equal(4, _s.Write(fd, "new\n").Value);
        _s.Close(fd);
        GC.Collect();
        Assert.Equal("root:x:0:0\nnew\n", _s.ReadFile("/etc/passwd"));
        Assert.Equal(number, _s.MustStat("/etc/passwd").st_ino);
        Assert.Equal(1_700_000_000, _s.MustStat("/etc/passwd").st_mtime);
    }

    [Fact]
    public void Hard_links_of_the_image_share_changes()
    {
        Assert.Equal(_s.MustStat("/bin/tool").st_ino, _s.MustStat("/bin/tool2").st_ino);
        int fd = _s.MustOpen("/bin/tool2", ReadWriteFlag);
        Assert.Equal(5, _s.Write(fd, "hello").Value);
        _s.Close(fd);
        GC.Collect();
        Assert.Equal("hello", _s.ReadFile("/bin/tool")[..5]);
        Assert.Equal(10000, _s.MustStat("/bin/tool").st_size);
        Assert.Equal(Errno.None, Links.Unlink(_s.Thread, _s.Path("/bin/tool")).Error);
        Assert.Equal(1u, _s.MustStat("/bin/tool2").st_nlink);
        Assert.Equal("hello", _s.ReadFile("/bin/tool2")[..5]);
    }

    [Fact]
    public void Removed_names_of_the_image_stay_removed_and_can_be_made_anew()
    {
        Assert.Equal(Errno.None, Links.Unlink(_s.Thread, _s.Path("/etc/passwd")).Error);
        GC.Collect();
        Assert.Equal(Errno.ENOENT, _s.Stat("/etc/passwd", out _));
        Assert.Equal(["group"], _s.List("/etc"));
        _s.WriteFile("/etc/passwd", "other");
        Assert.Equal("other", _s.ReadFile("/etc/passwd"));
        Assert.Equal(["group", "passwd"], _s.List("/etc"));
    }

    [Fact]
    public void A_directory_of_the_image_is_removable_only_when_all_its_names_are_gone()
    {
        Assert.Equal(Errno.ENOTEMPTY, Directories.RmDir(_s.Thread, _s.Path("/etc")).Error);
        Links.Unlink(_s.Thread, _s.Path("/etc/passwd"));
        Links.Unlink(_s.Thread, _s.Path("/etc/group"));
        Assert.Equal(Errno.None, Directories.RmDir(_s.Thread, _s.Path("/etc")).Error);
        Assert.Equal(Errno.None, _s.MakeDirectory("/etc").Error);
        Assert.Empty(_s.List("/etc"));
        Assert.Equal(Errno.ENOENT, _s.Stat("/etc/passwd", out _));
    }

    [Fact]
    public void A_renamed_directory_of_the_image_keeps_its_files()
    {
        Assert.Equal(Errno.None, Links.Rename(_s.Thread, _s.Path("/etc"), _s.Path("/var/etc")).Error);
        GC.Collect();
        Assert.Equal("root:x:0:0\n", _s.ReadFile("/var/etc/passwd"));
        Assert.Equal(Errno.ENOENT, _s.Stat("/etc", out _));
        Assert.Equal(["empty", "etc"], _s.List("/var"));
    }

    [Fact]
    public void Chmod_of_a_file_of_the_image_lasts()
    {
        Assert.Equal(Errno.None, Metadata.ChMod(_s.Thread, _s.Path("/etc/passwd"), 0x180).Error);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.Equal(0x8180u, _s.MustStat("/etc/passwd").st_mode);
    }

    [Fact]
    public void Copy_up_is_page_by_page()
    {
        int fd = _s.MustOpen("/bin/tool", ReadWriteFlag);
        Assert.Equal(1, ReadWrite.PWrite64(_s.Thread, fd, _s.Put("x"u8), 1, 5000).Value);
        var inode = Inode("/bin/tool");
        Assert.Null(Frame(inode, 0, out bool first));
        Assert.NotNull(Frame(inode, 1, out bool second));
        Assert.Null(Frame(inode, 2, out bool third));
        Assert.True(first && !second && third);
        Assert.Equal(8, _s.MustStat("/bin/tool").st_blocks);
    }

    [Fact]
    public void Truncated_bytes_of_the_image_do_not_come_back()
    {
        Assert.Equal(Errno.None, Descriptors.Truncate(_s.Thread, _s.Path("/etc/passwd"), 4).Error);
        Assert.Equal(Errno.None, Descriptors.Truncate(_s.Thread, _s.Path("/etc/passwd"), 8).Error);
        Assert.Equal("root\0\0\0\0", _s.ReadFile("/etc/passwd"));

        // The page that a mapping sees must not show them either.
        ulong frame = Frame(Inode("/etc/passwd"), 0, out _)!.Value;
        Assert.Equal(-1, _s.Machine.Memory.GetSpan(frame + 4, 4092).IndexOfAnyExcept((byte)0));
    }

    private Inode Inode(string path)
    {
        Assert.Equal(Errno.None, PathArguments.Resolve(_s.Thread, PathArguments.CurrentDirectory, path, WalkFlags.None, out var dentry));
        return dentry.Inode;
    }

    /// <summary>The frame of RAM that shows a page; null when it is the image's.</summary>
    private static ulong? Frame(Inode inode, long page, out bool image)
    {
        Assert.Equal(Errno.None, inode.GetMemoryObject()!.GetPage(page, false, out ulong frame, out bool writable));
        image = frame >= GuestMemory.ImageBase;
        Assert.Equal(!image, writable);
        return image ? null : frame;
    }
}
