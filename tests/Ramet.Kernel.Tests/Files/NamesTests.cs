using Ramet.Kernel.Files;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public class NamesTests
{
    private readonly FakeSandbox _s = new();

    [Fact]
    public void Rename_replaces_and_checks_types()
    {
        _s.WriteFile("/tmp/a", "a");
        _s.WriteFile("/tmp/b", "b");
        _s.MakeDirectory("/tmp/d");
        _s.MakeDirectory("/tmp/d/sub");
        _s.MakeDirectory("/tmp/e");
        Assert.Equal(Errno.None, Rename("/tmp/a", "/tmp/b"));
        Assert.Equal("a", _s.ReadFile("/tmp/b"));
        Assert.Equal(Errno.ENOENT, Rename("/tmp/a", "/tmp/b"));
        Assert.Equal(Errno.EISDIR, Rename("/tmp/b", "/tmp/e"));
        Assert.Equal(Errno.ENOTDIR, Rename("/tmp/d", "/tmp/b"));
        Assert.Equal(Errno.ENOTEMPTY, Rename("/tmp/e", "/tmp/d"));
        Assert.Equal(Errno.EINVAL, Rename("/tmp/d", "/tmp/d/sub/x"));
        Assert.Equal(Errno.ENOTEMPTY, Rename("/tmp/d/sub", "/tmp/d"));
        Assert.Equal(Errno.EBUSY, Rename("/tmp/d/.", "/tmp/x"));
        Assert.Equal(Errno.ENOTDIR, Rename("/tmp/b", "/tmp/c/"));
        Assert.Equal(3u, _s.MustStat("/tmp/d").st_nlink);
        Assert.Equal(Errno.None, Rename("/tmp/d/sub", "/tmp/e/sub"));
        Assert.Equal(2u, _s.MustStat("/tmp/d").st_nlink);
        Assert.Equal(3u, _s.MustStat("/tmp/e").st_nlink);
    }

    [Fact]
    public void Rename_flags_exchange_and_keep()
    {
        _s.WriteFile("/tmp/a", "a");
        _s.MakeDirectory("/tmp/d");
        Assert.Equal(Errno.EEXIST, Rename("/tmp/a", "/tmp/d", RenameFlags.RENAME_NOREPLACE));
        Assert.Equal(Errno.None, Rename("/tmp/a", "/tmp/d", RenameFlags.RENAME_EXCHANGE));
        Assert.Equal("a", _s.ReadFile("/tmp/d"));
        Assert.Empty(_s.List("/tmp/a"));
        Assert.Equal(Errno.ENOENT, Rename("/tmp/a", "/tmp/none", RenameFlags.RENAME_EXCHANGE));
        Assert.Equal(Errno.EINVAL, Rename("/tmp/a", "/tmp/d", RenameFlags.RENAME_EXCHANGE | RenameFlags.RENAME_NOREPLACE));
    }

    [Fact]
    public void Links_count_and_cannot_be_made_to_directories()
    {
        _s.WriteFile("/tmp/a", "a");
        Assert.Equal(Errno.None, Links.Link(_s.Thread, _s.Path("/tmp/a"), _s.Path("/tmp/b")).Error);
        Assert.Equal(2u, _s.MustStat("/tmp/a").st_nlink);
        Assert.Equal(_s.MustStat("/tmp/a").st_ino, _s.MustStat("/tmp/b").st_ino);
        Assert.Equal(Errno.EEXIST, Links.Link(_s.Thread, _s.Path("/tmp/a"), _s.Path("/tmp/b")).Error);
        Assert.Equal(Errno.EPERM, Links.Link(_s.Thread, _s.Path("/tmp"), _s.Path("/tmp/c")).Error);
        Assert.Equal(Errno.EXDEV, Links.Link(_s.Thread, _s.Path("/tmp/a"), _s.Path("/dev/shm/c")).Error);
        Assert.Equal(Errno.None, Links.Unlink(_s.Thread, _s.Path("/tmp/a")).Error);
        Assert.Equal("a", _s.ReadFile("/tmp/b"));
        Assert.Equal(Errno.EISDIR, Links.Unlink(_s.Thread, _s.Path("/tmp")).Error);
        Assert.Equal(Errno.ENOTDIR, Directories.RmDir(_s.Thread, _s.Path("/tmp/b")).Error);
        Assert.Equal(Errno.ENOTDIR, Links.Unlink(_s.Thread, _s.Path("/tmp/b/")).Error);
    }

    [Fact]
    public void Readlink_cuts_to_the_buffer()
    {
        Links.SymLink(_s.Thread, _s.Path("target"), _s.Path("/tmp/l"));
        var buffer = _s.Allocate(16);
        Assert.Equal(6, Links.ReadLink(_s.Thread, _s.Path("/tmp/l"), buffer, 16).Value);
        Assert.Equal("target"u8.ToArray(), _s.Get(buffer, 6));
        Assert.Equal(3, Links.ReadLink(_s.Thread, _s.Path("/tmp/l"), buffer, 3).Value);
        Assert.Equal(Errno.EINVAL, Links.ReadLink(_s.Thread, _s.Path("/tmp"), buffer, 16).Error);
        Assert.Equal(Errno.EINVAL, Links.ReadLink(_s.Thread, _s.Path("/tmp/l"), buffer, 0).Error);
    }

    [Fact]
    public void A_sticky_directory_protects_the_files_of_others()
    {
        _s.WriteFile("/tmp/mine", "x", 0x1B6);
        _s.BecomeUser(1000);
        Assert.Equal(Errno.EPERM, Links.Unlink(_s.Thread, _s.Path("/tmp/mine")).Error);
        Assert.Equal(Errno.EPERM, Rename("/tmp/mine", "/tmp/x"));
        _s.WriteFile("/tmp/own", "x");
        Assert.Equal(1000u, _s.MustStat("/tmp/own").st_uid);
        Assert.Equal(Errno.None, Links.Unlink(_s.Thread, _s.Path("/tmp/own")).Error);
        Assert.Equal(Errno.EPERM, Metadata.ChMod(_s.Thread, _s.Path("/tmp/mine"), 0x1FF).Error);
        Assert.Equal(Errno.EPERM, Metadata.ChOwn(_s.Thread, _s.Path("/tmp/mine"), 1000, 1000).Error);
    }

    [Fact]
    public void Names_removed_while_reading_a_directory_are_all_seen_once()
    {
        for (int i = 0; i < 300; i++) _s.WriteFile($"/tmp/{i:D4}", "");
        int fd = _s.MustOpen("/tmp", OpenFlags.O_DIRECTORY);
        var buffer = _s.Allocate(512);
        HashSet<string> seen = [];
        for (long got; (got = Directories.GetDents64(_s.Thread, fd, buffer, 512).Value) > 0;)
        {
            byte[] bytes = _s.Get(buffer, (int)got);
            for (int at = 0; at < bytes.Length; at += BitConverter.ToUInt16(bytes, at + 16))
            {
                string name = System.Text.Encoding.Latin1.GetString(bytes, at + 19, Array.IndexOf(bytes, (byte)0, at + 19) - at - 19);
                if (name is "." or "..") continue;
                Assert.True(seen.Add(name));
                Assert.Equal(0, Links.Unlink(_s.Thread, _s.Path("/tmp/" + name)).Value);
            }
        }

        Assert.Equal(300, seen.Count);
        Assert.Equal(Errno.EINVAL, Rewound(fd, 10));
        Assert.Empty(_s.List("/tmp"));
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_stay_as_they_are_in_names()
    {
        _s.WriteFile("/tmp/\u00FF\u0080\u0001", "x");
        Assert.Equal(["\u00FF\u0080\u0001"], _s.List("/tmp"));
    }

    private Errno Rewound(int fd, uint size)
    {
        ReadWrite.LSeek(_s.Thread, fd, 0, SeekWhence.SEEK_SET);
        return Directories.GetDents64(_s.Thread, fd, _s.Allocate(64), size).Error;
    }

    private Errno Rename(string from, string to, RenameFlags flags = RenameFlags.None) => Links.RenameAt2(
        _s.Thread, PathArguments.CurrentDirectory, _s.Path(from), PathArguments.CurrentDirectory, _s.Path(to), flags).Error;
}
