using Ramet.Kernel.Files;
using Ramet.Kernel.Loading;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel;

/// <summary>What a sandbox runs first.</summary>
public sealed record MainProgram
{
    /// <summary>Path of the program, or a name to be looked up in PATH of <see cref="Environment"/>.</summary>
    public required string Path { get; init; }

    /// <summary>argv, the name first.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>NAME=value.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>Working directory.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>User id; other users than 0 have no capabilities.</summary>
    public uint Uid { get; init; }

    /// <summary>Group id.</summary>
    public uint Gid { get; init; }

    /// <summary>Supplementary groups.</summary>
    public IReadOnlyList<uint> Groups { get; init; } = [];

    /// <summary>Descriptors 0, 1, 2 and on.</summary>
    public IReadOnlyList<FileDescription> Descriptors { get; init; } = [];

    /// <summary>Files to write before it starts.</summary>
    public IReadOnlyList<InjectedFile> Files { get; init; } = [];
}

/// <summary>Starting a kernel: from nothing, or from a snapshot.</summary>
public sealed partial class Kernel
{
    [NotSaved]
    private ISyscallTracer? _tracer;

    /// <summary>The process whose end is the end of the sandbox.</summary>
    public Process? MainProcess { get; private set; }

    /// <summary>Sees system calls; null when nobody asked.</summary>
    public ISyscallTracer? Tracer
    {
        get => _tracer;
        set => _tracer = value;
    }

    /// <summary>A kernel with nothing running.</summary>
    public static Kernel Create(KernelPorts ports, ResourceLimits limits)
    {
        var kernel = new Kernel { _ports = ports, _machine = ports.Machine ?? throw new ArgumentException("A kernel that starts from nothing needs its machine.", nameof(ports)), Limits = limits };
        kernel.SetLimits(limits);
        kernel.Frames = new FrameAllocator(kernel);
        kernel.Scheduler = new Scheduler(kernel);
        kernel.Processes = new ProcessTable(kernel);
        kernel.BootTime = kernel.MonotonicNow;
        kernel.RefreshIdentity();
        kernel.Mounts = StandardMounts.Create(kernel);
        kernel.Vdso = Vdso.Create(kernel);
        return kernel;
    }

    /// <summary>
    /// Starts the main program. On an error nothing runs, and <paramref name="reason"/> is a sentence for the user.
    /// </summary>
    public Errno Start(MainProgram program, out string reason)
    {
        lock (Lock)
        {
            int pid = Processes.NewId();
            var process = new Process(this, pid) { Parent = Processes.Init, ProcessGroup = pid, Session = pid, ResourceLimits = DefaultLimits() };
            var thread = PosixThread.Create(this, process, pid);
            Processes.Init.Children.Add(process);
            Processes.Add(process);
            thread.Credentials = Credentials.OfUser(program.Uid, program.Gid, [.. program.Groups]);
            thread.Uts = Uts;
            thread.FileSystem = new FileSystemContext(Mounts.Root);
            thread.Files = new FileDescriptorTable(this, process.ResourceLimits);
            thread.Memory = AddressSpace.Create(this) ?? throw new InvalidOperationException("The memory limit is too small for any program.");
            MainProcess = process;
            for (int i = 0; i < program.Descriptors.Count; i++) thread.Files.InstallAt(process, program.Descriptors[i], i, closeOnExec: false);
            if (program.Descriptors is [Terminals.TerminalDescription terminal, ..]) terminal.Terminal.AcquireOnOpen(process);
            var error = Execution.StartMain(thread, program, out reason);
            if (error == Errno.None) Scheduler.Enqueue(thread);
            return error;
        }
    }

    /// <summary>
    /// The state of the kernel in its compact form. The sandbox must stand still (<see cref="RequestStop"/>, and all <see cref="RunVcpu"/> have returned); afterwards it can go on.
    /// </summary>
    /// <param name="asTemplate">Memory will be frozen for good: what is in free frames is wiped first.</param>
    /// <exception cref="InvalidOperationException">It runs, or has ended.</exception>
    public byte[] Save(bool asTemplate = false)
    {
        lock (Lock)
        {
            if (HasExited) throw new InvalidOperationException("The sandbox has ended.");
            SavesTemplate = asTemplate;
            foreach (var context in Scheduler.Vcpus)
            {
                if (context.HasHostThread) throw new InvalidOperationException("The sandbox still runs.");
                Vacate(context);
            }

            if (!_clockStopped) _savedMonotonic = MonotonicNow;
            return StateSerializer.Save(this);
        }
    }

    /// <summary>
    /// A kernel from its compact form. It needs no machine yet, so it can be loaded while that is being made, or long before it is wanted; <see cref="Begin"/> comes before anything else.
    /// </summary>
    /// <exception cref="StateFormatException">The bytes are damaged or of another version.</exception>
    public static Kernel Load(KernelPorts ports, ReadOnlyMemory<byte> state, ResourceLimits? limits = null, StateStrings? strings = null)
    {
        var kernel = StateSerializer.Load<Kernel>(state, ports, strings: strings);
        if (limits is not null) kernel.SetLimits(limits);
        return kernel;
    }

    /// <summary>
    /// Makes a loaded kernel a new sandbox, on a machine whose memory holds the snapshot's: identity, randomness and clocks are its own, and memory that asked for it is wiped. Its
    /// programs run from <see cref="Continue"/> on.
    /// </summary>
    /// <param name="machine">The machine; null: that of the ports it was loaded with.</param>
    /// <param name="limits">Limits of this sandbox; null: those it was loaded with.</param>
    public void Begin(IMachine? machine = null, ResourceLimits? limits = null)
    {
        lock (Lock)
        {
            if (machine is not null) _machine = machine;
            if (limits is not null) SetLimits(limits);
            SetClock();
            RealtimeOffset = 0;
            Generation++;
            RefreshIdentity();
            Vdso.Refresh();
            foreach (var space in AddressSpaces()) space.WipeForFork();
        }
    }

    private void SetLimits(ResourceLimits limits)
    {
        Limits = limits;
        Buffers.Limit = BufferLimit(limits);

        // Not less than names may take of tmpfs, so that every directory can be read when no other is being read.
        Listings.Limit = Math.Max((long)(limits.MemoryBytes / 8), 16L << 20);
    }

    [NotSaved]
    internal bool SavesTemplate { get; private set; }

    /// <summary>A page-table root that is valid while nothing runs.</summary>
    public ulong PageTableRoot => AddressSpaces().First().Root;

    /// <summary>All address spaces, each once.</summary>
    internal IEnumerable<AddressSpace> AddressSpaces() =>
        Processes.All.SelectMany(process => process.Threads).Select(thread => thread.Memory).Distinct();

    /// <summary>The vDSO, shared by all programs of the sandbox.</summary>
    internal Vdso Vdso { get; private set; } = null!;

    private long _savedMonotonic;

    private void OnLoaded(StateReader reader)
    {
        _ports = (KernelPorts)(reader.Context ?? throw new StateFormatException("A kernel is loaded with its ports as context."));
        _machine = _ports.Machine!;
        SetClock();
    }

    /// <summary>Time stood still for the sandbox while it was frozen: its clock goes on from there.</summary>
    private void SetClock() => _monotonicOffset = _savedMonotonic - _ports.Clock.MonotonicNanoseconds;

    private void RefreshIdentity()
    {
        Span<byte> bytes = stackalloc byte[16];
        Random.Fill(bytes);
        BootId = new Guid(bytes);
        HostName = "ramet-" + Convert.ToHexStringLower(bytes[..4]);
    }

    /// <summary>Pipes and sockets hold memory of the host beside the sandbox's RAM: a quarter of that at most.</summary>
    private static long BufferLimit(ResourceLimits limits) => Math.Clamp((long)(limits.MemoryBytes / 4), 1L << 20, 64L << 20);

    private ResourceLimitSet DefaultLimits()
    {
        var set = new ResourceLimitSet();
        for (int i = 0; i < 16; i++) set.Set((ResourceLimit)i, ResourceLimitSet.Infinity, ResourceLimitSet.Infinity);
        set.Set(ResourceLimit.RLIMIT_STACK, 8 << 20, ResourceLimitSet.Infinity);
        set.Set(ResourceLimit.RLIMIT_CORE, 0, ResourceLimitSet.Infinity);
        set.Set(ResourceLimit.RLIMIT_NPROC, (ulong)Limits.MaxThreads, (ulong)Limits.MaxThreads);
        set.Set(ResourceLimit.RLIMIT_NOFILE, Math.Min(1024, (ulong)Limits.MaxOpenFiles), (ulong)Math.Min(Limits.MaxOpenFiles, 1048576));
        set.Set(ResourceLimit.RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
        set.Set(ResourceLimit.RLIMIT_SIGPENDING, 4096, 4096);
        set.Set(ResourceLimit.RLIMIT_MSGQUEUE, 819200, 819200);
        set.Set(ResourceLimit.RLIMIT_NICE, 0, 0);
        set.Set(ResourceLimit.RLIMIT_RTPRIO, 0, 0);
        return set;
    }
}
