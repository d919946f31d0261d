using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Time;

namespace Ramet.Kernel;

/// <summary>
/// The kernel of one sandbox: everything that its programs can see or change hangs off here, and nothing is static. One lock (<see cref="Lock"/>) is held while a system
/// call, a fault or a timer is served; these never wait, so guest code of other threads runs in parallel outside it.
/// </summary>
[Saved]
public sealed partial class Kernel
{
    [NotSaved]
    private KernelPorts _ports = null!;

    private Kernel()
    {
    }

    /// <summary>Held while anything of this kernel is read or changed.</summary>
    [NotSaved]
    public Lock Lock { get; } = new();

    [NotSaved]
    private IMachine _machine = null!;

    /// <summary>The machine that it runs on.</summary>
    public IMachine Machine => _machine;

    /// <summary>The process that hosts it.</summary>
    internal IKernelHost Host => _ports.Host;

    /// <summary>The host's randomness.</summary>
    public IHostRandom Random => _ports.Random;

    /// <summary>The files of the image, below the writable layer.</summary>
    public IReadOnlyImage Image => _ports.Image;

    /// <summary>Page frames of RAM.</summary>
    public FrameAllocator Frames { get; private set; } = null!;

    /// <summary>Memory areas of all address spaces: each is an object of the host.</summary>
    internal long AreaCount { get; set; }

    /// <summary>How many of them there may be: for every page of memory one, and room for a process that uses as many as one may.</summary>
    internal long MaxAreaCount => (long)(Limits.MemoryBytes / GuestMemory.PageSize) + AddressSpace.MaxAreas;

    /// <summary>Pending timers.</summary>
    public TimerQueue Timers { get; private set; } = new();

    /// <summary>Threads that are ready to run, and the virtual CPUs.</summary>
    public Scheduler Scheduler { get; private set; } = null!;

    /// <summary>Processes and threads by id.</summary>
    public ProcessTable Processes { get; private set; } = null!;

    /// <summary>What is mounted where.</summary>
    public MountTable Mounts { get; internal set; } = null!;

    /// <summary>Limits of the sandbox.</summary>
    public ResourceLimits Limits { get; private set; } = new();

    /// <summary>Counters for --stats and metrics.</summary>
    public KernelStatistics Statistics { get; private set; } = new();

    /// <summary>Host name (sethostname(2)).</summary>
    public string HostName
    {
        get => Uts.HostName;
        set => Uts.HostName = value;
    }

    /// <summary>Names of the machine, as the sandbox begins.</summary>
    internal UtsNamespace Uts { get; private set; } = new();

    /// <summary>The files of /etc that say the host name.</summary>
    internal FileSystems.HostNameFiles HostNames { get; private set; } = new();

    /// <summary>/proc/sys/kernel/random/boot_id; fresh in each fork.</summary>
    public Guid BootId { get; private set; }

    /// <summary>Number of forks and restores that this kernel has come through; programs can watch it.</summary>
    public long Generation { get; private set; }

    /// <summary>Pages for MAP_SHARED|MAP_ANONYMOUS.</summary>
    internal MemoryObject CreateSharedMemory(ulong size) => new PageStore(this, (long)Math.Min(size, long.MaxValue));
}

/// <summary>The ports through which a kernel reaches its machine and its host.</summary>
/// <param name="Machine">Memory and virtual CPUs; null when <see cref="Kernel.Begin"/> brings it.</param>
/// <param name="Clock">Clocks.</param>
/// <param name="Random">Randomness.</param>
/// <param name="Host">The hosting process.</param>
/// <param name="Image">The image's files.</param>
public sealed record KernelPorts(IMachine? Machine, IHostClock Clock, IHostRandom Random, IKernelHost Host, IReadOnlyImage Image);
