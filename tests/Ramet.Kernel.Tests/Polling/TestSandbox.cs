using System.Runtime.InteropServices;
using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;
using Xunit;
using ThreadState = Ramet.Kernel.Processes.ThreadState;

namespace Ramet.Kernel.Tests.Polling;

/// <summary>A kernel whose programs are the tests: they make system calls through the table, with arguments in the memory of a process.</summary>
internal sealed class TestSandbox
{
    private const ulong Memory = 64 << 20;
    private readonly KernelPorts _ports;

    public TestSandbox(int maxOpenFiles = 65536)
    {
        var image = new FakeImage();
        var machine = new FakeMachine(Memory + (1 << 20)) { FakeMemory = { Image = image } };
        _ports = new KernelPorts(machine, Clock, new FakeRandom(), new FakeHost(), image);
        Kernel = Kernel.Create(_ports, new ResourceLimits { MemoryBytes = Memory, MaxOpenFiles = maxOpenFiles });
    }

    private TestSandbox(TestSandbox original)
    {
        _ports = original._ports;
        Clock = original.Clock;
        Kernel = StateSerializer.Load<Kernel>(StateSerializer.Save(original.Kernel), _ports);
    }

    public FakeClock Clock { get; } = new();

    public Kernel Kernel { get; }

    /// <summary>The same sandbox from its saved form (on the same memory).</summary>
    public TestSandbox Reload() => new(this);

    /// <summary>A thread of a new process.</summary>
    public TestThread NewProcess(uint uid = 0)
    {
        var limits = new ResourceLimitSet();
        for (int i = 0; i < 16; i++) limits.Set((ResourceLimit)i, ResourceLimitSet.Infinity, ResourceLimitSet.Infinity);
        limits.Set(ResourceLimit.RLIMIT_NOFILE, 1024, 4096);
        int pid = Kernel.Processes.NewId();
        var process = new Process(Kernel, pid) { Parent = Kernel.Processes.Init, ResourceLimits = limits };
        Kernel.Processes.Init.Children.Add(process);
        Kernel.Processes.Add(process);
        var thread = PosixThread.Create(Kernel, process, pid);
        thread.Credentials = new Credentials { Uid = uid, EffectiveUid = uid, SavedUid = uid, FileSystemUid = uid };
        if (uid != 0) thread.Credentials.Effective = thread.Credentials.Permitted = 0;
        thread.FileSystem = new FileSystemContext(Kernel.Mounts.Root);
        thread.Files = new FileDescriptorTable(Kernel, limits);
        thread.Memory = AddressSpace.Create(Kernel)!;
        return new TestThread(this, thread);
    }

    /// <summary>Lets time pass.</summary>
    public void Advance(long milliseconds)
    {
        Clock.MonotonicNanoseconds += milliseconds * 1_000_000;
        Kernel.Timers.RunDue(Kernel.MonotonicNow);
    }
}

/// <summary>A thread whose program is the test.</summary>
internal sealed class TestThread
{
    private const int ScratchSize = 1 << 21;

    // By reflection, since the test assembly has a generated table of its own, for the generator's tests.
    private static readonly Dispatcher Table = typeof(Kernel).Assembly.GetType("Ramet.Kernel.Syscalls.SyscallTable", throwOnError: true)!
        .GetMethod("Dispatch")!.CreateDelegate<Dispatcher>();

    private ulong _scratch;
    private ulong _next;

    private readonly long[] _reused = new long[4];
    private int _reusedNext;

    private delegate SyscallResult Dispatcher(PosixThread thread, int number, in SyscallArguments arguments);

    public TestThread(TestSandbox sandbox, PosixThread thread)
    {
        Sandbox = sandbox;
        Thread = thread;
        var request = new MappingRequest { Length = ScratchSize, Protection = MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE, Flags = MappingFlags.MAP_PRIVATE };
        Assert.Equal(Errno.None, thread.Memory.Map(request, out _scratch));
        _next = _scratch;
    }

    /// <summary>The same thread in a reloaded sandbox.</summary>
    private TestThread(TestSandbox sandbox, PosixThread thread, TestThread original)
    {
        Sandbox = sandbox;
        Thread = thread;
        (_scratch, _next) = (original._scratch, original._next);
    }

    public TestSandbox Sandbox { get; }

    public PosixThread Thread { get; }

    public TestThread In(TestSandbox reloaded) => new(reloaded, reloaded.Kernel.Processes.FindThread(Thread.Tid)!, this);

    /// <summary>Whether the thread waits in a call.</summary>
    public bool IsBlocked => Thread.State == ThreadState.Blocked;

    /// <summary>Whether a blocked call has been woken: <see cref="Resume"/> will run it again.</summary>
    public bool IsWoken => Thread.InSyscall && Thread.State == ThreadState.Runnable;

    /// <summary>Makes a call. Null: it blocks.</summary>
    public long? Try(SyscallNumber number, params long[] arguments)
    {
        Assert.False(Thread.InSyscall, "The thread is still in a call.");
        Thread.BeginSyscall();
        Thread.SyscallNumber = (int)number;
        ulong Argument(int i) => i < arguments.Length ? (ulong)arguments[i] : 0;
        Thread.Registers = new UserRegisters
        {
            Rax = (ulong)number,
            Rdi = Argument(0),
            Rsi = Argument(1),
            Rdx = Argument(2),
            R10 = Argument(3),
            R8 = Argument(4),
            R9 = Argument(5),
        };
        Thread.InSyscall = true;
        return Dispatch();
    }

    /// <summary>Makes a call that is to end at once.</summary>
    public long Call(SyscallNumber number, params long[] arguments)
    {
        var result = Try(number, arguments);
        Assert.True(result is not null, $"{number} blocks.");
        return result.Value;
    }

    /// <summary>Makes a call that is to succeed at once.</summary>
    public int Ok(SyscallNumber number, params long[] arguments)
    {
        long result = Call(number, arguments);
        Assert.True(result >= 0, $"{number} fails with {(Errno)(-result)}.");
        return (int)result;
    }

    /// <summary>Makes a call that is to fail.</summary>
    public void Fails(Errno error, SyscallNumber number, params long[] arguments) => Assert.Equal(error, (Errno)(-Call(number, arguments)));

    /// <summary>Makes a call that is to block.</summary>
    public void Blocks(SyscallNumber number, params long[] arguments) => Assert.Null(Try(number, arguments));

    /// <summary>Runs the blocked call again, as the scheduler does once it is woken. Null: it blocks again.</summary>
    public long? TryResume()
    {
        Assert.True(IsWoken, "Nothing has woken the thread.");
        Thread.StopWaiting();
        Thread.Resuming = true;
        return Dispatch();
    }

    /// <summary>The same, and the call is to end.</summary>
    public long Resume()
    {
        var result = TryResume();
        Assert.True(result is not null, "The call blocks again.");
        return result.Value;
    }

    /// <summary>Memory of the program.</summary>
    public long Allocate(int bytes)
    {
        ulong address = _next;
        _next += ((ulong)bytes + 15) & ~15UL;
        Assert.True(_next <= _scratch + ScratchSize, "The test needs more scratch memory.");
        return (long)address;
    }

    public long Put(ReadOnlySpan<byte> bytes)
    {
        long address = Allocate(Math.Max(1, bytes.Length));
        Assert.Equal(bytes.Length, Thread.Memory.User.Write(new UserAddress((ulong)address), bytes));
        return address;
    }

    /// <summary>Bytes where those of the call before were, for tests that make very many calls.</summary>
    public long Reuse(ReadOnlySpan<byte> bytes)
    {
        if (_reused[_reusedNext] == 0) _reused[_reusedNext] = Allocate(4096);
        long address = _reused[_reusedNext];
        _reusedNext = (_reusedNext + 1) % _reused.Length;
        Assert.Equal(bytes.Length, Thread.Memory.User.Write(new UserAddress((ulong)address), bytes));
        return address;
    }

    public long Put<T>(T value)
        where T : unmanaged => Put(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    public long Put<T>(T[] values)
        where T : unmanaged => Put(MemoryMarshal.AsBytes<T>(values));

    public byte[] Get(long address, int count)
    {
        var bytes = new byte[count];
        Assert.Equal(count, Thread.Memory.User.Read(new UserAddress((ulong)address), bytes));
        return bytes;
    }

    public T Get<T>(long address)
        where T : unmanaged => MemoryMarshal.Read<T>(Get(address, Marshal.SizeOf<T>()));

    public string GetText(long address, long count) => Encoding.ASCII.GetString(Get(address, (int)count));

    public long Write(int fd, string text) => Call(SyscallNumber.write, fd, Put(Encoding.ASCII.GetBytes(text)), text.Length);

    /// <summary>Reads what is there, as text.</summary>
    public string Read(int fd, int count = 4096)
    {
        long buffer = Allocate(count);
        return GetText(buffer, Ok(SyscallNumber.read, fd, buffer, count));
    }

    public void Close(int fd) => Ok(SyscallNumber.close, fd);

    public (int A, int B) Pair(SyscallNumber number, params long[] arguments)
    {
        long fds = Allocate(8);
        Ok(number, number == SyscallNumber.socketpair ? [.. arguments, fds] : [fds, .. arguments]);
        return (Get<int>(fds), Get<int>(fds + 4));
    }

    public (int Reader, int Writer) Pipe(OpenFlags flags = 0) => Pair(SyscallNumber.pipe2, (long)flags);

    /// <summary>What poll says of one descriptor now.</summary>
    public PollEvents PollNow(int fd, PollEvents events = PollEvents.POLLIN | PollEvents.POLLOUT | PollEvents.POLLRDHUP)
    {
        long fds = Put(new PollFd { fd = fd, events = (ushort)events });
        Ok(SyscallNumber.poll, fds, 1, 0);
        return (PollEvents)Get<PollFd>(fds).revents;
    }

    /// <summary>Gives a descriptor for the same description to another process, as fork does.</summary>
    public int Share(int fd, TestThread other)
    {
        Assert.Equal(Errno.None, other.Thread.Files.Install(Thread.Files.Get(fd)!.AddReference(), false, out int descriptor));
        return descriptor;
    }

    private long? Dispatch()
    {
        var result = Table(Thread, Thread.SyscallNumber, new SyscallArguments(Thread.Registers));
        if (result.IsBlocked) return null;
        Thread.InSyscall = false;
        if (!Thread.SignalPending) Thread.RestoreSignalMask();
        return result.Value;
    }
}
