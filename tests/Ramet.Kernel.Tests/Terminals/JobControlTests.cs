using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Terminals;
using Xunit;

namespace Ramet.Kernel.Tests.Terminals;

public sealed class JobControlTests
{
    private const long TIOCSPGRP = 0x5410, TIOCGPGRP = 0x540F, TIOCGSID = 0x5429, TIOCSCTTY = 0x540E, TIOCNOTTY = 0x5422, TIOCSWINSZ = 0x5414, TIOCGWINSZ = 0x5413;
    private readonly TerminalFixture _t = new();

    [Fact]
    public void A_terminal_is_locked_until_it_is_unlocked_and_lives_as_long_as_its_master()
    {
        var shell = _t.Shell;
        int master = _t.Open("/dev/ptmx");
        long number = shell.Allocate(4);
        shell.Ok(SyscallNumber.ioctl, master, TerminalFixture.TIOCGPTN, number);
        Assert.Equal(1, shell.Get<int>(number));
        long path = shell.Put("/dev/pts/1\0"u8);
        shell.Fails(Errno.EIO, SyscallNumber.open, path, 2);
        shell.Ok(SyscallNumber.ioctl, master, TerminalFixture.TIOCSPTLCK, shell.Put(0));
        int slave = shell.Ok(SyscallNumber.open, path, 2);
        int peer = shell.Ok(SyscallNumber.ioctl, master, 0x5441, 2);
        shell.Write(peer, "x");
        shell.Close(peer);
        Assert.Equal("x", shell.Read(master));
        shell.Close(slave);
        Assert.Equal(PollEvents.POLLHUP | PollEvents.POLLOUT, shell.PollNow(master));
        shell.Fails(Errno.EIO, SyscallNumber.read, master, number, 1);
        slave = shell.Ok(SyscallNumber.open, path, 2);
        Assert.Equal(PollEvents.POLLOUT, shell.PollNow(master));
        shell.Close(master);
        shell.Fails(Errno.ENOENT, SyscallNumber.open, path, 2);
        Assert.Equal(0, shell.Ok(SyscallNumber.read, slave, number, 1));
        shell.Fails(Errno.EIO, SyscallNumber.write, slave, number, 1);
        shell.Fails(Errno.EIO, SyscallNumber.ioctl, slave, TerminalFixture.TCGETS, shell.Allocate(64));
    }

    [Fact]
    public void Background_jobs_are_stopped_when_they_read_and_write_only_with_TOSTOP()
    {
        var job = _t.NewJob();
        long buffer = job.Allocate(4);
        long result = job.Call(SyscallNumber.read, 1, buffer, 4);
        Assert.Equal(-(long)RestartKind.ERESTARTSYS, result);
        Assert.Equal(Signal.Bit(Signal.SIGTTIN), job.Thread.Process.Pending.Mask);
        job.Thread.Process.Pending.Remove(ulong.MaxValue);
        Assert.Equal(1, job.Write(1, "x"));
        _t.Change(setLocal: LocalModes.TOSTOP);
        Assert.Equal(-(long)RestartKind.ERESTARTSYS, job.Call(SyscallNumber.write, 1, buffer, 1));
        Assert.Equal(Signal.Bit(Signal.SIGTTOU), job.Thread.Process.Pending.Mask);
        job.Thread.Process.Pending.Remove(ulong.MaxValue);
        job.Thread.Process.Handlers[Signal.SIGTTOU].Handler = SignalAction.Ignore;
        job.Thread.Process.Handlers[Signal.SIGTTIN].Handler = SignalAction.Ignore;
        Assert.Equal(1, job.Call(SyscallNumber.write, 1, buffer, 1));
        job.Fails(Errno.EIO, SyscallNumber.read, 1, buffer, 4);
    }

    [Fact]
    public void Reads_of_an_orphaned_group_fail()
    {
        var job = _t.NewJob();
        job.Thread.Process.Parent = _t.Sandbox.Kernel.Processes.Init;
        job.Fails(Errno.EIO, SyscallNumber.read, 1, job.Allocate(4), 4);
    }

    [Fact]
    public void Typed_signals_and_window_changes_reach_the_foreground_group()
    {
        var shell = _t.Shell;
        var job = _t.NewJob();
        shell.Ok(SyscallNumber.ioctl, _t.Slave, TIOCSPGRP, shell.Put(job.Thread.Process.ProcessGroup));
        Assert.Equal("abc^C", _t.Type("abc\x03"));
        Assert.Equal(Signal.Bit(Signal.SIGINT), job.Thread.Process.Pending.Mask);
        Assert.Equal(0UL, shell.Thread.Process.Pending.Mask);
        _t.Type("\x1a");
        _t.Type("\x1c");
        Assert.Equal(Signal.Bit(Signal.SIGINT) | Signal.Bit(Signal.SIGTSTP) | Signal.Bit(Signal.SIGQUIT), job.Thread.Process.Pending.Mask);
        job.Thread.Process.Pending.Remove(ulong.MaxValue);
        job.Thread.Process.Handlers[Signal.SIGWINCH].Handler = 0x1000;
        shell.Ok(SyscallNumber.ioctl, _t.Master, TIOCSWINSZ, shell.Put(new WindowSize(50, 132)));
        Assert.Equal(Signal.Bit(Signal.SIGWINCH), job.Thread.Process.Pending.Mask);
        long size = shell.Allocate(8);
        shell.Ok(SyscallNumber.ioctl, _t.Slave, TIOCGWINSZ, size);
        Assert.Equal(new WindowSize(50, 132), shell.Get<WindowSize>(size));
        long group = shell.Allocate(4);
        shell.Ok(SyscallNumber.ioctl, _t.Master, TIOCGPGRP, group);
        Assert.Equal(job.Thread.Process.ProcessGroup, shell.Get<int>(group));
        shell.Ok(SyscallNumber.ioctl, _t.Slave, TIOCGSID, group);
        Assert.Equal(shell.Thread.Process.Session, shell.Get<int>(group));
    }

    [Fact]
    public void Foreground_groups_must_be_of_the_session()
    {
        var shell = _t.Shell;
        var stranger = _t.Sandbox.NewProcess();
        stranger.Ok(SyscallNumber.setsid);
        shell.Fails(Errno.EPERM, SyscallNumber.ioctl, _t.Slave, TIOCSPGRP, shell.Put(stranger.Thread.Process.Pid));
        shell.Fails(Errno.ESRCH, SyscallNumber.ioctl, _t.Slave, TIOCSPGRP, shell.Put(99999));
        shell.Fails(Errno.EINVAL, SyscallNumber.ioctl, _t.Slave, TIOCSPGRP, shell.Put(-1));
        int slave = shell.Share(_t.Slave, stranger);
        stranger.Fails(Errno.ENOTTY, SyscallNumber.ioctl, slave, TIOCGPGRP, stranger.Allocate(4));
        stranger.Thread.Credentials.Effective = 0;
        stranger.Fails(Errno.EPERM, SyscallNumber.ioctl, slave, TIOCSCTTY, 0);
    }

    [Fact]
    public void Giving_the_terminal_up_frees_it_for_another_session()
    {
        var shell = _t.Shell;
        long path = shell.Put(Encoding.ASCII.GetBytes("/dev/tty\0"));
        shell.Close(shell.Ok(SyscallNumber.open, path, 2));
        shell.Thread.Process.Handlers[Signal.SIGHUP].Handler = SignalAction.Ignore;
        shell.Ok(SyscallNumber.ioctl, _t.Slave, TIOCNOTTY);
        shell.Fails(Errno.ENXIO, SyscallNumber.open, path, 2);
        var other = _t.Sandbox.NewProcess();
        other.Ok(SyscallNumber.setsid);
        int slave = shell.Share(_t.Slave, other);
        other.Ok(SyscallNumber.ioctl, slave, TIOCSCTTY, 0);
        long session = other.Allocate(4);
        other.Ok(SyscallNumber.ioctl, slave, TIOCGSID, session);
        Assert.Equal(other.Thread.Process.Pid, other.Get<int>(session));
    }

    [Fact]
    public void The_end_of_the_session_leader_hangs_up_on_the_foreground_group()
    {
        var job = _t.NewJob();
        _t.Shell.Ok(SyscallNumber.ioctl, _t.Slave, TIOCSPGRP, _t.Shell.Put(job.Thread.Process.ProcessGroup));
        _t.Shell.Thread.Exit(0);
        Assert.NotEqual(0UL, job.Thread.Process.Pending.Mask & Signal.Bit(Signal.SIGHUP));
        Assert.Null(job.Thread.Process.ControllingTerminal);
    }

    [Fact]
    public void Closing_the_master_hangs_up_on_the_session_leader_and_ends_a_read()
    {
        var shell = _t.Shell;
        var holder = _t.Sandbox.NewProcess();
        int master = shell.Share(_t.Master, holder);
        shell.Close(_t.Master);
        shell.Thread.Process.Handlers[Signal.SIGCONT].Handler = SignalAction.Ignore;
        shell.Thread.SignalMask = Signal.Bit(Signal.SIGHUP);
        shell.Blocks(SyscallNumber.read, _t.Slave, shell.Allocate(4), 4);
        holder.Close(master);
        Assert.NotEqual(0UL, shell.Thread.Process.Pending.Mask & Signal.Bit(Signal.SIGHUP));
        Assert.Equal(-(long)Errno.EIO, shell.Resume());
        Assert.Equal(PollEvents.POLLIN | PollEvents.POLLOUT | PollEvents.POLLHUP | PollEvents.POLLERR, shell.PollNow(_t.Slave));
        Assert.Equal(0, _t.Sandbox.Kernel.Terminals.Count);
    }

    [Fact]
    public void The_host_is_the_master_of_its_terminal()
    {
        var kernel = _t.Sandbox.Kernel;
        var sink = new TextSink();
        kernel.HostStreams.Sink = sink;
        var host = HostTerminal.Create(kernel, new WindowSize(24, 80));
        var program = _t.Sandbox.NewProcess();
        program.Ok(SyscallNumber.setsid);
        foreach (var description in host.CreateDescriptors()) Assert.Equal(Errno.None, program.Thread.Files.Install(description, false, out _));
        Assert.Equal(6, program.Write(1, "hello\n"));
        Assert.Equal("hello\r\n", sink.Text.ToString());
        Assert.Equal(3, host.Write("ls\r"u8));
        Assert.Equal("ls\n", program.Read(0));
        Assert.Equal("hello\r\nls\r\n", sink.Text.ToString());

        sink.Answer = OutputSinkResult.Full;
        var bytes = new byte[200_000];
        bytes.AsSpan().Fill((byte)'x');
        program.Blocks(SyscallNumber.write, 1, program.Put(bytes), bytes.Length);
        sink.Answer = OutputSinkResult.Accepted;
        kernel.OnHostStreamDrained(1);
        Assert.Equal(bytes.Length, program.Resume());
        Assert.Equal(bytes.Length + 11, sink.Text.Length);

        program.Ok(SyscallNumber.ioctl, 0, TIOCSCTTY, 0);
        program.Thread.Process.Handlers[Signal.SIGWINCH].Handler = 0x1000;
        host.Resize(new WindowSize(30, 90));
        Assert.Equal(Signal.Bit(Signal.SIGWINCH), program.Thread.Process.Pending.Mask);
        host.HangUp();
        Assert.NotEqual(0UL, program.Thread.Process.Pending.Mask & Signal.Bit(Signal.SIGHUP));
        Assert.Null(kernel.Terminals.Host);
    }

    private sealed class TextSink : IOutputSink
    {
        public StringBuilder Text { get; } = new();

        public OutputSinkResult Answer { get; set; } = OutputSinkResult.Accepted;

        public OutputSinkResult Write(int stream, ReadOnlySpan<byte> bytes)
        {
            if (Answer == OutputSinkResult.Accepted) Text.Append(Encoding.ASCII.GetString(bytes));
            return Answer;
        }
    }
}
