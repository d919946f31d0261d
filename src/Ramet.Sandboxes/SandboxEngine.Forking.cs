using Ramet.Host;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>Forks of templates.</summary>
public sealed partial class SandboxEngine
{
    private TemplateStore? _templates;
    private int _warm;

    /// <summary>Templates on disk.</summary>
    public TemplateStore Templates => _templates ??= new TemplateStore(this);

    /// <summary>A sandbox that goes on where the template was frozen: its runner waits for a request.</summary>
    public Sandbox Fork(Template template, SandboxOptions options, bool driven = true) => Fork(template, options, driven, options.MemoryBytes, runsSoon: false);

    /// <param name="template">The template.</param>
    /// <param name="options">Limits and surroundings.</param>
    /// <param name="driven">The caller will call <see cref="Sandbox.Drive"/>.</param>
    /// <param name="largest">The largest memory limit that its machine will ever be used with, bytes.</param>
    /// <param name="runsSoon">Code comes at once: pages that it will write are backed beside the rest of the work. Else that waits for the code, and takes no memory until then.</param>
    internal Sandbox Fork(Template template, SandboxOptions options, bool driven, ulong largest, bool runsSoon)
    {
        var sandbox = new Sandbox(this) { Origin = (template, template.Image), HotPages = template };
        return GoOn(sandbox, template.State, template.Strings, template.Manifest.ImageRanges, options, driven, Math.Max(MemoryLimit(options with { MemoryBytes = largest }), template.Memory.Length), runsSoon);
    }

    /// <summary>A sandbox that goes on where a snapshot was taken.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="options">Limits and surroundings; null: those of the sandbox that it was taken of.</param>
    /// <param name="driven">The caller will call <see cref="Sandbox.Drive"/>; otherwise it runs at once.</param>
    /// <exception cref="SandboxException">The limits leave no room for it.</exception>
    public Sandbox Restore(SandboxSnapshot snapshot, SandboxOptions? options = null, bool driven = true)
    {
        options ??= snapshot.Options;
        var sandbox = new Sandbox(this) { Origin = (snapshot.Template, snapshot.Image), Base = snapshot.AddUser() };
        return GoOn(sandbox, snapshot.State, snapshot.Strings, snapshot.ImageRanges, options, driven, Math.Max(MemoryLimit(options), snapshot.Memory.Size), runsSoon: false);
    }

    /// <summary>Gives a sandbox a machine with the memory of its template and its snapshot, and the kernel of that moment.</summary>
    private Sandbox GoOn(
        Sandbox sandbox, ReadOnlyMemory<byte> state, Kernel.State.StateStrings strings, IReadOnlyList<MemoryRange> imageRanges, SandboxOptions options, bool driven, ulong memoryLimit, bool runsSoon)
    {
        long started = HostClock.MonotonicNanoseconds;
        var (template, image) = sandbox.Origin;
        try
        {
            var spare = Spares.TryTake(new SpareMachines.Kind(memoryLimit, options.VirtualCpus, template?.Memory.Length ?? 0, image.Data, imageRanges));
            // The kernel's objects and the machine have nothing to do with each other until both are there. Where there is next to nothing to do for the machine, another thread would cost more than it saves.
            var loading = spare is null || runsSoon ? Threads.Compute(Load) : null;
            var machine = spare ?? VirtualMachine.Prepare(Device, new VirtualMachineOptions { MemoryLimit = memoryLimit, MaxVcpus = options.VirtualCpus });
            sandbox.Equip(machine);
            // Setting a memory slot is mostly waiting (for the host's readers of the old ones). A spare machine has its virtual CPU.
            var cpu = spare is null ? Threads.Compute(() => machine.GetVcpu(0)) : null;
            machine.Attach(template?.Memory, [image.Data], sandbox.Base?.Memory);
            if (runsSoon) sandbox.ProvideHotPages();
            foreach (var range in imageRanges) machine.Memory.TryAttachImage(range.Address, range.Length);
            var kernel = loading is null ? Load() : loading.GetAwaiter().GetResult();
            cpu?.GetAwaiter().GetResult();
            Check(kernel, options);
            kernel.Begin(machine);
            sandbox.Open(options, driven, kernel, started);
            if (Interlocked.Exchange(ref _warm, 1) == 0) Threads.Run(Device.KeepWarm);
            return sandbox;
        }
        catch
        {
            sandbox.Dispose();
            throw;
        }

        Kernel.Kernel Load() => Ramet.Kernel.Kernel.Load(sandbox.Ports(image), state, options.ToLimits(), strings);
    }

    /// <summary>A sandbox at the moment of a snapshot, to be looked at: nothing of it ever runs.</summary>
    internal Sandbox OpenStill(SandboxSnapshot snapshot)
    {
        var sandbox = new Sandbox(this) { Origin = (snapshot.Template, snapshot.Image), Base = snapshot.AddUser() };
        try
        {
            var machine = VirtualMachine.Prepare(Device, new VirtualMachineOptions
            {
                MemoryLimit = Math.Max(MemoryLimit(snapshot.Options), snapshot.Memory.Size),
                MaxVcpus = snapshot.Options.VirtualCpus,
            });
            sandbox.Equip(machine);
            machine.Attach(snapshot.Template?.Memory, [snapshot.Image.Data], snapshot.Memory);
            // Nothing runs in it, but a template that is frozen from it tells its forks of these.
            foreach (var range in snapshot.ImageRanges) machine.Memory.TryAttachImage(range.Address, range.Length);
            sandbox.Equip(machine, Ramet.Kernel.Kernel.Load(sandbox.Ports(snapshot.Image), snapshot.State, strings: snapshot.Strings));
            return sandbox;
        }
        catch
        {
            sandbox.Dispose();
            throw;
        }
    }

    /// <summary>Forks a template, has its runner execute code, and waits for the end of it, on the caller's thread.</summary>
    public ExecResult Execute(Template template, ExecRequest request, SandboxOptions options) =>
        Execute(() => Fork(template, options, driven: true, options.MemoryBytes, runsSoon: true), request);

    internal static ExecResult Execute(Func<Sandbox> fork, ExecRequest request)
    {
        long started = HostClock.MonotonicNanoseconds;
        using var sandbox = fork();
        long forked = HostClock.MonotonicNanoseconds;
        request.OnStarted?.Invoke(sandbox);
        sandbox.Execute(request);
        sandbox.Drive();
        var result = sandbox.Wait();
        long ended = HostClock.MonotonicNanoseconds;
        return new ExecResult
        {
            Result = result,
            ForkNanoseconds = forked - started,
            FirstOutputNanoseconds = sandbox.FirstOutputNanoseconds,
            ExecNanoseconds = ended - forked,
            TotalNanoseconds = ended - started,
            Statistics = sandbox.Kernel.Statistics,
            MemoryBytes = sandbox.Kernel.Frames.UsedBytes,
        };
    }

    /// <exception cref="SandboxException">The limits leave no room for what is there already.</exception>
    internal static void Check(Ramet.Kernel.Kernel kernel, SandboxOptions options)
    {
        ulong used = kernel.Frames.UsedBytes;
        if (used <= options.MemoryBytes) return;
        throw new SandboxException($"The memory limit of {options.MemoryBytes >> 20} MiB is less than what the template or snapshot itself uses; give it at least {(used >> 20) + 16} MiB (--memory).");
    }
}
