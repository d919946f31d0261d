using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Files;

/// <summary>Record locks are objects of the host, so there is a limit in every way to make one.</summary>
public sealed class FileLockLimitTests
{
    private TestSandbox _sandbox = new();
    private TestThread _a;
    private readonly long _request;

    public FileLockLimitTests()
    {
        _a = _sandbox.NewProcess();
        _request = _a.Put(default(Flock));
    }

    [Fact]
    public void Unlocking_inside_a_lock_makes_two_of_it_up_to_the_limit()
    {
        int fd = Open("/tmp/a");
        Assert.Equal(Errno.None, Lock(fd, FileLockType.F_WRLCK, 0, 0));
        int holes = 0;
        Errno error;
        while ((error = Lock(fd, FileLockType.F_UNLCK, (2 * holes) + 1, 1)) == Errno.None) holes++;
        Assert.Equal(Errno.ENOLCK, error);
        Assert.Equal(FileLockList.MaximumPerFile - 1, holes);
        Assert.Equal(FileLockList.MaximumPerFile, _sandbox.Kernel.FileLocks);

        // What makes no lock more still works, and so does a close.
        Assert.Equal(Errno.None, Lock(fd, FileLockType.F_UNLCK, 0, 1));
        Assert.Equal(FileLockList.MaximumPerFile - 1, _sandbox.Kernel.FileLocks);
        _a.Close(Open("/tmp/a"));
        Assert.Equal(0, _sandbox.Kernel.FileLocks);
    }

    [Fact]
    public void Locks_of_all_files_together_are_limited_and_counted_through_a_snapshot()
    {
        // Of 65536, all but ten are taken by others.
        const int Left = 10;
        _sandbox.Kernel.FileLocks = FileLockList.MaximumPerSandbox - Left;
        int[] files = [Open("/tmp/a"), Open("/tmp/b")];
        int made = 0;
        Errno error = Errno.None;
        for (int i = 0; error == Errno.None; i++)
            if ((error = Lock(files[i % 2], FileLockType.F_WRLCK, i * 2, 1)) == Errno.None) made++;

        Assert.Equal((Errno.ENOLCK, Left), (error, made));
        _a.Fails(Errno.ENOLCK, SyscallNumber.flock, files[^1], (long)FlockOperation.LOCK_SH);
        _sandbox = _sandbox.Reload();
        _a = _a.In(_sandbox);
        Assert.Equal(FileLockList.MaximumPerSandbox, _sandbox.Kernel.FileLocks);
        foreach (int fd in files) _a.Close(fd);
        Assert.Equal(FileLockList.MaximumPerSandbox - Left, _sandbox.Kernel.FileLocks);
    }

    [Fact]
    public void Flock_and_leases_come_and_go_with_their_description()
    {
        int fd = Open("/tmp/a");
        _a.Ok(SyscallNumber.flock, fd, (long)FlockOperation.LOCK_SH);
        _a.Ok(SyscallNumber.flock, fd, (long)FlockOperation.LOCK_EX);
        Assert.Equal(1, _sandbox.Kernel.FileLocks);
        _a.Close(fd);
        Assert.Equal(0, _sandbox.Kernel.FileLocks);
    }

    [Fact]
    public void Setting_within_a_lock_of_the_other_kind_leaves_three()
    {
        int fd = Open("/tmp/a");
        Assert.Equal(Errno.None, Lock(fd, FileLockType.F_WRLCK, 0, 100));
        Assert.Equal(Errno.None, Lock(fd, FileLockType.F_RDLCK, 40, 20));
        Assert.Equal(3, _sandbox.Kernel.FileLocks);
        Assert.Equal(Errno.None, Lock(fd, FileLockType.F_WRLCK, 40, 20));
        Assert.Equal(1, _sandbox.Kernel.FileLocks);
        var held = Assert.Single(_a.Thread.Files.Get(fd)!.Inode.Locks!.Held);
        Assert.Equal((0, 99, true), (held.Start, held.End, held.IsExclusive));
    }

    private int Open(string path) => _a.Ok(SyscallNumber.open, _a.Put(Encoding.ASCII.GetBytes(path + "\0")), (long)(OpenFlags.O_RDWR | OpenFlags.O_CREAT), 0x1B6);

    private Errno Lock(int fd, FileLockType type, long start, long length)
    {
        Assert.True(_a.Thread.Memory.User.TryWrite(new((ulong)_request), new Flock { l_type = (short)type, l_start = start, l_len = length }));
        return (Errno)(-_a.Call(SyscallNumber.fcntl, fd, (long)FcntlCommand.F_SETLK, _request));
    }
}
