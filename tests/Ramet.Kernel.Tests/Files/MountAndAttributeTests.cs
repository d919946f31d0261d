using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public class MountAndAttributeTests
{
    private readonly FakeSandbox _s = new(new FakeImage().File("/data/file", "image").Directory("/mnt"));

    [Fact]
    public void A_tmpfs_hides_what_is_below_until_it_is_unmounted()
    {
        Assert.Equal(Errno.None, Mount("tmpfs", "/data", "tmpfs", MountFlags.None, "mode=0700,size=1m"));
        Assert.Empty(_s.List("/data"));
        Assert.Equal(0x41C0u, _s.MustStat("/data").st_mode);
        _s.WriteFile("/data/new", "x");
        int fd = _s.MustOpen("/data/new");
        Assert.Equal(Errno.EBUSY, Unmount("/data"));
        _s.Close(fd);
        Assert.Equal(Errno.None, Unmount("/data"));
        Assert.Equal(["file"], _s.List("/data"));
        Assert.Equal(Errno.EINVAL, Unmount("/data"));
        Assert.Equal(Errno.ENODEV, Mount("x", "/data", "ext4", MountFlags.None));
        _s.BecomeUser(1000);
        Assert.Equal(Errno.EPERM, Mount("tmpfs", "/data", "tmpfs", MountFlags.None));
    }

    [Fact]
    public void A_bind_mount_shows_the_same_files_and_can_be_read_only()
    {
        Assert.Equal(Errno.None, Mount("/data", "/mnt", "none", MountFlags.MS_BIND));
        Assert.Equal("image", _s.ReadFile("/mnt/file"));
        Assert.Equal(_s.MustStat("/data/file").st_ino, _s.MustStat("/mnt/file").st_ino);
        _s.WriteFile("/mnt/two", "2");
        Assert.Equal("2", _s.ReadFile("/data/two"));
        Assert.Equal(0, Links.Unlink(_s.Thread, _s.Path("/data/two")).Value);
        Assert.Equal(Errno.ENOENT, _s.Stat("/mnt/two", out _));
        Assert.Equal(Errno.None, Mount("none", "/mnt", "none", MountFlags.MS_REMOUNT | MountFlags.MS_BIND | MountFlags.MS_RDONLY));
        Assert.Equal(Errno.EROFS, _s.Open("/mnt/x", OpenFlags.O_CREAT | OpenFlags.O_WRONLY).Error);
        Assert.Equal(Errno.EROFS, _s.Open("/mnt/file", OpenFlags.O_RDWR).Error);
        Assert.Equal(Errno.EROFS, Links.Unlink(_s.Thread, _s.Path("/mnt/file")).Error);
        _s.WriteFile("/data/file", "changed");
        Assert.Equal("changed", _s.ReadFile("/mnt/file"));
        Assert.Equal(_s.MustStat("/").st_ino, _s.MustStat("/mnt/..").st_ino);
    }

    [Fact]
    public void Attributes_are_set_listed_and_removed()
    {
        Assert.Equal(Errno.None, Set("/data/file", "user.a", "one"));
        Assert.Equal(Errno.EEXIST, Set("/data/file", "user.a", "two", XattrFlags.XATTR_CREATE));
        Assert.Equal(Errno.ENODATA, Set("/data/file", "user.b", "two", XattrFlags.XATTR_REPLACE));
        Assert.Equal(Errno.EOPNOTSUPP, Set("/data/file", "system.posix_acl_access", "x"));
        GC.Collect();
        var buffer = _s.Allocate(64);
        Assert.Equal(3, ExtendedAttributes.GetXAttr(_s.Thread, _s.Path("/data/file"), _s.Path("user.a"), buffer, 64).Value);
        Assert.Equal("one"u8.ToArray(), _s.Get(buffer, 3));
        Assert.Equal(Errno.ERANGE, ExtendedAttributes.GetXAttr(_s.Thread, _s.Path("/data/file"), _s.Path("user.a"), buffer, 2).Error);
        Assert.Equal(3, ExtendedAttributes.GetXAttr(_s.Thread, _s.Path("/data/file"), _s.Path("user.a"), buffer, 0).Value);
        Assert.Equal(7, ExtendedAttributes.ListXAttr(_s.Thread, _s.Path("/data/file"), buffer, 64).Value);
        Assert.Equal(0, ExtendedAttributes.RemoveXAttr(_s.Thread, _s.Path("/data/file"), _s.Path("user.a")).Value);
        Assert.Equal(Errno.ENODATA, ExtendedAttributes.GetXAttr(_s.Thread, _s.Path("/data/file"), _s.Path("user.a"), buffer, 64).Error);
        Assert.Equal(Errno.EOPNOTSUPP, Set("/proc/version", "user.a", "x"));
    }

    [Fact]
    public void A_sealed_memfd_refuses_what_it_is_sealed_against()
    {
        int fd = (int)Mounting.MemfdCreate(_s.Thread, _s.Path("name"), MemfdFlags.MFD_ALLOW_SEALING).Value;
        Assert.Equal(4, _s.Write(fd, "data").Value);
        Assert.Equal(0, Seal(fd, FileSeals.F_SEAL_GROW | FileSeals.F_SEAL_SHRINK).Value);
        Assert.Equal(Errno.EPERM, Descriptors.FTruncate(_s.Thread, fd, 3).Error);
        Assert.Equal(Errno.EPERM, Descriptors.FTruncate(_s.Thread, fd, 5).Error);
        Assert.Equal(Errno.EPERM, _s.Write(fd, "x").Error);
        Assert.Equal(1, ReadWrite.PWrite64(_s.Thread, fd, _s.Put("D"u8), 1, 0).Value);

        var map = MemoryMapping.Mmap(_s.Thread, default, 4096, MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE, MappingFlags.MAP_SHARED, fd, 0);
        Assert.Equal(Errno.EBUSY, Seal(fd, FileSeals.F_SEAL_WRITE).Error);
        Assert.Equal(0, MemoryMapping.Munmap(_s.Thread, new UserAddress((ulong)map.Value), 4096).Value);
        Assert.Equal(0, Seal(fd, FileSeals.F_SEAL_WRITE | FileSeals.F_SEAL_SEAL).Value);
        Assert.Equal(Errno.EPERM, ReadWrite.PWrite64(_s.Thread, fd, _s.Put("D"u8), 1, 0).Error);
        Assert.Equal(Errno.EPERM, Seal(fd, FileSeals.F_SEAL_WRITE).Error);
        Assert.Equal(15, Descriptors.Fcntl(_s.Thread, fd, FcntlCommand.F_GET_SEALS, 0).Value);
        Assert.Equal("/memfd:name (deleted)", ReadLink($"/proc/self/fd/{fd}"));
        Assert.Equal("Data", _s.ReadFile($"/proc/self/fd/{fd}"));

        ulong used = _s.Kernel.Frames.UsedBytes;
        _s.Close(fd);
        Assert.True(_s.Kernel.Frames.UsedBytes < used);
    }

    [Fact]
    public void Sendfile_and_copy_file_range_copy()
    {
        string text = string.Concat(Enumerable.Range(0, 20000).Select(i => $"{i},"));
        _s.WriteFile("/tmp/a", text);
        int from = _s.MustOpen("/tmp/a");
        int to = _s.MustOpen("/tmp/b", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        Assert.Equal(text.Length, Transfers.SendFile(_s.Thread, to, from, default, 1 << 20).Value);
        Assert.Equal(text, _s.ReadFile("/tmp/b"));
        Assert.Equal(0, Transfers.SendFile(_s.Thread, to, from, default, 100).Value);
        var offset = _s.Put(10L);
        Assert.Equal(5, Transfers.CopyFileRange(_s.Thread, from, offset, to, default, 5, 0).Value);
        Assert.Equal(15, _s.Get<long>(offset));
        Assert.Equal(text + text[10..15], _s.ReadFile("/tmp/b"));
        Assert.Equal(Errno.EINVAL, Transfers.CopyFileRange(_s.Thread, to, _s.Put(0L), to, _s.Put(5L), 10, 0).Error);
    }

    [Fact]
    public void Sendfile_to_a_full_pipe_goes_on_where_it_stopped()
    {
        string text = string.Concat(Enumerable.Range(0, 40000).Select(i => $"{i},"));
        _s.WriteFile("/tmp/a", text);
        int from = _s.MustOpen("/tmp/a");
        Links.MkNod(_s.Thread, _s.Path("/tmp/fifo"), 0x11B6, 0);
        int reader = _s.MustOpen("/tmp/fifo", OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK);
        int writer = _s.MustOpen("/tmp/fifo", OpenFlags.O_WRONLY);
        var received = new StringBuilder();
        var result = Transfers.SendFile(_s.Thread, writer, from, default, 1 << 20);
        while (result.IsBlocked)
        {
            received.Append(_s.Read(reader, 30000));
            _s.Thread.StopWaiting();
            result = Transfers.SendFile(_s.Thread, writer, from, default, 1 << 20);
        }

        Assert.Equal(text.Length, result.Value);
        while (received.Length < text.Length) received.Append(_s.Read(reader));
        Assert.Equal(text, received.ToString());
    }

    [Fact]
    public void State_survives_saving_and_loading()
    {
        _s.WriteFile("/data/file", "changed");
        _s.WriteFile("/tmp/new", "new");
        Links.Rename(_s.Thread, _s.Path("/data"), _s.Path("/tmp/data"));
        int fd = _s.MustOpen("/tmp/data/file");
        _s.Read(fd, 3);
        Directories.ChDir(_s.Thread, _s.Path("/tmp/data"));
        _s.Thread.State = Processes.ThreadState.Blocked;

        byte[] saved = _s.Kernel.Save();
        var restored = Kernel.Load(new KernelPorts(_s.Machine, _s.Clock, new FakeRandom(), new FakeHost(), _s.Image), saved);
        restored.Begin();
        var copy = _s.On(restored);
        Assert.Equal("nged", copy.Read(fd));
        Assert.Equal("changed", copy.ReadFile("file"));
        Assert.Equal("new", copy.ReadFile("../new"));
        Assert.Equal("/tmp/data", ReadLink("/proc/self/cwd", copy));
        Assert.Equal(Errno.ENOENT, copy.Stat("/data", out _));
        Assert.Equal(_s.MustStat("/tmp/data/file").st_ino, copy.MustStat("/tmp/data/file").st_ino);
    }

    private SyscallResult Seal(int fd, FileSeals seals) => Descriptors.Fcntl(_s.Thread, fd, FcntlCommand.F_ADD_SEALS, (ulong)seals);

    private Errno Set(string path, string name, string value, XattrFlags flags = XattrFlags.None) => ExtendedAttributes.SetXAttr(
        _s.Thread, _s.Path(path), _s.Path(name), _s.Put(Encoding.Latin1.GetBytes(value)), (ulong)value.Length, flags).Error;

    private Errno Mount(string source, string target, string type, MountFlags flags, string data = "") =>
        Mounting.Mount(_s.Thread, _s.Path(source), _s.Path(target), _s.Path(type), flags, _s.Path(data).Address).Error;

    private Errno Unmount(string path) => Mounting.Unmount2(_s.Thread, _s.Path(path), UnmountFlags.None).Error;

    private string ReadLink(string path, FakeSandbox? sandbox = null)
    {
        var s = sandbox ?? _s;
        var buffer = s.Allocate(256);
        var result = Links.ReadLink(s.Thread, s.Path(path), buffer, 256);
        Assert.False(result.IsError, result.Error.ToString());
        return Encoding.Latin1.GetString(s.Get(buffer, (int)result.Value));
    }
}
