using Ramet.Kernel.Files;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public class PathWalkTests
{
    private readonly FakeSandbox _s = new(new FakeImage()
        .File("/a/b/file", "content")
        .Link("/a/to-b", "b")
        .Link("/a/absolute", "/a/b/file")
        .Link("/a/loop1", "loop2")
        .Link("/a/loop2", "loop1")
        .Link("/a/dangling", "b/new")
        .Directory("/secret", 0x1C0)
        .File("/secret/file", "secret"));

    [Theory]
    [InlineData("/a/b/file", Errno.None)]
    [InlineData("//a///b//./file", Errno.None)]
    [InlineData("/a/b/../b/file", Errno.None)]
    [InlineData("/../../a/b/file", Errno.None)]
    [InlineData("/a/to-b/file", Errno.None)]
    [InlineData("/a/absolute", Errno.None)]
    [InlineData("/a/b/file/", Errno.ENOTDIR)]
    [InlineData("/a/absolute/", Errno.ENOTDIR)]
    [InlineData("/a/b/file/x", Errno.ENOTDIR)]
    [InlineData("/a/b/file/..", Errno.ENOTDIR)]
    [InlineData("/a/none", Errno.ENOENT)]
    [InlineData("/a/none/..", Errno.ENOENT)]
    [InlineData("/a/dangling", Errno.ENOENT)]
    [InlineData("/a/loop1", Errno.ELOOP)]
    [InlineData("", Errno.ENOENT)]
    [InlineData("/", Errno.None)]
    public void Stat_of_a_path(string path, Errno expected) => Assert.Equal(expected, _s.Stat(path, out _));

    [Fact]
    public void A_component_of_256_bytes_and_a_path_of_4096_are_too_long()
    {
        Assert.Equal(Errno.ENAMETOOLONG, _s.Stat("/" + new string('x', 256), out _));
        Assert.Equal(Errno.ENOENT, _s.Stat("/" + new string('x', 255), out _));
        Assert.Equal(Errno.ENAMETOOLONG, _s.Stat(new string('/', 4096), out _));
        Assert.Equal(Errno.None, _s.Stat(new string('/', 4095), out _));
        Assert.Equal(Errno.ENAMETOOLONG, _s.MakeDirectory("/" + new string('x', 256)).Error);
    }

    [Fact]
    public void Forty_links_are_followed_and_forty_one_are_not()
    {
        _s.WriteFile("/tmp/end", "");
        Assert.Equal(Errno.None, Links.SymLink(_s.Thread, _s.Path("/tmp/end"), _s.Path("/tmp/l1")).Error);
        for (int i = 2; i <= 41; i++) Links.SymLink(_s.Thread, _s.Path($"/tmp/l{i - 1}"), _s.Path($"/tmp/l{i}"));
        Assert.Equal(Errno.None, _s.Stat("/tmp/l40", out _));
        Assert.Equal(Errno.ELOOP, _s.Stat("/tmp/l41", out _));
    }

    [Fact]
    public void Lstat_shows_the_link_itself_unless_a_slash_follows()
    {
        Assert.Equal(Errno.None, _s.Stat("/a/to-b", out var link, follow: false));
        Assert.Equal(0xA1FFu, link.st_mode);
        Assert.Equal(1, link.st_size);
        Assert.Equal(Errno.None, _s.Stat("/a/to-b/", out var directory, follow: false));
        Assert.Equal(0x41EDu, directory.st_mode);
    }

    [Fact]
    public void O_CREAT_makes_the_target_of_a_dangling_link()
    {
        _s.WriteFile("/a/dangling", "made");
        Assert.Equal("made", _s.ReadFile("/a/b/new"));
        Assert.Equal(Errno.EEXIST, _s.Open("/a/dangling", OpenFlags.O_CREAT | OpenFlags.O_EXCL).Error);
        Assert.Equal(Errno.ELOOP, _s.Open("/a/dangling", OpenFlags.O_NOFOLLOW).Error);
        Assert.Equal(Errno.ELOOP, _s.Open("/a/loop1", OpenFlags.O_CREAT).Error);
        Assert.Equal(Errno.EISDIR, _s.Open("/a/new/", OpenFlags.O_CREAT).Error);
        Assert.Equal(Errno.EISDIR, _s.Open("/a", OpenFlags.O_CREAT).Error);
        Assert.Equal(Errno.EISDIR, _s.Open("/a", OpenFlags.O_WRONLY).Error);
        Assert.Equal(Errno.ENOTDIR, _s.Open("/a/b/file", OpenFlags.O_DIRECTORY).Error);
    }

    [Fact]
    public void Directory_descriptors_are_where_relative_paths_start()
    {
        int fd = _s.MustOpen("/a", OpenFlags.O_PATH);
        var result = OpenClose.OpenAt(_s.Thread, fd, _s.Path("b/file"), OpenFlags.O_RDONLY, 0);
        Assert.False(result.IsError);
        Assert.Equal("content", _s.Read((int)result.Value));
        Assert.Equal(Errno.EBADF, OpenClose.OpenAt(_s.Thread, 99, _s.Path("b/file"), OpenFlags.O_RDONLY, 0).Error);
        Assert.False(OpenClose.OpenAt(_s.Thread, 99, _s.Path("/a/b/file"), OpenFlags.O_RDONLY, 0).IsError);
        Assert.Equal(Errno.ENOTDIR, OpenClose.OpenAt(_s.Thread, (int)result.Value, _s.Path("x"), OpenFlags.O_RDONLY, 0).Error);
        Assert.Equal(Errno.EBADF, ReadWrite.Read(_s.Thread, fd, _s.Allocate(8), 8).Error);
    }

    [Fact]
    public void Search_permission_is_needed_all_the_way()
    {
        Assert.Equal("secret", _s.ReadFile("/secret/file"));
        _s.BecomeUser(1000);
        Assert.Equal(Errno.EACCES, _s.Stat("/secret/file", out _));
        Assert.Equal(Errno.EACCES, _s.Stat("/secret/../a", out _));
        Assert.Equal(Errno.EACCES, _s.Open("/a/new", OpenFlags.O_CREAT | OpenFlags.O_WRONLY).Error);
        Assert.Equal(Errno.EACCES, _s.Open("/a/b/file", OpenFlags.O_RDWR).Error);
        Assert.Equal("content", _s.ReadFile("/a/b/file"));
    }

    [Fact]
    public void Getcwd_follows_renames_and_sees_removal()
    {
        _s.MakeDirectory("/tmp/x");
        _s.MakeDirectory("/tmp/x/y");
        Assert.Equal(Errno.None, Directories.ChDir(_s.Thread, _s.Path("/tmp/x/y")).Error);
        Assert.Equal("/tmp/x/y", Cwd());
        GC.Collect();
        Assert.Equal(Errno.None, Links.Rename(_s.Thread, _s.Path("/tmp/x"), _s.Path("/tmp/z")).Error);
        Assert.Equal("/tmp/z/y", Cwd());
        Assert.Equal(Errno.None, Directories.RmDir(_s.Thread, _s.Path("/tmp/z/y")).Error);
        Assert.Equal(Errno.ENOENT, Directories.GetCwd(_s.Thread, _s.Allocate(100), 100).Error);
        Assert.Equal(Errno.ENOENT, _s.Open("new", OpenFlags.O_CREAT | OpenFlags.O_WRONLY).Error);
        Assert.Equal(Errno.None, _s.Stat("..", out _));
    }

    [Fact]
    public void Chroot_keeps_dot_dot_inside()
    {
        Assert.Equal(Errno.None, Directories.ChRoot(_s.Thread, _s.Path("/a")).Error);
        Assert.Equal(Errno.None, Directories.ChDir(_s.Thread, _s.Path("/b")).Error);
        Assert.Equal("/b", Cwd());
        Assert.Equal(Errno.None, _s.Stat("../../../b/file", out _));
        Assert.Equal(Errno.ENOENT, _s.Stat("../../a", out _));
        Assert.Equal(Errno.ENOENT, _s.Stat("/absolute", out _));
    }

    [Fact]
    public void Dot_dot_crosses_mounts()
    {
        Assert.Equal(_s.MustStat("/").st_ino, _s.MustStat("/proc/..").st_ino);
        Assert.Equal(_s.MustStat("/dev").st_ino, _s.MustStat("/dev/shm/..").st_ino);
        Assert.NotEqual(_s.MustStat("/").st_dev, _s.MustStat("/dev").st_dev);
        Assert.Equal(Errno.EXDEV, Links.Rename(_s.Thread, _s.Path("/a/b/file"), _s.Path("/dev/shm/file")).Error);
        Assert.Equal(Errno.EBUSY, Directories.RmDir(_s.Thread, _s.Path("/proc")).Error);
    }

    [Fact]
    public void Beneath_refuses_to_leave()
    {
        int fd = _s.MustOpen("/a", OpenFlags.O_PATH | OpenFlags.O_DIRECTORY);
        Assert.Equal(Errno.EXDEV, Open2(fd, "../secret", ResolveFlags.RESOLVE_BENEATH));
        Assert.Equal(Errno.EXDEV, Open2(fd, "absolute", ResolveFlags.RESOLVE_BENEATH));
        Assert.Equal(Errno.None, Open2(fd, "to-b/../b/file", ResolveFlags.RESOLVE_BENEATH));
        Assert.Equal(Errno.None, Open2(fd, "/../b/file", ResolveFlags.RESOLVE_IN_ROOT));
        Assert.Equal(Errno.ELOOP, Open2(fd, "to-b/file", ResolveFlags.RESOLVE_NO_SYMLINKS));
    }

    private Errno Open2(int dirfd, string path, ResolveFlags resolve)
    {
        var how = _s.Put(new OpenHow { resolve = (ulong)resolve });
        return OpenClose.OpenAt2(_s.Thread, dirfd, _s.Path(path), how, 24).Error;
    }

    private string Cwd()
    {
        var buffer = _s.Allocate(4096);
        var result = Directories.GetCwd(_s.Thread, buffer, 4096);
        Assert.False(result.IsError, result.Error.ToString());
        return System.Text.Encoding.Latin1.GetString(_s.Get(buffer, (int)result.Value - 1));
    }
}
