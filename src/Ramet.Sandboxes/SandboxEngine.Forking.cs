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
    public Sandbox Fork(Template template, SandboxOptions options, bool driven = true)
    {
        ulong needed = template.Memory.Length;
        var machine = VirtualMachine.Prepare(Device, new VirtualMachineOptions
        {
            MemoryLimit = Math.Max(MemoryLimit(options), needed),
            MaxVcpus = options.VirtualCpus,
            TemplateLength = needed,
        });
        var sandbox = new Sandbox(this, machine, options, driven);
        try
        {
            machine.Attach(template.Memory, [template.Image.Data]);
            // Beside the rest of the way: it takes about as long as that.
            if (template.Manifest.HotRanges.Count > 0) sandbox.RunBeside(fork => HotPages.Provide(fork, template));
            foreach (var range in template.Manifest.ImageRanges) machine.Memory.TryAttachImage(range.Address, range.Length);
            var kernel = Ramet.Kernel.Kernel.Restore(sandbox.Ports(template.Image), template.State, options.ToLimits());
            if (kernel.Frames.UsedBytes > options.MemoryBytes)
            {
                throw new SandboxException(
                    $"The memory limit of {options.MemoryBytes >> 20} MiB is less than template '{template.Manifest.Name}' itself uses; give it at least {(kernel.Frames.UsedBytes >> 20) + 16} MiB (--memory).");
            }

            sandbox.Attach(kernel);
            if (Interlocked.Exchange(ref _warm, 1) == 0) Threads.Run(Device.KeepWarm);
            return sandbox;
        }
        catch
        {
            sandbox.Dispose();
            throw;
        }
    }

    /// <summary>Forks a template, has its runner execute code, and waits for the end of it, on the caller's thread.</summary>
    public ExecResult Execute(Template template, ExecRequest request, SandboxOptions options)
    {
        long started = HostClock.MonotonicNanoseconds;
        using var sandbox = Fork(template, options);
        long forked = HostClock.MonotonicNanoseconds;
        if (request.Input is { } input) sandbox.WriteInput(input);
        if (!request.OpenInput) sandbox.CloseInput();
        request.OnStarted?.Invoke(sandbox);
        sandbox.StopAtReply();
        sandbox.PostToRunner(new RunnerRequest(request, RunnerFlags.None));
        sandbox.Drive(() => sandbox.RunnerReplied);
        if (!sandbox.HasEnded) sandbox.EndWith(sandbox.RunnerExitCode ?? 1);
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
}
