namespace Ramet.Sandboxes;

/// <summary>Limits and surroundings of a sandbox.</summary>
public sealed record SandboxOptions
{
    /// <summary>Bytes of RAM: memory of programs, page tables and the writable layer's files together.</summary>
    public ulong MemoryBytes { get; init; } = 512UL << 20;

    /// <summary>Wall time; null: none.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Bytes that stdout and stderr together may carry; then the sandbox ends.</summary>
    public long MaxOutputBytes { get; init; } = 64L << 20;

    /// <summary>Processes and threads.</summary>
    public int MaxThreads { get; init; } = 1024;

    /// <summary>Open file descriptions.</summary>
    public int MaxOpenFiles { get; init; } = 65536;

    /// <summary>Virtual CPUs.</summary>
    public int VirtualCpus { get; init; } = 1;

    /// <summary>A window size: stdin, stdout and stderr are a terminal, whose output is stdout's; null: they are streams.</summary>
    public Kernel.Terminals.WindowSize? Terminal { get; init; }

    /// <summary>Where output goes as it comes; null: it is kept for <see cref="SandboxResult"/>.</summary>
    public IOutputReceiver? Output { get; init; }

    /// <summary>Sees each system call (--strace).</summary>
    public Kernel.Platform.ISyscallTracer? Tracer { get; init; }

    /// <summary>Takes all output as it comes, under the kernel lock; null: <see cref="Output"/> and <see cref="SandboxResult"/> do.</summary>
    internal Kernel.Files.IOutputSink? Sink { get; init; }

    /// <summary>Is told what happens; null: nobody is.</summary>
    internal ISandboxWatcher? Watcher { get; init; }

    internal Kernel.ResourceLimits ToLimits() => new()
    {
        MemoryBytes = MemoryBytes,
        MaxThreads = MaxThreads,
        MaxOpenFiles = MaxOpenFiles,
        VirtualCpus = VirtualCpus,
    };
}

/// <summary>Is told what happens in a sandbox, under the kernel lock: it must not block and must not call the kernel.</summary>
internal interface ISandboxWatcher
{
    /// <summary>The runner has answered a request.</summary>
    void OnReply(int exitCode, string details);

    /// <summary>A process has ended with this wait status.</summary>
    void OnProcessEnded(int pid, int status);

    /// <summary>The sandbox has ended.</summary>
    void OnEnded();
}

/// <summary>Takes the output of a sandbox as it comes.</summary>
public interface IOutputReceiver
{
    /// <summary>
    /// Takes bytes of stdout (1) or stderr (2). May block; the sandbox's programs then wait as they would on a full pipe. An <see cref="IOException"/> means that nobody
    /// reads any more: programs get SIGPIPE.
    /// </summary>
    void Write(int stream, ReadOnlySpan<byte> bytes);
}

/// <summary>Why a sandbox ended.</summary>
public enum SandboxEnd
{
    /// <summary>Its main program ended by itself (or by a signal from within).</summary>
    Exited,

    /// <summary>Its wall time was over.</summary>
    TimedOut,

    /// <summary>It printed more than it may.</summary>
    OutputLimit,

    /// <summary>Its main program was killed because the memory limit was reached.</summary>
    OutOfMemory,

    /// <summary>The caller ended it.</summary>
    Killed,

    /// <summary>It damaged its own kernel structures, or the host failed; <see cref="SandboxResult.Message"/> says more.</summary>
    Failed,
}

/// <summary>What came of a sandbox.</summary>
/// <param name="End">Why it ended.</param>
/// <param name="ExitCode">As a shell would say: the program's own; 128 + signal; 124 for a time-out; 153 for the output limit; 137 for memory.</param>
/// <param name="Stdout">What was printed and not given to a receiver.</param>
/// <param name="Stderr">The same of stderr.</param>
/// <param name="Message">A sentence for the user when <paramref name="End"/> is not <see cref="SandboxEnd.Exited"/>; else null.</param>
public sealed record SandboxResult(SandboxEnd End, int ExitCode, byte[] Stdout, byte[] Stderr, string? Message);
