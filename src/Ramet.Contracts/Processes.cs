using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Ramet.Contracts;

/// <summary>Size of a terminal's window.</summary>
public sealed record TerminalSize
{
    /// <summary>Lines.</summary>
    public int Rows { get; init; } = 24;

    /// <summary>Characters in a line.</summary>
    [JsonPropertyName("columns")]
    public int Columns { get; init; } = 80;
}

/// <summary>Body of <c>POST /v1/sandboxes/{id}/processes</c>.</summary>
public sealed record ProcessBody
{
    /// <summary>argv.</summary>
    [Description("The program (looked up in PATH) and its arguments.")]
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>A line for /bin/sh.</summary>
    [Description("Instead of command: a line for /bin/sh -c.")]
    public string? Shell { get; init; }

    /// <summary>Environment variables.</summary>
    [Description("Environment variables. PATH and HOME are there anyway.")]
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working directory.</summary>
    [Description("Working directory. Default: the interpreter's.")]
    public string? Cwd { get; init; }

    /// <summary>The user.</summary>
    [Description("USER or USER:GROUP, as names or numbers. Default: root.")]
    public string? User { get; init; }

    /// <summary>Its terminal; null: none.</summary>
    [Description("Gives it a terminal of this size.")]
    public TerminalSize? Tty { get; init; }

    /// <summary>Standard input; null: see <see cref="KeepStdin"/>.</summary>
    [Description("What it reads as standard input, followed by the end of the file.")]
    public string? Stdin { get; init; }

    /// <summary>Whether standard input stays open for more.</summary>
    [Description("Keeps standard input open, for POST .../stdin. A terminal's is always open.")]
    public bool KeepStdin { get; init; }
}

/// <summary>A process that was started through the interface.</summary>
public sealed record ProcessAnswer
{
    /// <summary>Its id in the sandbox.</summary>
    public required int Pid { get; init; }

    /// <summary>argv.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>When it was started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Whether it has a terminal.</summary>
    public required bool Tty { get; init; }

    /// <summary>Whether it runs.</summary>
    public required bool Running { get; init; }

    /// <summary>Exit code, or 128 + signal; null: it runs.</summary>
    public int? ExitCode { get; init; }
}

/// <summary>Processes of a sandbox.</summary>
public sealed record ProcessList
{
    /// <summary>The oldest first.</summary>
    public required IReadOnlyList<ProcessAnswer> Processes { get; init; }
}

/// <summary>Body of <c>POST .../signal</c>.</summary>
public sealed record SignalBody
{
    /// <summary>A name or number.</summary>
    [Description("SIGTERM, TERM or 15. Goes to the process and its group.")]
    public required string Signal { get; init; }
}
