using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Pipes;

public sealed class PipeTests
{
    private const int Capacity = 65536;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public PipeTests() => _a = _sandbox.NewProcess();

    [Fact]
    public void Bytes_come_out_in_the_order_in_which_they_went_in()
    {
        var (reader, writer) = _a.Pipe();
        Assert.Equal(5, _a.Write(writer, "hello"));
        Assert.Equal(7, _a.Write(writer, ", world"));
        Assert.Equal("hello, wor", _a.Read(reader, 10));
        Assert.Equal("ld", _a.Read(reader));
    }

    [Fact]
    public void Bytes_survive_when_the_ring_wraps_around()
    {
        var (reader, writer) = _a.Pipe();
        var sent = new byte[200_000];
        new Random(1).NextBytes(sent);
        var received = new List<byte>();
        long data = _a.Put(sent);
        long buffer = _a.Allocate(8192);
        for (int done = 0; done < sent.Length;)
        {
            int count = Math.Min(5000, sent.Length - done);
            Assert.Equal(count, _a.Call(SyscallNumber.write, writer, data + done, count));
            done += count;
            int got = _a.Ok(SyscallNumber.read, reader, buffer, 4099);
            received.AddRange(_a.Get(buffer, got));
        }

        while (received.Count < sent.Length) received.AddRange(_a.Get(buffer, _a.Ok(SyscallNumber.read, reader, buffer, 8192)));
        Assert.Equal(sent, received);
    }

    [Fact]
    public void Read_of_an_empty_pipe_waits_for_bytes()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        int other = _a.Share(reader, b);
        long buffer = b.Allocate(16);
        b.Blocks(SyscallNumber.read, other, buffer, 16);
        Assert.False(b.IsWoken);
        _a.Write(writer, "abc");
        Assert.Equal(3, b.Resume());
        Assert.Equal("abc", b.GetText(buffer, 3));
    }

    [Fact]
    public void Read_returns_0_when_the_last_writer_has_closed()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        int other = _a.Share(writer, b);
        _a.Close(writer);
        long buffer = _a.Allocate(16);
        _a.Blocks(SyscallNumber.read, reader, buffer, 16);
        b.Write(other, "x");
        Assert.Equal(1, _a.Resume());
        _a.Blocks(SyscallNumber.read, reader, buffer, 16);
        b.Close(other);
        Assert.Equal(0, _a.Resume());
        Assert.Equal(PollEvents.POLLHUP, _a.PollNow(reader));
    }

    [Fact]
    public void Write_to_a_pipe_with_no_reader_returns_EPIPE_and_sends_SIGPIPE()
    {
        var (reader, writer) = _a.Pipe();
        _a.Close(reader);
        Assert.Equal(PollEvents.POLLERR | PollEvents.POLLOUT, _a.PollNow(writer));
        Assert.Equal(-(long)Errno.EPIPE, _a.Write(writer, "x"));
        Assert.Equal(Signal.Bit(Signal.SIGPIPE), _a.Thread.Pending.Mask);
    }

    [Fact]
    public void Write_of_more_than_fits_waits_and_goes_on_where_it_was()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        int other = _a.Share(reader, b);
        var sent = new byte[Capacity + 10_000];
        new Random(2).NextBytes(sent);
        _a.Blocks(SyscallNumber.write, writer, _a.Put(sent), sent.Length);
        long buffer = b.Allocate(Capacity);
        Assert.Equal(100, b.Call(SyscallNumber.read, other, buffer, 100));
        Assert.False(_a.IsWoken, "100 bytes are less than PIPE_BUF: the writer sleeps on.");
        Assert.Equal(Capacity - 100, b.Call(SyscallNumber.read, other, buffer + 100, Capacity));
        Assert.Equal(sent[..Capacity], b.Get(buffer, Capacity));
        Assert.Equal(sent.Length, _a.Resume());
        Assert.Equal(10_000, b.Call(SyscallNumber.read, other, buffer, Capacity));
        Assert.Equal(sent[Capacity..], b.Get(buffer, 10_000));
    }

    [Fact]
    public void Interrupted_write_returns_what_it_has_written()
    {
        var (_, writer) = _a.Pipe();
        _a.Blocks(SyscallNumber.write, writer, _a.Allocate(Capacity + 1), Capacity + 1);
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(Capacity, _a.Resume());
    }

    [Fact]
    public void Interrupted_write_that_wrote_nothing_asks_for_a_restart()
    {
        var (_, writer) = _a.Pipe();
        _a.Ok(SyscallNumber.write, writer, _a.Allocate(Capacity), Capacity);
        _a.Blocks(SyscallNumber.write, writer, _a.Allocate(1), 1);
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(-(long)RestartKind.ERESTARTSYS, _a.Resume());
    }

    [Fact]
    public void Small_writes_are_atomic_and_large_ones_are_cut_without_waiting()
    {
        var (reader, writer) = _a.Pipe(OpenFlags.O_NONBLOCK);
        Assert.Equal(Capacity - 10, _a.Call(SyscallNumber.write, writer, _a.Allocate(Capacity), Capacity - 10));
        _a.Fails(Errno.EAGAIN, SyscallNumber.write, writer, _a.Allocate(11), 11);
        Assert.Equal(10, _a.Call(SyscallNumber.write, writer, _a.Allocate(5000), 5000));
        _a.Fails(Errno.EAGAIN, SyscallNumber.write, writer, _a.Allocate(5000), 5000);
        _a.Read(reader, Capacity);
        _a.Fails(Errno.EAGAIN, SyscallNumber.read, reader, _a.Allocate(1), 1);
    }

    [Fact]
    public void Reader_that_closes_ends_the_wait_of_a_writer()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        int other = _a.Share(writer, b);
        _a.Close(writer);
        b.Ok(SyscallNumber.write, other, b.Allocate(Capacity), Capacity);
        b.Blocks(SyscallNumber.write, other, b.Allocate(1), 1);
        _a.Close(reader);
        Assert.Equal(-(long)Errno.EPIPE, b.Resume());
    }

    [Fact]
    public void Packets_keep_their_boundaries()
    {
        var (reader, writer) = _a.Pipe(OpenFlags.O_DIRECT);
        _a.Write(writer, "first");
        _a.Write(writer, "second");
        _a.Ok(SyscallNumber.write, writer, _a.Allocate(5000), 5000);
        Assert.Equal("fir", _a.Read(reader, 3));
        Assert.Equal("second", _a.Read(reader));
        Assert.Equal(4096, _a.Read(reader, 8192).Length);
        Assert.Equal(904, _a.Read(reader, 8192).Length);
    }

    [Fact]
    public void Capacity_can_be_changed_but_not_below_what_is_in_it()
    {
        const int setSize = 1031, getSize = 1032;
        var (reader, writer) = _a.Pipe();
        Assert.Equal(Capacity, _a.Call(SyscallNumber.fcntl, reader, getSize));
        _a.Ok(SyscallNumber.write, writer, _a.Allocate(10_000), 10_000);
        _a.Fails(Errno.EBUSY, SyscallNumber.fcntl, reader, setSize, 4096);
        Assert.Equal(16384, _a.Call(SyscallNumber.fcntl, reader, setSize, 10_001));
        Assert.Equal(PollEvents.POLLOUT, _a.PollNow(writer));
        _a.Fails(Errno.EPERM, SyscallNumber.fcntl, reader, setSize, 2 << 20);
    }

    [Fact]
    public void A_bad_buffer_is_EFAULT_and_loses_nothing()
    {
        var (reader, writer) = _a.Pipe();
        _a.Write(writer, "keep");
        _a.Fails(Errno.EFAULT, SyscallNumber.read, reader, 0x1000, 4);
        _a.Fails(Errno.EFAULT, SyscallNumber.write, writer, 0x1000, 4);
        Assert.Equal("keep", _a.Read(reader));
    }

    [Fact]
    public void Pipe_with_an_unknown_flag_or_a_bad_address_leaves_no_descriptors()
    {
        _a.Fails(Errno.EINVAL, SyscallNumber.pipe2, _a.Allocate(8), (long)OpenFlags.O_APPEND);
        _a.Fails(Errno.EFAULT, SyscallNumber.pipe2, 0x1000, 0);
        Assert.Empty(_a.Thread.Files.Descriptors);
    }

    [Fact]
    public void Closed_pipes_give_their_memory_back()
    {
        var (reader, writer) = _a.Pipe();
        _a.Ok(SyscallNumber.write, writer, _a.Allocate(Capacity), Capacity);
        Assert.Equal(Capacity, _sandbox.Kernel.Buffers.Used);
        _a.Close(reader);
        _a.Close(writer);
        Assert.Equal(0, _sandbox.Kernel.Buffers.Used);
    }

    [Fact]
    public void Over_the_budget_pipes_get_small_instead_of_failing()
    {
        _sandbox.Kernel.Buffers.Limit = 0;
        var (reader, writer) = _a.Pipe(OpenFlags.O_NONBLOCK);
        Assert.Equal(4096, _a.Call(SyscallNumber.write, writer, _a.Allocate(10_000), 10_000));
        Assert.Equal(4096, _a.Read(reader, 10_000).Length);
        Assert.Equal(PollEvents.POLLOUT, _a.PollNow(writer));
    }

    [Fact]
    public void Fifo_open_waits_for_the_other_side()
    {
        var b = _sandbox.NewProcess();
        _a.Ok(SyscallNumber.mknod, _a.Put("/tmp/fifo\0"u8), (long)InodeMode.S_IFIFO | 0x1B6, 0);
        _a.Blocks(SyscallNumber.open, _a.Put("/tmp/fifo\0"u8), (long)OpenFlags.O_RDONLY, 0);
        int writer = b.Ok(SyscallNumber.open, b.Put("/tmp/fifo\0"u8), (long)OpenFlags.O_WRONLY, 0);
        int reader = (int)_a.Resume();
        b.Write(writer, "through");
        Assert.Equal("through", _a.Read(reader));
        b.Close(writer);
        Assert.Equal("", _a.Read(reader));
    }

    [Fact]
    public void Interrupted_fifo_open_is_as_if_it_had_not_been()
    {
        _a.Ok(SyscallNumber.mknod, _a.Put("/tmp/fifo\0"u8), (long)InodeMode.S_IFIFO | 0x1B6, 0);
        _a.Blocks(SyscallNumber.open, _a.Put("/tmp/fifo\0"u8), (long)OpenFlags.O_RDONLY, 0);
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(-(long)RestartKind.ERESTARTSYS, _a.Resume());
        var b = _sandbox.NewProcess();
        b.Fails(Errno.ENXIO, SyscallNumber.open, b.Put("/tmp/fifo\0"u8), (long)(OpenFlags.O_WRONLY | OpenFlags.O_NONBLOCK), 0);
    }

    [Fact]
    public void A_thread_that_ends_while_it_opens_a_fifo_leaves_no_end_open()
    {
        var b = _sandbox.NewProcess();
        var c = _sandbox.NewProcess();
        _a.Ok(SyscallNumber.mknod, _a.Put("/tmp/fifo\0"u8), (long)InodeMode.S_IFIFO | 0x1B6, 0);
        b.Blocks(SyscallNumber.open, b.Put("/tmp/fifo\0"u8), (long)OpenFlags.O_RDONLY, 0);
        c.Ok(SyscallNumber.open, c.Put("/tmp/fifo\0"u8), (long)(OpenFlags.O_WRONLY | OpenFlags.O_NONBLOCK), 0);
        b.Thread.Exit(0);
        c.Thread.Exit(0);
        _a.Fails(Errno.ENXIO, SyscallNumber.open, _a.Put("/tmp/fifo\0"u8), (long)(OpenFlags.O_WRONLY | OpenFlags.O_NONBLOCK), 0);
    }

    [Fact]
    public void Pipe_is_saved_with_its_bytes_and_its_waiting_reader()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        var (full, fill) = _a.Pipe();
        _a.Write(fill, "kept");
        int other = _a.Share(reader, b);
        long buffer = b.Allocate(16);
        b.Blocks(SyscallNumber.read, other, buffer, 16);

        var copy = _sandbox.Reload();
        var (a2, b2) = (_a.In(copy), b.In(copy));
        Assert.Equal("kept", a2.Read(full));
        a2.Write(writer, "new");
        Assert.Equal(3, b2.Resume());
        Assert.False(b.IsWoken, "The original knows nothing of it.");
    }
}
