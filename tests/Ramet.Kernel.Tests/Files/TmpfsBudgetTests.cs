using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Files;

/// <summary>All file systems in memory share one budget of names and inodes.</summary>
public sealed class TmpfsBudgetTests
{
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public TmpfsBudgetTests() => _a = _sandbox.NewProcess();

    private TmpfsBudget Budget => _sandbox.Kernel.TmpfsBudget;

    [Fact]
    public void Another_mount_gives_no_more_names()
    {
        // 64 MiB of memory: 16384 inodes for all mounts.
        Assert.Equal(16384, Budget.MaximumInodes);
        int made = 0;
        Errno error = Errno.None;
        for (int mount = 0; mount < 3; mount++)
        {
            string top = $"/tmp/m{mount}";
            if (_a.Call(SyscallNumber.mkdir, Text(top), 0x1FF) < 0) break;
            _a.Ok(SyscallNumber.mount, Text("none"), Text(top), Text("tmpfs"), 0, 0);
            for (int i = 0; i < 10000; i++)
            {
                error = (Errno)(-_a.Call(SyscallNumber.mkdir, Text($"{top}/{i}"), 0x1FF));
                if (error != Errno.None) break;
                made++;
            }
        }

        Assert.Equal(Errno.ENOSPC, error);
        Assert.InRange(made, 16000, 16384);
        Assert.Equal(Budget.MaximumInodes, Budget.Inodes);
        _a.Ok(SyscallNumber.rmdir, Text("/tmp/m1/0"));
        _a.Ok(SyscallNumber.mkdir, Text("/tmp/m0/x"), 0x1FF);
    }

    [Fact]
    public void A_snapshot_keeps_what_is_used()
    {
        _a.Ok(SyscallNumber.mkdir, Text("/tmp/m"), 0x1FF);
        _a.Ok(SyscallNumber.mount, Text("none"), Text("/tmp/m"), Text("tmpfs"), 0, 0);
        _a.Ok(SyscallNumber.symlink, Text("somewhere"), Text("/tmp/m/link"));
        var copy = _sandbox.Reload();
        Assert.Equal((Budget.Inodes, Budget.Bytes), (copy.Kernel.TmpfsBudget.Inodes, copy.Kernel.TmpfsBudget.Bytes));
        long inodes = Budget.Inodes;
        _a.In(copy).Ok(SyscallNumber.unlink, Text("/tmp/m/link"));
        Assert.Equal(inodes - 1, copy.Kernel.TmpfsBudget.Inodes);
        Assert.Equal(inodes, Budget.Inodes);
    }

    [Fact]
    public void A_rename_with_a_whiteout_that_finds_no_inode_takes_nothing()
    {
        _a.Close(_a.Ok(SyscallNumber.creat, Text("/tmp/file"), 0x1B6));
        for (int i = 0; _a.Call(SyscallNumber.mkdir, Text($"/tmp/{i}"), 0x1FF) == 0; i++)
        {
        }

        long bytes = Budget.Bytes;
        for (int i = 0; i < 3; i++)
            _a.Fails(Errno.ENOSPC, SyscallNumber.renameat2, -100, Text("/tmp/file"), -100, Text("/tmp/other"), (long)RenameFlags.RENAME_WHITEOUT);
        Assert.Equal(bytes, Budget.Bytes);
    }

    [Fact]
    public void The_list_of_an_open_directory_is_charged_until_its_end_or_its_close()
    {
        var listings = _sandbox.Kernel.Listings;
        long before = listings.Used;
        _a.Ok(SyscallNumber.mkdir, Text("/tmp/d"), 0x1FF);
        for (int i = 0; i < 100; i++) _a.Ok(SyscallNumber.mkdir, Text($"/tmp/d/{i}"), 0x1FF);
        int fd = _a.Ok(SyscallNumber.open, Text("/tmp/d"), 0, 0);
        long buffer = _a.Allocate(4096);
        int Read(int size) => _a.Ok(SyscallNumber.getdents64, fd, buffer, size);
        Read(64);
        Assert.True(listings.Used >= before + 6400);
        while (Read(4096) > 0) Assert.True(listings.Used > before);
        Assert.Equal(before, listings.Used);
        Assert.Equal(0, Read(4096));

        // After a seek the list is there again, and through a snapshot.
        Assert.Equal(100, _a.Ok(SyscallNumber.lseek, fd, 100, 0));
        Assert.True(Read(4096) > 0);
        Assert.Equal(0, _a.Ok(SyscallNumber.lseek, fd, 0, 0));
        Assert.True(Read(4096) > 0);
        Assert.Equal(listings.Used, _sandbox.Reload().Kernel.Listings.Used);
        _a.Close(fd);
        Assert.Equal(before, listings.Used);

        fd = _a.Ok(SyscallNumber.open, Text("/tmp/d"), 0, 0);
        listings.Limit = before + 1000;
        _a.Fails(Errno.ENOMEM, SyscallNumber.getdents64, fd, buffer, 4096);
        Assert.Equal(before, listings.Used);
    }

    [Fact]
    public void Names_come_and_go_many_times()
    {
        _a.Ok(SyscallNumber.mkdir, Text("/tmp/d"), 0x1FF);
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 300; i++) _a.Ok(SyscallNumber.mkdir, Text($"/tmp/d/{i}"), 0x1FF);
            for (int i = 0; i < 299; i++) _a.Ok(SyscallNumber.rmdir, Text($"/tmp/d/{i}"));
            _a.Fails(Errno.ENOTEMPTY, SyscallNumber.rmdir, Text("/tmp/d"));
            _a.Ok(SyscallNumber.rmdir, Text("/tmp/d/299"));
        }

        _a.Ok(SyscallNumber.rmdir, Text("/tmp/d"));
    }

    private long Text(string text) => _a.Reuse(Encoding.ASCII.GetBytes(text + "\0"));
}
