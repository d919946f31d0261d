using System.Runtime.InteropServices;
using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Tests.Fakes;

/// <summary>A kernel on a fake machine, with one process whose system calls a test makes itself: arguments lie in real user memory, results come back as values.</summary>
internal sealed class FakeSandbox
{
    private const ulong ScratchSize = 1 << 20;
    private readonly ulong _scratch;
    private ulong _next;

    public FakeSandbox(FakeImage? image = null, ulong memory = 32 << 20, int maxOpenFiles = 1024)
    {
        Image = image ?? new FakeImage();
        Machine = new FakeMachine(memory + (1 << 20)) { FakeMemory = { Image = Image } };
        var limits = new ResourceLimits { MemoryBytes = memory, MaxOpenFiles = maxOpenFiles };
        Kernel = Kernel.Create(new KernelPorts(Machine, Clock, new FakeRandom(), new FakeHost(), Image), limits);
        Thread = AddProcess();
        Thread.Memory.Map(
            new MappingRequest
            {
                Length = ScratchSize,
                Protection = MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE,
                Flags = MappingFlags.MAP_PRIVATE | MappingFlags.MAP_ANONYMOUS,
            },
            out _scratch);
        _next = _scratch;
    }

    private FakeSandbox(FakeSandbox original, Kernel kernel)
    {
        Image = original.Image;
        Machine = original.Machine;
        Clock = original.Clock;
        Kernel = kernel;
        Thread = kernel.Processes.FindThread(original.Thread.Tid)!;
        _scratch = _next = original._scratch;
    }

    public FakeImage Image { get; }

    public FakeMachine Machine { get; }

    public FakeClock Clock { get; } = new();

    public Kernel Kernel { get; }

    public PosixThread Thread { get; }

    /// <summary>The same process in a kernel that was restored from the state of this one, on the same machine.</summary>
    public FakeSandbox On(Kernel restored) => new(this, restored);

    /// <summary>A process with its own descriptors, which shares the address space.</summary>
    public PosixThread AddProcess()
    {
        int pid = Kernel.Processes.NewId();
        var process = new Process(Kernel, pid) { Parent = Kernel.Processes.Init, ProcessGroup = pid, Session = pid };
        for (var resource = ResourceLimit.RLIMIT_CPU; resource <= ResourceLimit.RLIMIT_RTTIME; resource++)
            process.ResourceLimits.Set(resource, ResourceLimitSet.Infinity, ResourceLimitSet.Infinity);
        process.ResourceLimits.Set(ResourceLimit.RLIMIT_NOFILE, 256, 4096);
        var thread = PosixThread.Create(Kernel, process, pid);
        Kernel.Processes.Add(process);
        thread.Credentials = new Credentials();
        thread.FileSystem = new FileSystemContext(Kernel.Mounts.Root);
        thread.Files = new FileDescriptorTable(Kernel, process.ResourceLimits);
        thread.Memory = Thread?.Memory ?? AddressSpace.Create(Kernel)!;
        thread.Name = "test";
        return thread;
    }

    /// <summary>Makes the thread an ordinary user.</summary>
    public void BecomeUser(uint uid) => Thread.Credentials = new Credentials
    {
        Uid = uid, EffectiveUid = uid, SavedUid = uid, FileSystemUid = uid, Gid = uid, EffectiveGid = uid, SavedGid = uid, FileSystemGid = uid,
        Permitted = 0, Effective = 0,
    };

    /// <summary>Room in user memory.</summary>
    public UserAddress Allocate(int length)
    {
        if (_next + (ulong)length > _scratch + ScratchSize) _next = _scratch;
        var address = new UserAddress(_next);
        _next += (ulong)((length + 15) & ~15);
        return address;
    }

    /// <summary>A path in user memory.</summary>
    public UserPath Path(string path) => new(Put(Encoding.Latin1.GetBytes(path + '\0')));

    /// <summary>Bytes in user memory.</summary>
    public UserAddress Put(ReadOnlySpan<byte> bytes)
    {
        var address = Allocate(bytes.Length);
        Assert.Equal(bytes.Length, Thread.Memory.User.Write(address, bytes));
        return address;
    }

    /// <summary>A structure in user memory.</summary>
    public UserAddress Put<T>(T value)
        where T : unmanaged
    {
        var address = Allocate(Marshal.SizeOf<T>());
        Assert.True(Thread.Memory.User.TryWrite(address, value));
        return address;
    }

    /// <summary>Bytes from user memory.</summary>
    public byte[] Get(UserAddress address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.Equal(length, Thread.Memory.User.Read(address, bytes));
        return bytes;
    }

    /// <summary>A structure from user memory.</summary>
    public T Get<T>(UserAddress address)
        where T : unmanaged
    {
        Assert.True(Thread.Memory.User.TryRead(address, out T value));
        return value;
    }

    /// <summary>open(2).</summary>
    public SyscallResult Open(string path, OpenFlags flags = OpenFlags.O_RDONLY, uint mode = 0x1B6) => OpenClose.Open(Thread, Path(path), flags, mode);

    /// <summary>open(2) that must succeed.</summary>
    public int MustOpen(string path, OpenFlags flags = OpenFlags.O_RDONLY, uint mode = 0x1B6)
    {
        var result = Open(path, flags, mode);
        Assert.False(result.IsError, $"open of {path}: {result.Error}");
        return (int)result.Value;
    }

    /// <summary>write(2).</summary>
    public SyscallResult Write(int fd, string text) => ReadWrite.Write(Thread, fd, Put(Encoding.Latin1.GetBytes(text)), (ulong)text.Length);

    /// <summary>read(2) as text.</summary>
    public string Read(int fd, int length = 65536)
    {
        var buffer = Allocate(length);
        var result = ReadWrite.Read(Thread, fd, buffer, (ulong)length);
        Assert.False(result.IsError, $"read: {result.Error}");
        return Encoding.Latin1.GetString(Get(buffer, (int)result.Value));
    }

    /// <summary>The whole of a file.</summary>
    public string ReadFile(string path)
    {
        int fd = MustOpen(path);
        string text = "";
        for (string piece = Read(fd); piece.Length > 0; piece = Read(fd)) text += piece;
        Close(fd);
        return text;
    }

    /// <summary>Makes a file with this content.</summary>
    public void WriteFile(string path, string text, uint mode = 0x1A4)
    {
        int fd = MustOpen(path, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_TRUNC, mode);
        if (text.Length > 0) Assert.Equal(text.Length, Write(fd, text).Value);
        Close(fd);
    }

    /// <summary>close(2).</summary>
    public void Close(int fd) => Assert.Equal(0, OpenClose.Close(Thread, fd));

    /// <summary>lstat(2) or stat(2).</summary>
    public Errno Stat(string path, out Stat stat, bool follow = true)
    {
        var buffer = Allocate(Marshal.SizeOf<Stat>());
        var result = follow ? StatCalls.Stat(Thread, Path(path), buffer) : StatCalls.LStat(Thread, Path(path), buffer);
        stat = result.IsError ? default : Get<Stat>(buffer);
        return result.Error;
    }

    /// <summary>stat(2) that must succeed.</summary>
    public Stat MustStat(string path)
    {
        Assert.Equal(Errno.None, Stat(path, out var stat));
        return stat;
    }

    /// <summary>Names in a directory, sorted, without "." and "..".</summary>
    public string[] List(string path)
    {
        int fd = MustOpen(path, OpenFlags.O_DIRECTORY);
        List<string> names = [];
        var buffer = Allocate(4096);
        while (true)
        {
            var result = Directories.GetDents64(Thread, fd, buffer, 4096);
            Assert.False(result.IsError, $"getdents64: {result.Error}");
            if (result.Value == 0) break;
            byte[] bytes = Get(buffer, (int)result.Value);
            for (int at = 0; at < bytes.Length; at += BitConverter.ToUInt16(bytes, at + 16))
            {
                int end = Array.IndexOf(bytes, (byte)0, at + 19);
                names.Add(Encoding.Latin1.GetString(bytes, at + 19, end - at - 19));
            }
        }

        Close(fd);
        Assert.Contains(".", names);
        Assert.Contains("..", names);
        return [.. names.Where(name => name is not ("." or "..")).Order(StringComparer.Ordinal)];
    }

    /// <summary>mkdir(2).</summary>
    public SyscallResult MakeDirectory(string path, uint mode = 0x1ED) => Directories.MkDir(Thread, Path(path), mode);
}
