namespace Ramet.Sandboxes;

/// <summary>Code to be executed by a template's runner.</summary>
public sealed record ExecRequest
{
    /// <summary>The source text.</summary>
    public required string Code { get; init; }

    /// <summary>Name of the source in tracebacks; null: &lt;string&gt;.</summary>
    public string? FileName { get; init; }

    /// <summary>sys.argv and its like; null: what the runtime has for code without a file.</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    /// <summary>Environment variables to set; null values remove.</summary>
    public IReadOnlyDictionary<string, string?>? Environment { get; init; }

    /// <summary>Working directory; null: the template's.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Bytes for standard input; null: empty, unless <see cref="OpenInput"/>.</summary>
    public byte[]? Input { get; init; }

    /// <summary>Leave standard input open: the caller feeds it through <see cref="Sandbox.WriteInput"/>.</summary>
    public bool OpenInput { get; init; }

    /// <summary>Called with the sandbox as soon as it is there (to feed its input, to kill it).</summary>
    public Action<Sandbox>? OnStarted { get; init; }
}

/// <summary>What came of an <see cref="ExecRequest"/>, and what it cost.</summary>
public sealed record ExecResult
{
    /// <summary>Output, exit code, and why it ended.</summary>
    public required SandboxResult Result { get; init; }

    /// <summary>To make the sandbox: VM, memory, kernel state; no code run.</summary>
    public required long ForkNanoseconds { get; init; }

    /// <summary>From the beginning to the first byte of the program's output; null when there was none.</summary>
    public required long? FirstOutputNanoseconds { get; init; }

    /// <summary>From the sandbox being ready to the end of the program.</summary>
    public required long ExecNanoseconds { get; init; }

    /// <summary>From the beginning to the end.</summary>
    public required long TotalNanoseconds { get; init; }

    /// <summary>System calls, faults, exits.</summary>
    public required Kernel.KernelStatistics Statistics { get; init; }

    /// <summary>RAM in use at the end, bytes.</summary>
    public required ulong MemoryBytes { get; init; }
}
