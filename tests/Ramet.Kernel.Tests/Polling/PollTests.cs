using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Syscalls;
using Xunit;

namespace Ramet.Kernel.Tests.Polling;

public sealed class PollTests
{
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public PollTests() => _a = _sandbox.NewProcess();

    [Fact]
    public void Poll_counts_ready_descriptors_and_marks_closed_ones()
    {
        var (reader, writer) = _a.Pipe();
        long fds = _a.Put([Entry(reader), Entry(writer), Entry(99), Entry(-1)]);
        Assert.Equal(2, _a.Call(SyscallNumber.poll, fds, 4, -1));
        Assert.Equal([0, (int)PollEvents.POLLOUT, (int)PollEvents.POLLNVAL, 0], Events(fds, 4));
    }

    [Fact]
    public void Poll_waits_until_one_descriptor_is_ready()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        var (second, _) = _a.Pipe();
        int other = _a.Share(writer, b);
        long fds = _a.Put([Entry(second), Entry(reader)]);
        _a.Blocks(SyscallNumber.poll, fds, 2, -1);
        b.Write(other, "x");
        Assert.Equal(1, _a.Resume());
        Assert.Equal([0, (int)PollEvents.POLLIN], Events(fds, 2));
    }

    [Fact]
    public void A_file_that_is_named_many_times_is_waited_for_once()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        int other = _a.Share(writer, b);
        long fds = _a.Put([.. Enumerable.Repeat(new PollFd { fd = reader }, 99), Entry(reader)]);
        _a.Blocks(SyscallNumber.poll, fds, 100, -1);
        Assert.Equal(1, _sandbox.Kernel.PollWaiters);
        var copy = _sandbox.Reload();
        Assert.Equal(1, copy.Kernel.PollWaiters);
        b.Write(other, "x");
        Assert.Equal(1, _a.Resume());
        Assert.Equal(0, _sandbox.Kernel.PollWaiters);
        b.In(copy).Write(other, "x");
        Assert.Equal(1, _a.In(copy).Resume());
        Assert.Equal(0, copy.Kernel.PollWaiters);
    }

    [Fact]
    public void Poll_and_select_are_ENOMEM_when_too_much_is_waited_for_already()
    {
        var (first, second) = (_a.Pipe(), _a.Pipe());
        _sandbox.Kernel.PollWaiters = Kernel.MaximumPollWaiters - 1;
        _a.Fails(Errno.ENOMEM, SyscallNumber.poll, _a.Put([Entry(first.Reader), Entry(second.Reader)]), 2, -1);
        _a.Fails(Errno.ENOMEM, SyscallNumber.select, second.Reader + 1, _a.Put((1UL << first.Reader) | (1UL << second.Reader)), 0, 0, 0);
        Assert.Equal(Kernel.MaximumPollWaiters - 1, _sandbox.Kernel.PollWaiters);
        _a.Blocks(SyscallNumber.poll, _a.Put([Entry(first.Reader)]), 1, -1);
    }

    [Fact]
    public void Poll_times_out()
    {
        var (reader, _) = _a.Pipe();
        long fds = _a.Put(Entry(reader));
        _a.Blocks(SyscallNumber.poll, fds, 1, 50);
        _sandbox.Advance(49);
        Assert.False(_a.IsWoken);
        _sandbox.Advance(2);
        Assert.Equal(0, _a.Resume());
        Assert.Equal(0, _a.Call(SyscallNumber.poll, fds, 1, 0));
    }

    [Fact]
    public void Poll_without_descriptors_sleeps()
    {
        _a.Blocks(SyscallNumber.poll, 0, 0, 10);
        _sandbox.Advance(11);
        Assert.Equal(0, _a.Resume());
    }

    [Fact]
    public void Poll_of_more_descriptors_than_allowed_is_EINVAL() =>
        _a.Fails(Errno.EINVAL, SyscallNumber.poll, _a.Allocate(8), 1025, 0);

    [Fact]
    public void Ppoll_takes_a_mask_for_the_time_of_the_call()
    {
        ulong blocked = Signal.Bit(Signal.SIGUSR1);
        _a.Thread.SignalMask = blocked;
        _a.Thread.SendSignal(Signal.SIGUSR1);
        long timeout = _a.Put(new Timespec { tv_sec = 5 });
        Assert.Equal(-(long)RestartKind.ERESTARTNOHAND, _a.Call(SyscallNumber.ppoll, 0, 0, timeout, _a.Put(0UL), 8));
        Assert.Equal(0UL, _a.Thread.SignalMask);
        _a.Thread.RestoreSignalMask();
        Assert.Equal(blocked, _a.Thread.SignalMask);
        _a.Fails(Errno.EINVAL, SyscallNumber.ppoll, 0, 0, timeout, _a.Put(0UL), 4);
    }

    [Fact]
    public void Ppoll_stores_the_time_that_is_left()
    {
        var (reader, writer) = _a.Pipe();
        var b = _sandbox.NewProcess();
        int other = _a.Share(writer, b);
        long timeout = _a.Put(new Timespec { tv_sec = 1 });
        _a.Blocks(SyscallNumber.ppoll, _a.Put(Entry(reader)), 1, timeout, 0, 0);
        _sandbox.Advance(400);
        b.Write(other, "x");
        Assert.Equal(1, _a.Resume());
        Assert.Equal(600_000_000, _a.Get<Timespec>(timeout).tv_nsec);
    }

    [Fact]
    public void Select_reports_each_set_apart()
    {
        var (reader, writer) = _a.Pipe();
        _a.Write(writer, "x");
        long reads = _a.Put(Bit(reader) | Bit(writer));
        long writes = _a.Put(Bit(reader) | Bit(writer));
        Assert.Equal(2, _a.Call(SyscallNumber.select, 10, reads, writes, 0, 0));
        Assert.Equal(Bit(reader), _a.Get<ulong>(reads));
        Assert.Equal(Bit(writer), _a.Get<ulong>(writes));
    }

    [Fact]
    public void Select_waits_times_out_and_clears_the_sets()
    {
        var (reader, _) = _a.Pipe();
        long reads = _a.Put(Bit(reader));
        long timeout = _a.Put(new Timeval { tv_usec = 30_000 });
        _a.Blocks(SyscallNumber.select, 10, reads, 0, 0, timeout);
        Assert.Equal(Bit(reader), _a.Get<ulong>(reads));
        _sandbox.Advance(31);
        Assert.Equal(0, _a.Resume());
        Assert.Equal(0UL, _a.Get<ulong>(reads));
        Assert.Equal(0, _a.Get<Timeval>(timeout).tv_usec);
    }

    [Fact]
    public void Select_of_a_closed_descriptor_is_EBADF()
    {
        _a.Fails(Errno.EBADF, SyscallNumber.select, 10, _a.Put(Bit(7)), 0, 0, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.select, -1, 0, 0, 0, 0);
        Assert.Equal(0, _a.Call(SyscallNumber.select, 7, _a.Put(Bit(7)), 0, 0, _a.Put(default(Timeval))));
    }

    [Fact]
    public void Pselect_reads_its_mask_from_the_sixth_argument()
    {
        _a.Thread.SignalMask = Signal.Bit(Signal.SIGTERM);
        _a.Thread.SendSignal(Signal.SIGTERM);
        long mask = _a.Put(new PselectMask { ss = (ulong)_a.Put(0UL), ss_len = 8 });
        Assert.Equal(-(long)RestartKind.ERESTARTNOHAND, _a.Call(SyscallNumber.pselect6, 0, 0, 0, 0, 0, mask));
    }

    private static PollFd Entry(int fd) => new() { fd = fd, events = (ushort)(PollEvents.POLLIN | PollEvents.POLLOUT) };

    private static ulong Bit(int fd) => 1UL << fd;

    private int[] Events(long fds, int count) => [.. Enumerable.Range(0, count).Select(i => (int)_a.Get<PollFd>(fds + (i * 8)).revents)];
}
