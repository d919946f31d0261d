using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Ipc;

public sealed class InotifyTests
{
    private TestSandbox _sandbox = new();
    private TestThread _a;
    private readonly int _fd;

    public InotifyTests()
    {
        _a = _sandbox.NewProcess();
        _a.Ok(SyscallNumber.mkdir, Path("/tmp/w"), 0x1FF);
        _fd = _a.Ok(SyscallNumber.inotify_init1, (long)OpenFlags.O_NONBLOCK);
    }

    [Fact]
    public void A_reader_is_woken_by_an_event_and_gets_the_name()
    {
        int fd = _a.Ok(SyscallNumber.inotify_init);
        int wd = _a.Ok(SyscallNumber.inotify_add_watch, fd, Path("/tmp/w"), (long)InotifyMask.IN_CREATE);
        long buffer = _a.Allocate(4096);
        var b = _sandbox.NewProcess();
        _a.Blocks(SyscallNumber.read, fd, buffer, 4096);
        b.Ok(SyscallNumber.mkdir, b.Put(Encoding.ASCII.GetBytes("/tmp/w/d\0")), 0x1FF);
        Assert.Equal(32, _a.Resume());
        var record = _a.Get<InotifyEvent>(buffer);
        Assert.Equal((wd, InotifyMask.IN_CREATE | InotifyMask.IN_ISDIR, 16u), (record.wd, record.mask, record.len));
        Assert.Equal("d", _a.GetText(buffer + 16, 1));
    }

    [Fact]
    public void Watches_and_events_survive_a_snapshot()
    {
        int wd = Watch("/tmp/w", InotifyMask.IN_CREATE | InotifyMask.IN_DELETE);
        Make("/tmp/w/a");
        _sandbox = _sandbox.Reload();
        _a = _a.In(_sandbox);
        _a.Ok(SyscallNumber.unlink, Path("/tmp/w/a"));
        Assert.Equal([(wd, InotifyMask.IN_CREATE, "a"), (wd, InotifyMask.IN_DELETE, "a")], Events());
    }

    [Fact]
    public void A_full_queue_ends_with_one_overflow_event()
    {
        Watch("/tmp/w", InotifyMask.IN_CREATE | InotifyMask.IN_DELETE);
        for (int i = 0; i < 8200; i++)
        {
            Make("/tmp/w/a");
            _a.Ok(SyscallNumber.unlink, Path("/tmp/w/a"));
        }

        List<(int, InotifyMask, string)> events = [];
        for (var more = Events(); more.Count > 0; more = Events()) events.AddRange(more);
        Assert.Equal(16385, events.Count);
        Assert.Equal((-1, InotifyMask.IN_Q_OVERFLOW, ""), events[^1]);
    }

    [Fact]
    public void Events_count_against_the_budget_and_overflow_beyond_it()
    {
        int wd = Watch("/tmp/w", InotifyMask.IN_CREATE);
        var buffers = _sandbox.Kernel.Buffers;
        long before = buffers.Used;
        Make("/tmp/w/a");
        Assert.True(buffers.Used > before);
        Assert.Equal([(wd, InotifyMask.IN_CREATE, "a")], Events());
        Assert.Equal(before, buffers.Used);

        Make("/tmp/w/b");
        buffers.Limit = buffers.Used;
        Make("/tmp/w/c");
        Make("/tmp/w/d");
        _sandbox = _sandbox.Reload();
        _a = _a.In(_sandbox);
        Assert.Equal([(wd, InotifyMask.IN_CREATE, "b"), (-1, InotifyMask.IN_Q_OVERFLOW, "")], Events());
        Assert.Equal(before, _sandbox.Kernel.Buffers.Used);
        Make("/tmp/w/e");
        _a.Ok(SyscallNumber.close, _fd);
        Assert.Equal(before, _sandbox.Kernel.Buffers.Used);
    }

    [Fact]
    public void Watches_of_one_directory_leave_in_any_order_and_those_that_stay_are_told()
    {
        int[] others = [.. Enumerable.Range(0, 4).Select(_ => _a.Ok(SyscallNumber.inotify_init1, (long)OpenFlags.O_NONBLOCK))];
        foreach (int fd in others) _a.Ok(SyscallNumber.inotify_add_watch, fd, Path("/tmp/w"), (long)(InotifyMask.IN_CREATE | (fd == others[1] ? InotifyMask.IN_ONESHOT : 0)));
        int directory = _a.Ok(SyscallNumber.open, Path("/tmp/w"), 0, 0);
        _a.Ok(SyscallNumber.fcntl, directory, (long)FcntlCommand.F_NOTIFY, 4);
        Watch("/tmp/w", InotifyMask.IN_CREATE);
        Assert.Equal(6, _sandbox.Kernel.Watches.Count);
        _a.Ok(SyscallNumber.close, others[0]);
        Make("/tmp/w/a");

        // The one-shot watch and the notification are over.
        Assert.Equal(3, _sandbox.Kernel.Watches.Count);
        Assert.Equal("a", Assert.Single(Events()).Item3);
        foreach (int fd in others[2..]) Assert.Equal(PollEvents.POLLIN, _a.PollNow(fd));
        _a.Ok(SyscallNumber.close, others[3]);
        _a.Ok(SyscallNumber.close, directory);
        _a.Ok(SyscallNumber.close, others[2]);
        _a.Ok(SyscallNumber.close, _fd);
        Assert.Equal(0, _sandbox.Kernel.Watches.Count);
    }

    [Fact]
    public void Closing_the_instance_frees_its_watches()
    {
        Watch("/tmp/w", InotifyMask.IN_ALL_EVENTS);
        Assert.Equal(1, _sandbox.Kernel.Watches.Count);
        _a.Ok(SyscallNumber.close, _fd);
        Assert.Equal(0, _sandbox.Kernel.Watches.Count);
        Assert.Empty(_sandbox.Kernel.Watches.Instances);
    }

    [Fact]
    public void More_instances_than_allowed_are_EMFILE()
    {
        for (int i = 1; i < 128; i++) _a.Ok(SyscallNumber.inotify_init);
        _a.Fails(Errno.EMFILE, SyscallNumber.inotify_init);
    }

    private long Path(string path) => _a.Put(Encoding.ASCII.GetBytes(path + "\0"));

    private int Watch(string path, InotifyMask mask) => _a.Ok(SyscallNumber.inotify_add_watch, _fd, Path(path), (long)mask);

    private void Make(string path) => _a.Ok(SyscallNumber.close, _a.Ok(SyscallNumber.creat, Path(path), 0x1A4));

    private List<(int, InotifyMask, string)> Events()
    {
        List<(int, InotifyMask, string)> events = [];
        const int Size = 65536;
        long buffer = _a.Allocate(Size);
        long length = _a.Call(SyscallNumber.read, _fd, buffer, Size);
        for (long at = 0; at < length;)
        {
            var record = _a.Get<InotifyEvent>(buffer + at);
            events.Add((record.wd, record.mask, _a.GetText(buffer + at + 16, record.len).TrimEnd('\0')));
            at += 16 + record.len;
        }

        return events;
    }
}
