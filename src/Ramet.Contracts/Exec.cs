using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Ramet.Contracts;

/// <summary>Body of <c>POST /v1/exec</c>.</summary>
public sealed record ExecBody
{
    /// <summary>The source text.</summary>
    [Description("The code to run.")]
    public required string Code { get; init; }

    /// <summary>The language; null: Python, unless <see cref="Template"/> says otherwise.</summary>
    [Description("The language of the code: python or node. Default: that of the template.")]
    public string? Language { get; init; }

    /// <summary>The template; null: that of <see cref="Language"/>.</summary>
    [Description("The template to fork. Default: the one of the language.")]
    public string? Template { get; init; }

    /// <summary>Wall time in seconds; null: the server's default.</summary>
    [Description("Wall time in seconds. When it is over the answer has timed_out, exit_code 124, and what was printed so far.")]
    public double? TimeoutSeconds { get; init; }

    /// <summary>Standard input; null: empty.</summary>
    [Description("What the program reads as its standard input.")]
    public string? Stdin { get; init; }

    /// <summary>Environment variables to set; null values remove.</summary>
    [Description("Environment variables to set; null removes one.")]
    public IReadOnlyDictionary<string, string?>? Env { get; init; }

    /// <summary>Memory limit in MiB; null: the server's default.</summary>
    [Description("Memory limit in MiB: programs and the files that they write.")]
    public int? MemoryMb { get; init; }

    /// <summary>Files to write before the code runs, by path.</summary>
    [Description("Files to write before the code runs, by path: a string is the text; {\"base64\": ...} holds bytes. Relative paths begin in the program's working directory.")]
    public IReadOnlyDictionary<string, FileContent>? Files { get; init; }

    /// <summary>sys.argv[1:] and its like.</summary>
    [Description("Arguments of the program: sys.argv[1:].")]
    public IReadOnlyList<string>? Args { get; init; }
}

/// <summary>Answer of <c>POST /v1/exec</c>.</summary>
public sealed record ExecAnswer
{
    /// <summary>Identifies the run in logs.</summary>
    public required string Id { get; init; }

    /// <summary>What was printed to standard output, as UTF-8; bytes that are not are replaced.</summary>
    public required string Stdout { get; init; }

    /// <summary>The same of standard error.</summary>
    public required string Stderr { get; init; }

    /// <summary>Standard output and then standard error.</summary>
    public required string Output { get; init; }

    /// <summary>The program's own; 128 + signal; 124: time is over; 153: printed too much; 137: memory.</summary>
    public required int ExitCode { get; init; }

    /// <summary>Whether the time limit ended it.</summary>
    public required bool TimedOut { get; init; }

    /// <summary>Why it did not end by itself; null when it did.</summary>
    public string? Error { get; init; }

    /// <summary>To make the sandbox, ms.</summary>
    public required double ForkTimeMs { get; init; }

    /// <summary>From the sandbox to the end of the program, ms.</summary>
    public required double ExecTimeMs { get; init; }

    /// <summary>Both, ms.</summary>
    public required double TotalTimeMs { get; init; }

    /// <summary>The same as <see cref="TotalTimeMs"/>.</summary>
    public required double DurationMs { get; init; }

    /// <summary>Standard output as it is, in base64; only when it is not valid UTF-8.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? StdoutBase64 { get; init; }

    /// <summary>Standard error as it is, in base64; only when it is not valid UTF-8.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? StderrBase64 { get; init; }
}

/// <summary>Body of <c>POST /v1/exec/batch</c>.</summary>
public sealed record BatchBody
{
    /// <summary>What to run; each item has a fork of its own.</summary>
    [Description("What to run; each item has a fork of its own.")]
    public required IReadOnlyList<ExecBody> Executions { get; init; }
}

/// <summary>Answer of <c>POST /v1/exec/batch</c>.</summary>
public sealed record BatchAnswer
{
    /// <summary>One result for each item, in the order of the request.</summary>
    public required IReadOnlyList<ExecAnswer> Results { get; init; }
}

/// <summary>Answer of <c>GET /v1/health</c>.</summary>
public sealed record HealthAnswer
{
    /// <summary><c>ok</c>, or <c>draining</c> when the server is about to end.</summary>
    public required string Status { get; init; }

    /// <summary>Version of the server.</summary>
    public required string Version { get; init; }

    /// <summary>Templates by name.</summary>
    public required IReadOnlyDictionary<string, TemplateHealth> Templates { get; init; }
}

/// <summary>A template that the server has.</summary>
public sealed record TemplateHealth
{
    /// <summary>Whether forks can be made of it.</summary>
    public required bool Ready { get; init; }

    /// <summary>The language that its runner executes.</summary>
    public required string Language { get; init; }

    /// <summary>Guest memory that a fork maps, MiB.</summary>
    public required double MemoryMb { get; init; }
}

/// <summary>An error (RFC 9457).</summary>
public sealed record Problem
{
    /// <summary>Identifies the kind of problem; <c>about:blank</c> says no more than the status.</summary>
    public required string Type { get; init; }

    /// <summary>The kind in a few words.</summary>
    public required string Title { get; init; }

    /// <summary>The HTTP status.</summary>
    public required int Status { get; init; }

    /// <summary>What is wrong, and what to do.</summary>
    public required string Detail { get; init; }

    /// <summary>The same as <see cref="Detail"/>, for clients that look for <c>error</c>.</summary>
    public required string Error { get; init; }

    /// <summary>Identifies the request in logs.</summary>
    public required string RequestId { get; init; }

    /// <summary>What Linux calls the error, such as ENOENT, when a program or file of the sandbox is what cannot be used.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Errno { get; init; }
}
