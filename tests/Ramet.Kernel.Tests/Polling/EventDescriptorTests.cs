using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Xunit;

namespace Ramet.Kernel.Tests.Polling;

/// <summary>eventfd, timerfd and signalfd.</summary>
public sealed class EventDescriptorTests
{
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public EventDescriptorTests() => _a = _sandbox.NewProcess();

    [Fact]
    public void Eventfd_adds_up_and_is_read_as_a_whole()
    {
        int fd = _a.Ok(SyscallNumber.eventfd2, 3, (long)EventFdFlags.EFD_NONBLOCK);
        Add(fd, 4);
        Assert.Equal(7UL, Take(fd));
        _a.Fails(Errno.EAGAIN, SyscallNumber.read, fd, _a.Allocate(8), 8);
        _a.Fails(Errno.EINVAL, SyscallNumber.read, fd, _a.Allocate(8), 7);
        _a.Fails(Errno.EINVAL, SyscallNumber.write, fd, _a.Put(ulong.MaxValue), 8);
    }

    [Fact]
    public void Eventfd_semaphore_gives_one_at_a_time()
    {
        int fd = _a.Ok(SyscallNumber.eventfd2, 2, (long)(EventFdFlags.EFD_SEMAPHORE | EventFdFlags.EFD_NONBLOCK));
        Assert.Equal(1UL, Take(fd));
        Assert.Equal(1UL, Take(fd));
        _a.Fails(Errno.EAGAIN, SyscallNumber.read, fd, _a.Allocate(8), 8);
    }

    [Fact]
    public void Eventfd_write_waits_while_the_counter_is_full()
    {
        var b = _sandbox.NewProcess();
        int fd = _a.Ok(SyscallNumber.eventfd2, 0, 0);
        int other = _a.Share(fd, b);
        Add(fd, ulong.MaxValue - 1);
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(fd));
        b.Blocks(SyscallNumber.write, other, b.Put(1UL), 8);
        Assert.Equal(ulong.MaxValue - 1, Take(fd));
        Assert.Equal(8, b.Resume());
        Assert.Equal(1UL, Take(fd));
    }

    [Fact]
    public void Timerfd_counts_expirations()
    {
        int fd = _a.Ok(SyscallNumber.timerfd_create, (long)TimerFdClock.CLOCK_MONOTONIC, 0);
        SetTimer(fd, 0, 10, 10);
        long buffer = _a.Allocate(8);
        _a.Blocks(SyscallNumber.read, fd, buffer, 8);
        _sandbox.Advance(11);
        Assert.Equal(8, _a.Resume());
        Assert.Equal(1UL, _a.Get<ulong>(buffer));
        _sandbox.Advance(30);
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(fd));
        Assert.Equal(3UL, Take(fd));
        Assert.Equal(PollEvents.None, _a.PollNow(fd));
    }

    [Fact]
    public void Timerfd_tells_what_is_left_and_stops()
    {
        int fd = _a.Ok(SyscallNumber.timerfd_create, (long)TimerFdClock.CLOCK_BOOTTIME, 0);
        SetTimer(fd, 0, 10, 0);
        _sandbox.Advance(4);
        long value = _a.Allocate(32);
        _a.Ok(SyscallNumber.timerfd_gettime, fd, value);
        Assert.Equal(6_000_000, _a.Get<ITimerspec>(value).it_value.tv_nsec);
        SetTimer(fd, 0, 0, 0);
        _sandbox.Advance(20);
        Assert.Equal(PollEvents.None, _a.PollNow(fd));
        _a.Ok(SyscallNumber.timerfd_gettime, fd, value);
        Assert.Equal(0, _a.Get<ITimerspec>(value).it_value.tv_nsec);
    }

    [Theory]
    [InlineData(TimerFdClock.CLOCK_REALTIME)]
    [InlineData(TimerFdClock.CLOCK_MONOTONIC)]
    public void Timerfd_takes_absolute_times_of_its_clock(TimerFdClock clock)
    {
        int fd = _a.Ok(SyscallNumber.timerfd_create, (long)clock, 0);
        long now = clock == TimerFdClock.CLOCK_REALTIME ? _sandbox.Kernel.RealtimeNow : _sandbox.Kernel.MonotonicNow;
        SetTimer(fd, (long)TimerFdFlags.TFD_TIMER_ABSTIME, (now / 1_000_000) + 5, 0);
        _sandbox.Advance(4);
        Assert.Equal(PollEvents.None, _a.PollNow(fd));
        _sandbox.Advance(2);
        Assert.Equal(1UL, Take(fd));
        SetTimer(fd, (long)TimerFdFlags.TFD_TIMER_ABSTIME, 1, 0);
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(fd));
    }

    [Fact]
    public void Timerfd_refuses_what_it_does_not_know()
    {
        _a.Fails(Errno.EINVAL, SyscallNumber.timerfd_create, 3, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.timerfd_create, 1, 1);
        int fd = _a.Ok(SyscallNumber.timerfd_create, 1, 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.timerfd_settime, fd, 0, _a.Put(new ITimerspec { it_value = new Timespec { tv_nsec = 1_000_000_000 } }), 0);
        _a.Fails(Errno.EINVAL, SyscallNumber.write, fd, _a.Put(1UL), 8);
        _a.Fails(Errno.EBADF, SyscallNumber.timerfd_gettime, 99, _a.Allocate(32));
    }

    [Fact]
    public void Timerfd_whose_interval_lies_beyond_all_times_expires_once()
    {
        int fd = _a.Ok(SyscallNumber.timerfd_create, (long)TimerFdClock.CLOCK_MONOTONIC, 0);
        SetTimer(fd, new Timespec { tv_nsec = 1 }, new Timespec { tv_sec = 9_223_372_036 });
        _sandbox.Advance(1);
        Assert.Equal(1UL, Take(fd));
        Assert.Equal(PosixThread.Never, _sandbox.Kernel.Timers.NextDueTime);
        SetTimer(fd, new Timespec { tv_sec = long.MaxValue }, new Timespec { tv_nsec = 1 });
        _sandbox.Advance(1);
        Assert.Equal(PollEvents.None, _a.PollNow(fd));
    }

    [Fact]
    public void Timerfd_with_a_tiny_interval_counts_all_expirations_but_wakes_the_host_rarely()
    {
        int fd = _a.Ok(SyscallNumber.timerfd_create, (long)TimerFdClock.CLOCK_MONOTONIC, 0);
        SetTimer(fd, new Timespec { tv_nsec = 1 }, new Timespec { tv_nsec = 1 });
        long set = _sandbox.Kernel.MonotonicNow;
        _sandbox.Advance(1);
        long first = _sandbox.Kernel.MonotonicNow;
        Assert.True(_sandbox.Kernel.Timers.NextDueTime >= first + 100_000);
        _sandbox.Kernel.StopClock();
        var reloaded = _sandbox.Reload();
        var a = _a.In(reloaded);
        reloaded.Advance(1);
        long buffer = a.Allocate(8);
        Assert.Equal(8, a.Call(SyscallNumber.read, fd, buffer, 8));
        Assert.Equal((ulong)(reloaded.Kernel.MonotonicNow - set), a.Get<ulong>(buffer));
    }

    [Fact]
    public void A_thousand_timers_that_are_due_run_in_portions()
    {
        const int Count = 1500;
        _a.Thread.Process.ResourceLimits.Set(ResourceLimit.RLIMIT_NOFILE, 2 * Count, 2 * Count);
        long spec = _a.Put(new ITimerspec { it_value = new Timespec { tv_nsec = 1 } });
        var fds = new int[Count];
        for (int i = 0; i < Count; i++)
        {
            fds[i] = _a.Ok(SyscallNumber.timerfd_create, (long)TimerFdClock.CLOCK_MONOTONIC, 0);
            _a.Ok(SyscallNumber.timerfd_settime, fds[i], 0, spec, 0);
        }

        _sandbox.Advance(1);
        Assert.True(_sandbox.Kernel.Timers.NextDueTime <= _sandbox.Kernel.MonotonicNow, "No timer is left for the next call.");
        _sandbox.Advance(0);
        Assert.Equal(PosixThread.Never, _sandbox.Kernel.Timers.NextDueTime);
        Assert.All(fds, fd => Assert.True((_a.Thread.Files.Get(fd)!.Poll() & PollEvents.POLLIN) != 0));
    }

    [Theory]
    [InlineData(0, 0, 9_223_372_036)]
    [InlineData(1, 9_223_372_035, 1)]
    [InlineData(2, 9_223_372_036, 9_223_372_036)]
    public void Interval_timers_beyond_all_times_stand_still(int which, long first, long interval)
    {
        _a.Thread.SignalMask = ulong.MaxValue;
        var value = new ITimerval { it_value = new Timeval { tv_sec = first, tv_usec = 1 }, it_interval = new Timeval { tv_sec = interval } };
        _a.Ok(SyscallNumber.setitimer, which, _a.Put(value), 0);
        for (int i = 0; i < 10; i++) _sandbox.Advance(5000);
        Assert.True(_sandbox.Kernel.Timers.NextDueTime > _sandbox.Kernel.MonotonicNow, "A timer is due for ever.");
        Assert.Equal(which == 0, _a.Thread.Process.Pending.Mask != 0);
    }

    [Fact]
    public void Signalfd_reads_signals_that_are_blocked()
    {
        ulong mask = Signal.Bit(Signal.SIGUSR1) | Signal.Bit(Signal.SIGCHLD);
        _a.Thread.SignalMask = mask;
        int fd = _a.Ok(SyscallNumber.signalfd4, -1, _a.Put(mask), 8, 0);
        long buffer = _a.Allocate(256);
        _a.Blocks(SyscallNumber.read, fd, buffer, 256);
        _a.Thread.Process.SendSignal(new SignalInfo { Signal = Signal.SIGUSR1, Code = SignalInfo.SI_USER, Pid = 123, Uid = 5 });
        Assert.Equal(128, _a.Resume());
        Assert.Equal((Signal.SIGUSR1, 123, 5), (_a.Get<int>(buffer), _a.Get<int>(buffer + 12), _a.Get<int>(buffer + 16)));
        Assert.Equal(PollEvents.None, _a.PollNow(fd));
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(fd));
    }

    [Fact]
    public void Signalfd_can_be_given_another_set()
    {
        _a.Thread.SignalMask = ulong.MaxValue;
        int fd = _a.Ok(SyscallNumber.signalfd4, -1, _a.Put(Signal.Bit(Signal.SIGUSR1)), 8, (long)SignalFdFlags.SFD_NONBLOCK);
        _a.Thread.SendSignal(Signal.SIGUSR2);
        _a.Fails(Errno.EAGAIN, SyscallNumber.read, fd, _a.Allocate(128), 128);
        Assert.Equal(fd, _a.Call(SyscallNumber.signalfd4, fd, _a.Put(Signal.Bit(Signal.SIGUSR2)), 8, 0));
        Assert.Equal(128, _a.Call(SyscallNumber.read, fd, _a.Allocate(128), 128));
        _a.Fails(Errno.EINVAL, SyscallNumber.read, fd, _a.Allocate(128), 127);
    }

    [Fact]
    public void Names_in_proc_are_those_of_linux()
    {
        int fd = _a.Ok(SyscallNumber.eventfd2, 0, 0);
        Assert.Equal("anon_inode:[eventfd]", _a.Thread.Files.Get(fd)!.AnonymousName);
        Assert.Matches(@"^pipe:\[\d+\]$", _a.Thread.Files.Get(_a.Pipe().Reader)!.AnonymousName);
    }

    private void Add(int fd, ulong value) => Assert.Equal(8, _a.Call(SyscallNumber.write, fd, _a.Put(value), 8));

    private ulong Take(int fd)
    {
        long buffer = _a.Allocate(8);
        Assert.Equal(8, _a.Call(SyscallNumber.read, fd, buffer, 8));
        return _a.Get<ulong>(buffer);
    }

    private void SetTimer(int fd, long flags, long milliseconds, long interval)
    {
        static Timespec Time(long milliseconds) => new() { tv_sec = milliseconds / 1000, tv_nsec = milliseconds % 1000 * 1_000_000 };
        _a.Ok(SyscallNumber.timerfd_settime, fd, flags, _a.Put(new ITimerspec { it_value = Time(milliseconds), it_interval = Time(interval) }), 0);
    }

    private void SetTimer(int fd, Timespec value, Timespec interval) =>
        _a.Ok(SyscallNumber.timerfd_settime, fd, 0, _a.Put(new ITimerspec { it_value = value, it_interval = interval }), 0);
}
