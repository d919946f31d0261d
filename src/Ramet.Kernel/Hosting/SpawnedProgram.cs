using Ramet.Kernel.Files;
using Ramet.Kernel.Terminals;

namespace Ramet.Kernel.Hosting;

/// <summary>A program to start in a sandbox that runs already.</summary>
public sealed record SpawnedProgram
{
    /// <summary>argv. The first is the path of the program, or a name to be looked up in PATH of <see cref="Environment"/>.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>NAME=value.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>Working directory; null: that of the main program.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>User: a name of /etc/passwd, a number, or USER:GROUP of these; null: root.</summary>
    public string? User { get; init; }

    /// <summary>The number under which its standard output (or terminal) goes to <see cref="HostStreams.Sink"/>.</summary>
    public required int OutputStream { get; init; }

    /// <summary>The same of standard error.</summary>
    public required int ErrorStream { get; init; }

    /// <summary>Size of the terminal that it gets; null: it gets streams.</summary>
    public WindowSize? Terminal { get; init; }
}

/// <summary>A program that the host has started in a running sandbox. Use it under the kernel lock.</summary>
/// <param name="Pid">Process, process group and session.</param>
/// <param name="Input">What it reads; of no use when there is a terminal.</param>
/// <param name="Terminal">Its terminal; null: it has streams.</param>
public sealed record SpawnedProcess(int Pid, HostInput Input, HostTerminal? Terminal);

/// <summary>A process of a sandbox.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="Command">argv as the program has it now, or its name when that is empty.</param>
public sealed record HostProcessInfo(int Pid, IReadOnlyList<string> Command);
