using Ramet.Images;
using Ramet.Kernel.Files;
using Ramet.Kernel.Terminals;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>What a process needs to run sandboxes: the KVM device, host threads, a clock, and images that are open.</summary>
public sealed partial class SandboxEngine : IDisposable
{
    private readonly Dictionary<string, ImageLayer> _layers = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Opens KVM.</summary>
    /// <param name="dataDirectory">Where images and templates are kept.</param>
    /// <param name="kvmDevice">The device.</param>
    /// <exception cref="KvmException">KVM cannot be used; the message says why and what to do.</exception>
    public SandboxEngine(string dataDirectory, string kvmDevice = "/dev/kvm")
    {
        Device = KvmDevice.Open(kvmDevice);
        DataDirectory = dataDirectory;
        Images = new ImageStore(dataDirectory, PythonByteCode.StoreOptions(kvmDevice));
        Reaper = new Reaper(Threads);
        Spares = new SpareMachines(this);
    }

    /// <summary>The KVM device.</summary>
    public KvmDevice Device { get; }

    /// <summary>Where images and templates are kept.</summary>
    public string DataDirectory { get; }

    /// <summary>Images on disk.</summary>
    public ImageStore Images { get; }

    /// <summary>Whether images are kept in large pages where templates can use them: worth its milliseconds where many sandboxes are forked.</summary>
    public bool UsesLargePages { get; init; }

    /// <summary>How many empty virtual machines stand ready for forks that are not from a pool. 0, unless set.</summary>
    public int SpareMachineCount
    {
        get => Spares.Count;
        set => Spares.Count = value;
    }

    /// <summary>Makes the empty machines that are missing now, instead of a little later.</summary>
    public void RefillSpareMachines() => Spares.Refill();

    internal SpareMachines Spares { get; }

    internal AlarmClock Alarms { get; } = new();

    internal HostThreads Threads { get; } = new();

    internal Reaper Reaper { get; }

    /// <summary>Processors of the host that run guests, or poll for them.</summary>
    private int _busyProcessors;

    internal void BeginRun() => Interlocked.Increment(ref _busyProcessors);

    internal void EndRun() => Interlocked.Decrement(ref _busyProcessors);

    /// <summary>Takes a processor for a thread that polls, if one seems to be free: until <see cref="ReleasePoller"/>.</summary>
    internal bool TryReservePoller()
    {
        if (Interlocked.Increment(ref _busyProcessors) <= Environment.ProcessorCount) return true;
        Interlocked.Decrement(ref _busyProcessors);
        return false;
    }

    internal void ReleasePoller() => Interlocked.Decrement(ref _busyProcessors);

    /// <summary>Waits until all sandboxes that were disposed are gone: their virtual machines closed, their memory given back.</summary>
    public void WaitForTeardown() => Reaper.Drain();

    /// <summary>Ends host threads that are kept for the next sandbox.</summary>
    public void ReleaseIdleThreads() => Threads.Trim();

    /// <summary>An image of the store, opened once. Built first if it is a built-in one that is missing or outdated.</summary>
    public async Task<ImageLayer> OpenImageAsync(string name, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        var image = await Images.EnsureAsync(name, progress, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            if (_layers.TryGetValue(image.Id, out var known))
            {
                image.Dispose();
                return known;
            }

            return _layers[image.Id] = new ImageLayer(image, () => Images.ReadManifest(name));
        }
    }

    /// <summary>Starts a program of an image in a fresh sandbox. Call <see cref="Sandbox.Drive"/> when <paramref name="driven"/>.</summary>
    /// <exception cref="SandboxException">The program cannot be started.</exception>
    public Sandbox Start(ImageLayer image, Kernel.MainProgram program, SandboxOptions options, bool driven = true)
    {
        var sandbox = StartEmpty(image, options, driven);
        try
        {
            var kernel = sandbox.Kernel;
            if (options.Terminal is { } size)
            {
                program = program with { Descriptors = HostTerminal.Create(kernel, size, owner: program.Uid).CreateDescriptors() };
            }
            else if (program.Descriptors.Count == 0)
            {
                program = program with
                {
                    Descriptors = [HostStream.CreateInput(kernel), HostStream.CreateOutput(kernel, 1), HostStream.CreateOutput(kernel, 2)],
                };
            }

            var error = kernel.Start(program, out string reason);
            if (error != Abi.Errno.None) throw new SandboxException(reason.Length > 0 ? reason : $"{program.Path}: {error}", error);
            return sandbox;
        }
        catch
        {
            sandbox.Dispose();
            throw;
        }
    }

    /// <summary>A sandbox of an image in which nothing runs yet, and which lives on when nothing does: programs are started by <see cref="Kernel.Kernel.Spawn"/>.</summary>
    /// <param name="image">The image.</param>
    /// <param name="options">Limits and surroundings.</param>
    /// <param name="driven">The caller will call <see cref="Sandbox.Drive"/>.</param>
    internal Sandbox StartEmpty(ImageLayer image, SandboxOptions options, bool driven = false)
    {
        var sandbox = new Sandbox(this) { Origin = (null, image) };
        try
        {
            sandbox.Equip(VirtualMachine.Create(Device, new VirtualMachineOptions
            {
                MemoryLimit = MemoryLimit(options),
                MaxVcpus = options.VirtualCpus,
                Images = [image.Data],
            }));
            sandbox.Open(options, driven, Kernel.Kernel.Create(sandbox.Ports(image), options.ToLimits()));
            return sandbox;
        }
        catch
        {
            sandbox.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Reaper.Drain();
        Spares.Dispose();
        Alarms.Dispose();
        Threads.Dispose();
        foreach (var layer in _layers.Values) layer.Dispose();
        Device.Dispose();
    }

    /// <summary>What the machine may grow to: the limit and the platform's own part, in whole pieces of 2 MiB.</summary>
    internal static ulong MemoryLimit(SandboxOptions options) => (options.MemoryBytes + (6UL << 20)) & ~((2UL << 20) - 1);
}

/// <summary>A sandbox cannot be made or started; the message is for the user.</summary>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="error">The errno behind it, if there is one.</param>
public class SandboxException(string message, Abi.Errno error = Abi.Errno.None) : Exception(message)
{
    /// <summary>The errno behind it, if there is one.</summary>
    public Abi.Errno Error { get; } = error;
}

/// <summary>There is no template of that name; the message names those that there are.</summary>
/// <param name="message">What is wrong and what to do.</param>
public sealed class TemplateNotFoundException(string message) : SandboxException(message);
