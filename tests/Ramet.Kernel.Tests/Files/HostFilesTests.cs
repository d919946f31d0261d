using System.Text;
using Ramet.Kernel.Hosting;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public sealed class HostFilesTests
{
    private readonly FakeSandbox _sandbox = new(new FakeImage().Directory("/etc").Directory("/tmp").File("/etc/motd", "hello").Link("/etc/link", "motd").Link("/etc/up", "../../../.."));
    private readonly HostFiles _files;

    public HostFilesTests() => _files = new HostFiles(_sandbox.Kernel);

    [Fact]
    public void A_file_is_written_with_its_parents_and_read_back()
    {
        Assert.Equal(Errno.None, _files.Write("/a/b/ö.txt", "text"u8, mode: 0x1ED));
        Assert.Equal("text", Read("/a/b/ö.txt"));
        Assert.Equal(Errno.None, _files.Stat("/a/b/ö.txt", followLinks: true, out var info));
        Assert.Equal((4L, 0x1EDu), (info!.Size, info.Mode));
        Assert.Equal(Errno.None, _files.List("/a/b", out var entries));
        Assert.Equal("/a/b/ö.txt", Assert.Single(entries).Path);
    }

    [Fact]
    public void A_file_of_the_image_is_replaced_for_this_sandbox_alone()
    {
        Assert.Equal(Errno.None, _files.Write("/etc/motd", "mine"u8));
        Assert.Equal("mine", Read("/etc/motd"));
        Assert.Equal("hello", Encoding.Latin1.GetString(ReadImage()));
    }

    [Fact]
    public void Writing_through_a_link_writes_what_it_leads_to()
    {
        Assert.Equal(Errno.None, _files.Write("/etc/link", "via"u8));
        Assert.Equal("via", Read("/etc/motd"));
        Assert.Equal(Errno.None, _files.Stat("/etc/link", followLinks: false, out var link));
        Assert.Equal("motd", link!.LinkTarget);
    }

    [Theory]
    [InlineData("/etc", Errno.EISDIR)]
    [InlineData("/etc/motd/x", Errno.ENOTDIR)]
    [InlineData("/etc/motd/", Errno.ENOTDIR)]
    [InlineData("/new/", Errno.EISDIR)]
    [InlineData("/..", Errno.EISDIR)]
    [InlineData("/a\0b", Errno.EINVAL)]
    [InlineData("", Errno.ENOENT)]
    [InlineData("/dev/null", Errno.EINVAL)]
    public void What_is_no_place_for_a_regular_file_is_refused(string path, Errno expected) => Assert.Equal(expected, _files.Write(path, "x"u8));

    [Fact]
    public void Too_long_a_name_is_refused() => Assert.Equal(Errno.ENAMETOOLONG, _files.Write("/" + new string('n', 256), "x"u8));

    [Fact]
    public void Dots_never_lead_above_the_root()
    {
        Assert.Equal(Errno.None, _files.Write("/../../../top", "x"u8));
        Assert.Equal("x", Read("/top"));
        Assert.Equal("x", Read("/etc/up/top"));
    }

    [Fact]
    public void Directories_are_made_moved_and_removed_with_what_is_in_them()
    {
        Assert.Equal(Errno.ENOENT, _files.MakeDirectory("/x/y/z", parents: false));
        Assert.Equal(Errno.None, _files.MakeDirectory("/x/y/z", parents: true));
        Assert.Equal(Errno.None, _files.MakeDirectory("/x/y/z", parents: true));
        Assert.Equal(Errno.EEXIST, _files.MakeDirectory("/x/y", parents: false));
        Assert.Equal(Errno.None, _files.Write("/x/y/z/f", "1"u8));
        Assert.Equal(Errno.EINVAL, _files.Move("/x", "/x/y/inside"));
        Assert.Equal(Errno.None, _files.Move("/x/y", "/x/w"));
        Assert.Equal("1", Read("/x/w/z/f"));
        Assert.Equal(Errno.ENOTEMPTY, _files.Remove("/x", recursive: false));
        Assert.Equal(Errno.None, _files.Remove("/x", recursive: true));
        Assert.Equal(Errno.ENOENT, _files.Stat("/x", followLinks: true, out _));
        Assert.Equal(Errno.EBUSY, _files.Remove("/", recursive: true));
        Assert.Equal(Errno.EBUSY, _files.Remove("/proc", recursive: true));
    }

    [Fact]
    public void A_move_replaces_a_file_but_not_a_directory_by_a_file()
    {
        _files.Write("/f", "new"u8);
        _files.Write("/g", "old"u8);
        Assert.Equal(Errno.None, _files.Move("/f", "/g"));
        Assert.Equal("new", Read("/g"));
        Assert.Equal(Errno.EISDIR, _files.Move("/g", "/etc"));
        Assert.Equal(Errno.ENOENT, _files.Move("/f", "/h"));
        Assert.Equal(Errno.EXDEV, _files.Move("/g", "/dev/shm/g"));
    }

    [Fact]
    public void When_memory_is_full_the_write_says_so_and_the_sandbox_goes_on()
    {
        var error = _files.Write("/big", new byte[64 << 20]);
        Assert.True(error is Errno.ENOSPC or Errno.ENOMEM, error.ToString());
        Assert.Equal(Errno.None, _files.Remove("/big", recursive: false));
        Assert.Equal(Errno.None, _files.Write("/small", "x"u8));
    }

    [Fact]
    public void Files_of_proc_can_be_read()
    {
        Assert.Contains("Linux", Read("/proc/version"), StringComparison.Ordinal);
    }

    private string Read(string path)
    {
        Assert.Equal(Errno.None, _files.OpenRead(path, out var file));
        using (file)
        {
            byte[] buffer = new byte[10000];
            int length = 0;
            while (true)
            {
                Assert.Equal(Errno.None, file!.Read(buffer.AsSpan(length), out int count));
                if (count == 0) return Encoding.UTF8.GetString(buffer, 0, length);
                length += count;
            }
        }
    }

    private byte[] ReadImage()
    {
        var fresh = new HostFiles(new FakeSandbox(_sandbox.Image).Kernel);
        Assert.Equal(Errno.None, fresh.OpenRead("/etc/motd", out var file));
        byte[] buffer = new byte[5];
        Assert.Equal(Errno.None, file!.Read(buffer, out int count));
        file.Dispose();
        return buffer[..count];
    }
}
