using Ramet.Kernel.Files;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>Runs a runtime until its runner waits for a request, and freezes it there.</summary>
internal static class TemplateBuilder
{
    /// <summary>Holes behind the used memory, so that a fork can allocate without adding a memory slot.</summary>
    private const ulong SpareBytes = 16UL << 20;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Builds a template; its manifest lacks what only the store knows (fingerprint, bytes on disk, duration).</summary>
    /// <exception cref="SandboxException">The runtime ended or hung before its runner was ready.</exception>
    public static Template Build(
        SandboxEngine engine, TemplateRuntime runtime, ImageLayer image, CancellationToken cancellationToken)
    {
        var options = new SandboxOptions { MemoryBytes = 2UL << 30, Timeout = Limit };
        var machine = VirtualMachine.Create(engine.Device, new VirtualMachineOptions
        {
            MemoryLimit = SandboxEngine.MemoryLimit(options),
            MaxVcpus = 1,
            Images = [image.Data],
        });
        using var sandbox = new Sandbox(engine);
        sandbox.Equip(machine);
        var kernel = Kernel.Kernel.Create(sandbox.Ports(image), options.ToLimits());
        sandbox.StopAtIdle();
        sandbox.Open(options, driven: true, kernel);
        var error = kernel.Start(
            new Kernel.MainProgram
            {
                Path = runtime.Command[0],
                Arguments = runtime.Command,
                Environment = runtime.Environment,
                WorkingDirectory = "/root",
                Files = runtime.Files,
                Descriptors = [HostStream.CreateInput(kernel), HostStream.CreateOutput(kernel, 1), HostStream.CreateOutput(kernel, 2), new RunnerChannel(kernel)],
            },
            out string reason);
        if (error != Abi.Errno.None) throw new SandboxException($"Template '{runtime.Name}' cannot start: {reason} ({error})", error);
        using var cancelled = cancellationToken.Register(() => sandbox.Kill());
        sandbox.Drive(() => sandbox.RunnerIdle);
        cancellationToken.ThrowIfCancellationRequested();
        if (!sandbox.RunnerIdle || sandbox.HasEnded)
        {
            var result = sandbox.Wait();
            string output = System.Text.Encoding.UTF8.GetString(result.Stderr).TrimEnd();
            throw new SandboxException(
                $"Template '{runtime.Name}' could not be built: its runtime ended with exit code {result.ExitCode} before it was ready.{(result.Message is null ? "" : " " + result.Message)}{(output.Length == 0 ? "" : "\n" + output)}");
        }

        return Finish(engine, runtime, image, kernel, machine);
    }

    /// <summary>Builds a template on another: a fork of that runs a script in its warm interpreter, where names stay defined, and is frozen when it waits for the next request.</summary>
    /// <exception cref="SandboxException">The script failed, or took too long.</exception>
    public static Template Extend(SandboxEngine engine, Template from, TemplateRuntime runtime, string script, CancellationToken cancellationToken)
    {
        using var sandbox = engine.Fork(from, new SandboxOptions { MemoryBytes = 2UL << 30, Timeout = Limit });
        using var cancelled = cancellationToken.Register(() => sandbox.Kill());
        try
        {
            sandbox.RunInSession(script);
        }
        catch (SandboxException) when (sandbox.HasEnded)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var result = sandbox.Wait();
            throw Failed(result.Message ?? $"it ended the interpreter with exit code {result.ExitCode}.", result.Stderr);
        }

        if (sandbox.RunnerExitCode is not 0) throw Failed($"it ended with exit code {sandbox.RunnerExitCode}.", sandbox.Printed(2));
        return Finish(engine, runtime, from.Image, sandbox.Kernel, sandbox.Machine);

        static SandboxException Failed(string why, byte[] errors)
        {
            string output = System.Text.Encoding.UTF8.GetString(errors).TrimEnd();
            return new SandboxException($"The script of the template failed: {why}{(output.Length == 0 ? "" : "\n" + output)}");
        }
    }

    private static Template Finish(SandboxEngine engine, TemplateRuntime runtime, ImageLayer image, Kernel.Kernel kernel, VirtualMachine machine)
    {
        HashSet<ulong> hot = [];
        using (var draft = Freeze(runtime, image, kernel, machine, []))
        {
            hot = HotPages.Record(engine, draft, runtime);
        }

        // What nearly every run writes goes into one piece of memory: the host copies it in one call, which is a quarter of the price of finding it page by page.
        var (address, length) = kernel.GatherFrames(hot);
        return Freeze(runtime, image, kernel, machine, length == 0 ? [] : [new MemoryRange(address, length)]);
    }

    /// <summary>What stands still, as a template.</summary>
    public static Template Freeze(TemplateRuntime runtime, ImageLayer image, Kernel.Kernel kernel, VirtualMachine machine, IReadOnlyList<MemoryRange> hotRanges)
    {
        byte[] state = kernel.Save(asTemplate: true);
        var memory = machine.Memory.Freeze(kernel.Frames.Extent, SpareBytes);
        var manifest = new TemplateManifest
        {
            Name = runtime.Name,
            Runtime = runtime.Language,
            Image = runtime.Image,
            ImageId = image.Id,
            Fingerprint = "",
            Created = TimeProvider.System.GetUtcNow(),
            MemoryBytes = (long)memory.Length,
            UsedBytes = 0,
            StateBytes = state.Length,
            Id = Guid.NewGuid().ToString("n"),
            ImageRanges = [.. machine.Memory.GetAttachedImageRanges().Select(range => new MemoryRange(range.Address, range.Length))],
            LargeImagePages = kernel.GetLargeImagePages(),
            HotRanges = hotRanges,
            BuildMilliseconds = 0,
        };
        return new Template(manifest, memory, state, image);
    }
}
