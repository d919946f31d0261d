using System.Runtime.InteropServices;
using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Xunit;

namespace Ramet.Kernel.Tests.Polling;

public sealed class EpollTests
{
    private const PollEvents In = PollEvents.POLLIN;
    private const PollEvents Edge = PollEvents.POLLIN | PollEvents.EPOLLET;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;
    private readonly int _epoll;

    public EpollTests()
    {
        _a = _sandbox.NewProcess();
        _epoll = _a.Ok(SyscallNumber.epoll_create1, 0);
    }

    [Fact]
    public void Level_triggered_events_come_until_they_are_dealt_with()
    {
        var (reader, writer) = _a.Pipe();
        Add(_epoll, reader, In, 77);
        Assert.Empty(Wait());
        _a.Write(writer, "x");
        Assert.Equal([(In, 77UL)], Wait());
        Assert.Equal([(In, 77UL)], Wait());
        _a.Read(reader);
        Assert.Empty(Wait());
    }

    [Fact]
    public void Edge_triggered_events_come_once_for_each_arrival()
    {
        var (reader, writer) = _a.Pipe();
        _a.Write(writer, "already there");
        Add(_epoll, reader, Edge, 1);
        Assert.Single(Wait());
        Assert.Empty(Wait());
        _a.Write(writer, "more");
        Assert.Single(Wait());
        Assert.Empty(Wait());
    }

    [Fact]
    public void One_shot_items_sleep_until_they_are_set_again()
    {
        var (reader, writer) = _a.Pipe();
        Add(_epoll, reader, In | PollEvents.EPOLLONESHOT, 1);
        _a.Write(writer, "x");
        Assert.Single(Wait());
        _a.Write(writer, "y");
        Assert.Empty(Wait());
        Control(EpollOperation.EPOLL_CTL_MOD, _epoll, reader, In | PollEvents.EPOLLONESHOT, 2);
        Assert.Equal([(In, 2UL)], Wait());
    }

    [Fact]
    public void Epoll_wait_sleeps_until_something_happens()
    {
        var b = _sandbox.NewProcess();
        var (reader, writer) = _a.Pipe();
        int other = _a.Share(writer, b);
        Add(_epoll, reader, In, 5);
        long events = _a.Allocate(120);
        _a.Blocks(SyscallNumber.epoll_wait, _epoll, events, 10, -1);
        b.Write(other, "x");
        Assert.Equal(1, _a.Resume());
        Assert.Equal(5UL, _a.Get<EpollEvent>(events).data);
    }

    [Fact]
    public void Epoll_wait_times_out_and_is_interrupted_for_good()
    {
        long events = _a.Allocate(12);
        _a.Blocks(SyscallNumber.epoll_wait, _epoll, events, 1, 20);
        _sandbox.Advance(21);
        Assert.Equal(0, _a.Resume());
        _a.Blocks(SyscallNumber.epoll_wait, _epoll, events, 1, -1);
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(-(long)Errno.EINTR, _a.Resume());
    }

    [Fact]
    public void One_event_wakes_one_of_the_threads_that_wait()
    {
        var (b, c) = (_sandbox.NewProcess(), _sandbox.NewProcess());
        var (reader, writer) = _a.Pipe();
        Add(_epoll, reader, Edge, 1);
        b.Blocks(SyscallNumber.epoll_wait, _a.Share(_epoll, b), b.Allocate(12), 1, -1);
        c.Blocks(SyscallNumber.epoll_wait, _a.Share(_epoll, c), c.Allocate(12), 1, -1);
        _a.Write(writer, "x");
        Assert.True(b.IsWoken);
        Assert.True(c.IsBlocked);
        Assert.Equal(1, b.Resume());
        Assert.True(c.IsBlocked);
    }

    [Fact]
    public void Exclusive_sets_share_arrivals()
    {
        var (b, c) = (_sandbox.NewProcess(), _sandbox.NewProcess());
        var (reader, writer) = _a.Pipe();
        int second = _a.Ok(SyscallNumber.epoll_create1, 0);
        Add(_epoll, reader, In | PollEvents.EPOLLEXCLUSIVE, 1);
        Add(second, reader, In | PollEvents.EPOLLEXCLUSIVE, 2);
        b.Blocks(SyscallNumber.epoll_wait, _a.Share(_epoll, b), b.Allocate(12), 1, -1);
        c.Blocks(SyscallNumber.epoll_wait, _a.Share(second, c), c.Allocate(12), 1, -1);
        _a.Write(writer, "x");
        Assert.True(b.IsWoken ^ c.IsWoken);
    }

    [Fact]
    public void Busy_descriptors_do_not_starve_others()
    {
        var pipes = Enumerable.Range(0, 6).Select(_ => _a.Pipe()).ToArray();
        foreach (var (reader, writer) in pipes)
        {
            Add(_epoll, reader, In, (ulong)reader);
            _a.Write(writer, "x");
        }

        var seen = new HashSet<ulong>();
        for (int i = 0; i < 3; i++) seen.UnionWith(Wait(2).Select(item => item.Data));
        Assert.Equal(6, seen.Count);
    }

    [Fact]
    public void Closed_descriptions_leave_the_set_and_duplicates_keep_them()
    {
        var (reader, writer) = _a.Pipe();
        int duplicate = _a.Ok(SyscallNumber.dup, reader);
        Add(_epoll, reader, In, 1);
        _a.Write(writer, "x");
        _a.Close(reader);
        Assert.Single(Wait());
        Assert.Equal(1, _sandbox.Kernel.EpollWatches);
        _a.Close(duplicate);
        Assert.Empty(Wait());
        Assert.Equal(0, _sandbox.Kernel.EpollWatches);
    }

    [Fact]
    public void Hang_up_is_reported_without_being_asked_for()
    {
        var (reader, writer) = _a.Pipe();
        Add(_epoll, reader, PollEvents.None, 1);
        _a.Close(writer);
        Assert.Equal([(PollEvents.POLLHUP, 1UL)], Wait());
    }

    [Fact]
    public void Sets_can_be_nested_and_polled()
    {
        var (reader, writer) = _a.Pipe();
        int outer = _a.Ok(SyscallNumber.epoll_create1, 0);
        Add(_epoll, reader, In, 1);
        Add(outer, _epoll, In, 2);
        Assert.Equal(PollEvents.None, _a.PollNow(outer));
        _a.Write(writer, "x");
        Assert.Equal(In, _a.PollNow(outer));
        Assert.Equal([(In, 2UL)], Wait(10, outer));
        _a.Read(reader);
        Assert.Equal(PollEvents.None, _a.PollNow(outer));
        Assert.Empty(Wait(10, outer));
    }

    [Fact]
    public void Loops_and_deep_chains_are_ELOOP()
    {
        int second = _a.Ok(SyscallNumber.epoll_create1, 0);
        Add(_epoll, second, In, 1);
        Assert.Equal(Errno.ELOOP, Control(EpollOperation.EPOLL_CTL_ADD, second, _epoll, In, 1));
        Assert.Equal(Errno.EINVAL, Control(EpollOperation.EPOLL_CTL_ADD, second, second, In, 1));

        int last = second;
        var errors = new List<Errno>();
        for (int i = 0; i < 6; i++)
        {
            int next = _a.Ok(SyscallNumber.epoll_create1, 0);
            errors.Add(Control(EpollOperation.EPOLL_CTL_ADD, last, next, In, 1));
            last = next;
        }

        Assert.Equal([Errno.None, Errno.None, Errno.None, Errno.ELOOP, Errno.None, Errno.None], errors);
    }

    [Fact]
    public void Bad_requests_have_their_errors()
    {
        var (reader, _) = _a.Pipe();
        int file = _a.Ok(SyscallNumber.open, _a.Put("/tmp/file\0"u8), (long)(OpenFlags.O_CREAT | OpenFlags.O_RDWR), 0x1B6);
        Assert.Equal(Errno.EPERM, Control(EpollOperation.EPOLL_CTL_ADD, _epoll, file, In, 0));
        Assert.Equal(Errno.EBADF, Control(EpollOperation.EPOLL_CTL_ADD, _epoll, 99, In, 0));
        Assert.Equal(Errno.EINVAL, Control(EpollOperation.EPOLL_CTL_ADD, reader, _epoll, In, 0));
        Assert.Equal(Errno.ENOENT, Control(EpollOperation.EPOLL_CTL_MOD, _epoll, reader, In, 0));
        Assert.Equal(Errno.ENOENT, Control(EpollOperation.EPOLL_CTL_DEL, _epoll, reader, In, 0));
        Add(_epoll, reader, In, 0);
        Assert.Equal(Errno.EEXIST, Control(EpollOperation.EPOLL_CTL_ADD, _epoll, reader, In, 0));
        Assert.Equal(Errno.EINVAL, Control((EpollOperation)9, _epoll, reader, In, 0));
        _a.Fails(Errno.EINVAL, SyscallNumber.epoll_wait, _epoll, 0, 0, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.epoll_wait, reader, _a.Allocate(12), 1, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.epoll_create, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.read, _epoll, _a.Allocate(8), 8);
    }

    [Fact]
    public void Set_is_saved_with_what_it_watches()
    {
        var (reader, writer) = _a.Pipe();
        Add(_epoll, reader, In, 42);
        long events = _a.Allocate(12);
        _a.Blocks(SyscallNumber.epoll_wait, _epoll, events, 1, -1);
        var copy = _sandbox.Reload();
        var a2 = _a.In(copy);
        var b2 = copy.NewProcess();
        Assert.Equal(Errno.None, b2.Thread.Files.Install(a2.Thread.Files.Get(writer)!.AddReference(), false, out int other));
        b2.Write(other, "x");
        Assert.Equal(1, a2.Resume());
        Assert.Equal(42UL, a2.Get<EpollEvent>(events).data);
    }

    [Fact]
    public void A_nested_set_may_be_reached_in_500_ways_and_not_in_one_more()
    {
        // Ten outer sets watch an inner one; each descriptor of the event in the inner one is ten more ways for an event to go.
        int inner = _epoll;
        for (int i = 0; i < 10; i++) Add(_a.Ok(SyscallNumber.epoll_create1, 0), inner, In, 1);
        int reader = _a.Pipe().Reader;
        for (int i = 0; i < 50; i++) Add(inner, _a.Ok(SyscallNumber.dup, reader), In, 1);
        Assert.Equal(Errno.EINVAL, Control(EpollOperation.EPOLL_CTL_ADD, inner, reader, In, 1));
        Assert.Equal(Errno.EINVAL, Control(EpollOperation.EPOLL_CTL_ADD, _a.Ok(SyscallNumber.epoll_create1, 0), inner, In, 1));

        // Another file has its own ways, and sets that nobody watches are not limited.
        Add(inner, _a.Pipe().Reader, In, 1);
        int plain = _a.Ok(SyscallNumber.epoll_create1, 0);
        for (int i = 0; i < 200; i++) Add(plain, _a.Ok(SyscallNumber.dup, reader), In, 1);
        Assert.Equal(50 + 1 + 10 + 200, _sandbox.Kernel.EpollWatches);
    }

    [Fact]
    public void Ways_over_more_sets_are_fewer()
    {
        // Four sets in between: ten ways at most (fs/eventpoll.c, path_limits).
        int lowest = _epoll;
        int below = lowest;
        for (int i = 0; i < 4; i++)
        {
            int above = _a.Ok(SyscallNumber.epoll_create1, 0);
            Add(above, below, In, 1);
            below = above;
        }

        int reader = _a.Pipe().Reader;
        for (int i = 0; i < 10; i++) Add(lowest, _a.Ok(SyscallNumber.dup, reader), In, 1);
        Assert.Equal(Errno.EINVAL, Control(EpollOperation.EPOLL_CTL_ADD, lowest, reader, In, 1));
    }

    [Fact]
    public void Items_leave_from_anywhere_and_a_set_may_close_with_many()
    {
        int before = _sandbox.Kernel.EpollWatches;
        var (reader, writer) = _a.Pipe();
        int[] copies = [.. Enumerable.Range(0, 50).Select(_ => _a.Ok(SyscallNumber.dup, reader))];
        int other = _a.Ok(SyscallNumber.epoll_create1, 0);
        foreach (int copy in copies)
        {
            Add(_epoll, copy, In, (ulong)copy);
            Add(other, copy, In, (ulong)copy);
        }

        foreach (int i in new[] { 0, 25, 49 }) Assert.Equal(Errno.None, Control(EpollOperation.EPOLL_CTL_DEL, _epoll, copies[i], In, 0));
        Assert.Equal(Errno.ENOENT, Control(EpollOperation.EPOLL_CTL_DEL, _epoll, copies[0], In, 0));
        _a.Write(writer, "x");
        Assert.Equal(47, Wait(100).Length);
        _a.Close(_epoll);
        Assert.Equal(50, Wait(100, other).Length);
        Assert.Equal(before + 50, _sandbox.Kernel.EpollWatches);
        _a.Close(reader);
        foreach (int copy in copies) _a.Close(copy);
        Assert.Equal(before, _sandbox.Kernel.EpollWatches);
        Assert.Empty(Wait(100, other));
    }

    [Fact]
    public void Files_that_come_to_have_the_same_number_are_told_apart()
    {
        // A descriptor that is closed leaves its file in the set while another descriptor has it open.
        var (reader, writer) = _a.Pipe();
        Add(_epoll, reader, In, 1);
        int kept = _a.Ok(SyscallNumber.dup, reader);
        List<int> writers = [writer];
        for (int i = 0; i < 3; i++)
        {
            var next = _a.Pipe();
            writers.Add(next.Writer);
            _a.Ok(SyscallNumber.dup, next.Reader);
            _a.Ok(SyscallNumber.dup2, next.Reader, reader);
            Add(_epoll, reader, In, (ulong)i + 2);
        }

        Assert.Equal(Errno.None, Control(EpollOperation.EPOLL_CTL_DEL, _epoll, reader, In, 0));
        foreach (int fd in writers) _a.Write(fd, "x");
        Assert.Equal([1UL, 2UL, 3UL], Wait().Select(found => found.Data));
        _a.Close(kept);
        Assert.Equal([2UL, 3UL], Wait().Select(found => found.Data).Order());
    }

    private Errno Control(EpollOperation operation, int epoll, int fd, PollEvents events, ulong data) =>
        (Errno)(-_a.Call(SyscallNumber.epoll_ctl, epoll, (long)operation, fd, _a.Put(new EpollEvent { events = (uint)events, data = data })));

    private void Add(int epoll, int fd, PollEvents events, ulong data) => Assert.Equal(Errno.None, Control(EpollOperation.EPOLL_CTL_ADD, epoll, fd, events, data));

    private (PollEvents Events, ulong Data)[] Wait(int maximum = 10, int epoll = -1)
    {
        int size = Marshal.SizeOf<EpollEvent>();
        long events = _a.Allocate(maximum * size);
        int count = _a.Ok(SyscallNumber.epoll_wait, epoll < 0 ? _epoll : epoll, events, maximum, 0);
        return [.. Enumerable.Range(0, count).Select(i => _a.Get<EpollEvent>(events + (i * size))).Select(item => ((PollEvents)item.events, item.data))];
    }
}
