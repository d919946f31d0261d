using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Ipc;

public sealed class PidFdTests
{
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public PidFdTests() => _a = _sandbox.NewProcess();

    [Fact]
    public void A_pidfd_becomes_readable_when_its_process_ends()
    {
        var child = _sandbox.NewProcess();
        int fd = _a.Ok(SyscallNumber.pidfd_open, child.Thread.Tid);
        long poll = _a.Put(new PollFd { fd = fd, events = 1 });
        _a.Blocks(SyscallNumber.poll, poll, 1, -1);
        child.Thread.Process.ExitGroup(0);
        child.Thread.Exit(0);
        Assert.Equal(1, _a.Resume());
        Assert.Equal(1, _a.Get<PollFd>(poll).revents);
    }

    [Fact]
    public void Pidfd_getfd_copies_a_descriptor_of_another_process()
    {
        var other = _sandbox.NewProcess();
        var (reader, writer) = other.Pipe();
        int fd = _a.Ok(SyscallNumber.pidfd_open, other.Thread.Tid);
        int copy = _a.Ok(SyscallNumber.pidfd_getfd, fd, writer, 0);
        Assert.Equal(2, _a.Write(copy, "hi"));
        Assert.Equal("hi", other.Read(reader));
        _a.Fails(Errno.EBADF, SyscallNumber.pidfd_getfd, fd, 99, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.pidfd_getfd, fd, writer, 1);
        _a.Fails(Errno.EBADF, SyscallNumber.pidfd_getfd, copy, writer, 0);
    }

    [Fact]
    public void Pidfd_getfd_of_another_user_is_EPERM()
    {
        var user = _sandbox.NewProcess(uid: 1000);
        int fd = user.Ok(SyscallNumber.pidfd_open, _a.Thread.Tid);
        user.Fails(Errno.EPERM, SyscallNumber.pidfd_getfd, fd, 0, 0);
        user.Fails(Errno.EPERM, SyscallNumber.pidfd_send_signal, fd, 0, 0, 0);
    }

    [Fact]
    public void Clone_with_CLONE_PIDFD_stores_a_descriptor_in_the_parent_alone()
    {
        const long ClonePidFd = 0x1000, SigChld = 17;
        long place = _a.Put(-1);
        int child = _a.Ok(SyscallNumber.clone, ClonePidFd | SigChld, 0, place, 0, 0);
        int fd = _a.Get<int>(place);
        Assert.True(fd >= 0);
        Assert.Equal(0, _a.Call(SyscallNumber.pidfd_send_signal, fd, 0, 0, 0));
        Assert.Null(_sandbox.Kernel.Processes.FindProcess(child)!.Leader!.Files.Get(fd));
        _a.Fails(Errno.EFAULT, SyscallNumber.clone, ClonePidFd | SigChld, 0, 8, 0, 0);
    }

    [Fact]
    public void Waitid_on_a_nonblocking_pidfd_is_EAGAIN_while_the_child_lives()
    {
        int child = _a.Ok(SyscallNumber.fork);
        int fd = _a.Ok(SyscallNumber.pidfd_open, child, (long)OpenFlags.O_NONBLOCK);
        _a.Fails(Errno.EAGAIN, SyscallNumber.waitid, 3, fd, 0, 4, 0);
        _sandbox.Kernel.Processes.FindThread(child)!.Exit(Process.ExitedStatus(5));
        Assert.Equal(0, _a.Call(SyscallNumber.waitid, 3, fd, 0, 4, 0));
        _a.Fails(Errno.ESRCH, SyscallNumber.pidfd_send_signal, fd, 0, 0, 0);
    }
}
