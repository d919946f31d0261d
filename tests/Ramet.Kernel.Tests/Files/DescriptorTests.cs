using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;
using ThreadState = Ramet.Kernel.Processes.ThreadState;

namespace Ramet.Kernel.Tests.Files;

public class DescriptorTests
{
    private readonly FakeSandbox _s = new(new FakeImage().File("/f", "0123456789"));

    [Fact]
    public void The_lowest_free_descriptor_is_taken()
    {
        Assert.Equal([0, 1, 2], [_s.MustOpen("/f"), _s.MustOpen("/f"), _s.MustOpen("/f")]);
        _s.Close(1);
        Assert.Equal(1, _s.MustOpen("/f"));
        Assert.Equal(10, Descriptors.Fcntl(_s.Thread, 0, FcntlCommand.F_DUPFD, 10).Value);
        Assert.Equal(3, Descriptors.Dup(_s.Thread, 0).Value);
        Assert.Equal(Errno.EBADF, OpenClose.Close(_s.Thread, 77).Error);
    }

    [Fact]
    public void Dup_shares_the_offset_and_dup2_closes_what_was_there()
    {
        int fd = _s.MustOpen("/f");
        int other = _s.MustOpen("/f");
        Assert.Equal(other, Descriptors.Dup2(_s.Thread, fd, other).Value);
        Assert.Equal("012", _s.Read(fd, 3));
        Assert.Equal("345", _s.Read(other, 3));
        Assert.Equal(other, Descriptors.Dup2(_s.Thread, other, other).Value);
        Assert.Equal(Errno.EINVAL, Descriptors.Dup3(_s.Thread, other, other, 0).Error);
        Assert.Equal(Errno.EBADF, Descriptors.Dup2(_s.Thread, 50, 3).Error);
        Assert.Equal(Errno.EBADF, Descriptors.Dup2(_s.Thread, fd, 256).Error);
    }

    [Fact]
    public void Limits_give_EMFILE_and_ENFILE()
    {
        _s.Thread.Process.ResourceLimits.Set(ResourceLimit.RLIMIT_NOFILE, 4, 4);
        for (int i = 0; i < 4; i++) _s.MustOpen("/f");
        Assert.Equal(Errno.EMFILE, _s.Open("/f").Error);
        Assert.Equal(Errno.EMFILE, Descriptors.Dup(_s.Thread, 0).Error);

        var tight = new FakeSandbox(new FakeImage().File("/f", ""), maxOpenFiles: 3);
        for (int i = 0; i < 3; i++) tight.MustOpen("/f");
        Assert.Equal(Errno.ENFILE, tight.Open("/f").Error);
        Assert.Equal(3, Descriptors.Dup(tight.Thread, 0).Value);
        tight.Close(0);
        Assert.Equal(Errno.ENFILE, tight.Open("/f").Error);
        tight.Close(3);
        tight.MustOpen("/f");
        Assert.Equal(3, tight.Kernel.Mounts.OpenFiles);
    }

    [Fact]
    public void Close_on_exec_is_of_the_descriptor()
    {
        int fd = _s.MustOpen("/f", OpenFlags.O_CLOEXEC);
        int copy = (int)Descriptors.Dup(_s.Thread, fd).Value;
        Assert.Equal(1, Descriptors.Fcntl(_s.Thread, fd, FcntlCommand.F_GETFD, 0).Value);
        Assert.Equal(0, Descriptors.Fcntl(_s.Thread, copy, FcntlCommand.F_GETFD, 0).Value);
        _s.Thread.Files.CloseOnExec(_s.Thread.Process);
        Assert.Null(_s.Thread.Files.Get(fd));
        Assert.NotNull(_s.Thread.Files.Get(copy));
    }

    [Fact]
    public void A_clone_has_the_same_descriptions()
    {
        int fd = _s.MustOpen("/f");
        var copy = _s.Thread.Files.Clone();
        _s.Read(fd, 4);
        Assert.Equal(4, copy.Get(fd)!.Offset);
        _s.Close(fd);
        Assert.Equal(1, _s.Kernel.Mounts.OpenFiles);
        copy.CloseAll(_s.Thread.Process);
        Assert.Equal(0, _s.Kernel.Mounts.OpenFiles);
    }

    [Fact]
    public void Close_range_closes_or_marks()
    {
        for (int i = 0; i < 6; i++) _s.MustOpen("/f");
        Assert.Equal(0, OpenClose.CloseRange(_s.Thread, 4, uint.MaxValue, CloseRangeFlags.None).Value);
        Assert.Equal(0, OpenClose.CloseRange(_s.Thread, 2, 3, CloseRangeFlags.CLOSE_RANGE_CLOEXEC).Value);
        Assert.Equal([0, 1, 2, 3], _s.Thread.Files.Descriptors);
        Assert.True(_s.Thread.Files.IsCloseOnExec(3));
        Assert.Equal(Errno.EINVAL, OpenClose.CloseRange(_s.Thread, 3, 2, CloseRangeFlags.None).Error);
    }

    [Fact]
    public void Record_locks_conflict_split_and_go_with_any_close()
    {
        int fd = _s.MustOpen("/f", OpenFlags.O_RDWR);
        var other = _s.AddProcess();
        other.Files = _s.Thread.Files.Clone();
        Assert.Equal(Errno.None, Lock(_s.Thread, fd, FileLockType.F_WRLCK, 0, 100));
        Assert.Equal(Errno.EAGAIN, Lock(other, fd, FileLockType.F_RDLCK, 50, 10));
        Assert.Equal(Errno.None, Lock(_s.Thread, fd, FileLockType.F_UNLCK, 40, 20));
        Assert.Equal(Errno.None, Lock(other, fd, FileLockType.F_WRLCK, 45, 5));
        Assert.Equal(Errno.EAGAIN, Lock(other, fd, FileLockType.F_WRLCK, 60, 1));

        var query = _s.Put(new Flock { l_type = (short)FileLockType.F_WRLCK, l_start = 30, l_len = 100 });
        Assert.Equal(0, Descriptors.Fcntl(other, fd, FcntlCommand.F_GETLK, query.Value).Value);
        var found = _s.Get<Flock>(query);
        Assert.Equal((0, 40, _s.Thread.Process.Pid), (found.l_start, found.l_len, found.l_pid));

        // Any descriptor for the file that the process closes takes all its locks.
        int again = _s.MustOpen("/f");
        _s.Close(again);
        Assert.Equal(Errno.None, Lock(other, fd, FileLockType.F_WRLCK, 0, 0));
    }

    [Fact]
    public void A_lock_that_is_waited_for_is_given_when_the_holder_lets_go_and_a_circle_is_EDEADLK()
    {
        int fd = _s.MustOpen("/f", OpenFlags.O_RDWR);
        var other = _s.AddProcess();
        other.Files = _s.Thread.Files.Clone();
        Lock(_s.Thread, fd, FileLockType.F_WRLCK, 0, 1);
        Lock(other, fd, FileLockType.F_WRLCK, 1, 1);
        var wanted = _s.Put(new Flock { l_type = (short)FileLockType.F_WRLCK, l_len = 1 });
        Assert.True(Descriptors.Fcntl(other, fd, FcntlCommand.F_SETLKW, wanted.Value).IsBlocked);
        Assert.Equal(ThreadState.Blocked, other.State);
        Assert.Equal(Errno.EDEADLK, Lock(_s.Thread, fd, FileLockType.F_WRLCK, 1, 1, FcntlCommand.F_SETLKW));
        Lock(_s.Thread, fd, FileLockType.F_UNLCK, 0, 1);
        Assert.Equal(ThreadState.Runnable, other.State);
        other.StopWaiting();
        Assert.Equal(0, Descriptors.Fcntl(other, fd, FcntlCommand.F_SETLKW, wanted.Value).Value);
        Assert.Equal(Errno.EAGAIN, Lock(_s.Thread, fd, FileLockType.F_WRLCK, 0, 1));
    }

    [Fact]
    public void Flock_is_of_the_description()
    {
        int fd = _s.MustOpen("/f");
        int copy = (int)Descriptors.Dup(_s.Thread, fd).Value;
        int other = _s.MustOpen("/f");
        Assert.Equal(0, FileLocks.Flock(_s.Thread, fd, FlockOperation.LOCK_EX).Value);
        Assert.Equal(0, FileLocks.Flock(_s.Thread, copy, FlockOperation.LOCK_EX).Value);
        Assert.Equal(Errno.EAGAIN, FileLocks.Flock(_s.Thread, other, FlockOperation.LOCK_SH | FlockOperation.LOCK_NB).Error);
        _s.Close(fd);
        Assert.Equal(Errno.EAGAIN, FileLocks.Flock(_s.Thread, other, FlockOperation.LOCK_SH | FlockOperation.LOCK_NB).Error);
        _s.Close(copy);
        Assert.Equal(0, FileLocks.Flock(_s.Thread, other, FlockOperation.LOCK_SH | FlockOperation.LOCK_NB).Value);
    }

    private Errno Lock(PosixThread thread, int fd, FileLockType type, long start, long length, FcntlCommand command = FcntlCommand.F_SETLK)
    {
        var address = _s.Put(new Flock { l_type = (short)type, l_start = start, l_len = length });
        return Descriptors.Fcntl(thread, fd, command, address.Value).Error;
    }
}
