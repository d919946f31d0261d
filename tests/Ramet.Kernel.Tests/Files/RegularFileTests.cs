using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public class RegularFileTests
{
    private readonly FakeSandbox _s = new();

    [Fact]
    public void What_is_written_is_read_back_through_every_call()
    {
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        Assert.Equal(5, _s.Write(fd, "hello").Value);
        Assert.Equal(6, ReadWrite.PWrite64(_s.Thread, fd, _s.Put(" world"u8), 6, 5).Value);
        Assert.Equal(5, ReadWrite.LSeek(_s.Thread, fd, 0, SeekWhence.SEEK_CUR).Value);
        Assert.Equal(" world", _s.Read(fd));
        Assert.Equal("", _s.Read(fd));
        var buffer = _s.Allocate(16);
        var vectors = _s.Put<IoVec>(default);
        _s.Allocate(32);
        _s.Thread.Memory.User.TryWrite(vectors, new IoVec { iov_base = buffer.Value, iov_len = 3 });
        _s.Thread.Memory.User.TryWrite(vectors + 16, new IoVec { iov_base = buffer.Value + 8, iov_len = 4 });
        Assert.Equal(7, ReadWrite.PReadV(_s.Thread, fd, vectors, 2, 0).Value);
        Assert.Equal("hel"u8.ToArray(), _s.Get(buffer, 3));
        Assert.Equal("lo w"u8.ToArray(), _s.Get(buffer + 8, 4));
        Assert.Equal(Errno.EINVAL, ReadWrite.ReadV(_s.Thread, fd, vectors, -1).Error);
        Assert.Equal(Errno.EFAULT, ReadWrite.PRead64(_s.Thread, fd, new UserAddress(8), 4, 0).Error);
    }

    [Fact]
    public void Append_always_writes_at_the_end()
    {
        _s.WriteFile("/tmp/f", "abc");
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_APPEND);
        int other = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_APPEND);
        _s.Write(fd, "1");
        _s.Write(other, "2");
        _s.Write(fd, "3");
        Assert.Equal(6, ReadWrite.LSeek(_s.Thread, fd, 0, SeekWhence.SEEK_CUR).Value);
        Assert.Equal("abc123", _s.ReadFile("/tmp/f"));
    }

    [Fact]
    public void Holes_read_as_zero_and_are_found_by_seek()
    {
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        ReadWrite.PWrite64(_s.Thread, fd, _s.Put("x"u8), 1, 100 * 4096);
        Assert.Equal((100 * 4096) + 1, _s.MustStat("/tmp/f").st_size);
        Assert.Equal(8, _s.MustStat("/tmp/f").st_blocks);
        Assert.Equal(100 * 4096, ReadWrite.LSeek(_s.Thread, fd, 0, SeekWhence.SEEK_DATA).Value);
        Assert.Equal(0, ReadWrite.LSeek(_s.Thread, fd, 0, SeekWhence.SEEK_HOLE).Value);
        Assert.Equal((100 * 4096) + 1, ReadWrite.LSeek(_s.Thread, fd, 100 * 4096, SeekWhence.SEEK_HOLE).Value);
        Assert.Equal(Errno.ENXIO, ReadWrite.LSeek(_s.Thread, fd, (100 * 4096) + 1, SeekWhence.SEEK_DATA).Error);
        ReadWrite.LSeek(_s.Thread, fd, 4095, SeekWhence.SEEK_SET);
        Assert.Equal(new string('\0', 10), _s.Read(fd, 10));
    }

    [Fact]
    public void A_huge_sparse_file_is_served_in_little_time()
    {
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        long far = 1L << 60;
        Assert.Equal(1, ReadWrite.PWrite64(_s.Thread, fd, _s.Put("x"u8), 1, 0).Value);
        Assert.Equal(1, ReadWrite.PWrite64(_s.Thread, fd, _s.Put("y"u8), 1, far).Value);
        Assert.Equal(far, ReadWrite.LSeek(_s.Thread, fd, 4096, SeekWhence.SEEK_DATA).Value);
        Assert.Equal(0, Descriptors.FAllocate(_s.Thread, fd, FallocateMode.FALLOC_FL_PUNCH_HOLE | FallocateMode.FALLOC_FL_KEEP_SIZE, 0, far).Value);
        Assert.Equal(8, _s.MustStat("/tmp/f").st_blocks);
        Assert.Equal(0, Descriptors.FTruncate(_s.Thread, fd, 1).Value);
        Assert.Equal(0, _s.MustStat("/tmp/f").st_blocks);
    }

    [Fact]
    public void The_content_of_an_unlinked_file_lives_until_the_last_close()
    {
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        _s.Write(fd, new string('x', 100000));
        ulong before = _s.Kernel.Frames.UsedBytes;
        Assert.Equal(0, Links.Unlink(_s.Thread, _s.Path("/tmp/f")).Value);
        int copy = (int)Descriptors.Dup(_s.Thread, fd).Value;
        _s.Close(fd);
        Assert.Equal(before, _s.Kernel.Frames.UsedBytes);
        ReadWrite.LSeek(_s.Thread, copy, 99999, SeekWhence.SEEK_SET);
        Assert.Equal("x", _s.Read(copy));
        _s.Close(copy);
        Assert.Equal(before - (25 * 4096), _s.Kernel.Frames.UsedBytes);
    }

    [Fact]
    public void A_full_memory_gives_a_short_write_and_then_ENOSPC_and_is_usable_again_after_removal()
    {
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        var buffer = _s.Allocate(1 << 19);
        long total = 0;
        SyscallResult result;
        do
        {
            result = ReadWrite.Write(_s.Thread, fd, buffer, 1 << 19);
            if (!result.IsError) total += result.Value;
        }
        while (!result.IsError && total < 1L << 30);
        Assert.Equal(Errno.ENOSPC, result.Error);
        Assert.InRange(total, 20 << 20, 32 << 20);
        Assert.Equal(Errno.ENOSPC, Descriptors.FAllocate(_s.Thread, fd, FallocateMode.None, total, 1L << 40).Error);
        Assert.Equal(0, Descriptors.FTruncate(_s.Thread, fd, 0).Value);
        Assert.Equal(5, _s.Write(fd, "again").Value);
    }

    [Fact]
    public void RLIMIT_FSIZE_cuts_a_write_short_and_then_gives_EFBIG()
    {
        _s.Thread.Process.ResourceLimits.Set(ResourceLimit.RLIMIT_FSIZE, 10, 10);
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        Assert.Equal(10, _s.Write(fd, new string('x', 20)).Value);
        Assert.Equal(Errno.EFBIG, _s.Write(fd, "y").Error);
        Assert.Equal(Errno.EFBIG, Descriptors.FTruncate(_s.Thread, fd, 11).Error);
        Assert.NotEqual(0UL, _s.Thread.Pending.Mask & (1UL << 24));
    }

    [Fact]
    public void A_shared_mapping_and_write_see_each_other()
    {
        int fd = _s.MustOpen("/tmp/f", OpenFlags.O_RDWR | OpenFlags.O_CREAT);
        Descriptors.FTruncate(_s.Thread, fd, 8192);
        var map = MemoryMapping.Mmap(_s.Thread, default, 8192, MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE, MappingFlags.MAP_SHARED, fd, 0);
        Assert.False(map.IsError, map.Error.ToString());
        var address = new UserAddress((ulong)map.Value);
        Assert.Equal(new byte[4], _s.Get(address + 4096, 4));
        ReadWrite.PWrite64(_s.Thread, fd, _s.Put("disk"u8), 4, 4096);
        Assert.Equal("disk"u8.ToArray(), _s.Get(address + 4096, 4));
        Assert.Equal(3, _s.Thread.Memory.User.Write(address, "mem"u8));
        Assert.Equal("mem", _s.Read(fd, 3));
        Descriptors.FTruncate(_s.Thread, fd, 4096);
        Assert.Equal(0, _s.Thread.Memory.User.Read(address + 4096, new byte[1]));
    }

    [Fact]
    public void A_mapping_of_an_image_file_sees_a_later_write()
    {
        var s = new FakeSandbox(new FakeImage().File("/lib/x", new string('a', 6000)));
        int fd = s.MustOpen("/lib/x", OpenFlags.O_RDWR);
        var map = MemoryMapping.Mmap(s.Thread, default, 8192, MemoryProtection.PROT_READ, MappingFlags.MAP_SHARED, fd, 0);
        var address = new UserAddress((ulong)map.Value);
        Assert.Equal("aa"u8.ToArray(), s.Get(address + 4096, 2));
        ReadWrite.PWrite64(s.Thread, fd, s.Put("b"u8), 1, 4096);
        Assert.Equal("ba"u8.ToArray(), s.Get(address + 4096, 2));
        s.Close(fd);
        GC.Collect();

        // The mapping alone keeps the file: a new write is still seen.
        s.WriteFile("/lib/x", "c");
        Assert.Equal("c"u8.ToArray(), s.Get(address, 1));
    }

    [Fact]
    public void O_TMPFILE_has_no_name_until_it_is_linked()
    {
        int fd = _s.MustOpen("/tmp", OpenFlags.O_TMPFILE | OpenFlags.O_RDWR);
        _s.Write(fd, "data");
        Assert.Empty(_s.List("/tmp"));
        Assert.Equal(Errno.None, Links.LinkAt(_s.Thread, fd, _s.Path(""), PathArguments.CurrentDirectory, _s.Path("/tmp/named"), AtFlags.AT_EMPTY_PATH).Error);
        Assert.Equal("data", _s.ReadFile("/tmp/named"));
        Assert.Equal(Errno.EINVAL, _s.Open("/tmp", OpenFlags.O_TMPFILE).Error);
        Assert.Equal(Errno.ENOTDIR, _s.Open("/tmp/named", OpenFlags.O_TMPFILE | OpenFlags.O_RDWR).Error);
    }

    [Fact]
    public void Names_are_charged_so_that_a_sandbox_cannot_fill_the_host()
    {
        var s = new FakeSandbox(memory: 8 << 20);
        int made = 0;
        Errno error;
        do
        {
            error = s.MakeDirectory($"/tmp/{made:D200}").Error;
            if (error == Errno.None) made++;
        }
        while (error == Errno.None && made < 100_000);
        Assert.Equal(Errno.ENOSPC, error);
        Assert.InRange(made, 500, 10_000);
        Assert.Equal(Errno.None, Directories.RmDir(s.Thread, s.Path($"/tmp/{0:D200}")).Error);
        Assert.Equal(Errno.None, s.MakeDirectory("/tmp/again").Error);
    }
}
