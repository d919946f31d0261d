using System.Text.Json;
using Ramet.Contracts;

namespace Ramet.Client;

/// <summary>What code in a fork of its own came to. As a string it is what was printed, without the last line end.</summary>
/// <param name="Answer">All that the server said.</param>
public sealed record ExecResult(ExecAnswer Answer)
{
    /// <summary>What was printed.</summary>
    public string Stdout => Answer.Stdout;

    /// <summary>What was printed to standard error.</summary>
    public string Stderr => Answer.Stderr;

    /// <summary>The program's own; 128 + signal; 124: time is over; 153: printed too much; 137: memory.</summary>
    public int ExitCode => Answer.ExitCode;

    /// <summary>Whether its time was over.</summary>
    public bool TimedOut => Answer.TimedOut;

    /// <summary>Whether it ended well.</summary>
    public bool IsSuccess => ExitCode == 0;

    /// <summary>Standard output as it was written.</summary>
    public byte[] StdoutBytes => Answer.StdoutBase64 is { } text ? Convert.FromBase64String(text) : System.Text.Encoding.UTF8.GetBytes(Stdout);

    /// <summary>The result itself.</summary>
    /// <exception cref="RametCodeException">It did not end well.</exception>
    public ExecResult EnsureSuccess() => IsSuccess ? this : throw new RametCodeException($"The code failed: {Answer.Error ?? $"exit code {ExitCode}: {Stderr.Trim()}"}");

    /// <inheritdoc/>
    public override string ToString() => Text.Printed(Stdout);
}

/// <summary>What code in a sandbox's interpreter came to. As a string it is what was printed, without the last line end.</summary>
/// <param name="Answer">All that the server said.</param>
public sealed record RunResult(RunAnswer Answer)
{
    /// <summary>What was printed.</summary>
    public string Stdout => Answer.Stdout;

    /// <summary>What was printed to standard error; tracebacks are there.</summary>
    public string Stderr => Answer.Stderr;

    /// <summary>0; 1 after an exception; 124: time was over; 137: it was killed.</summary>
    public int ExitCode => Answer.ExitCode;

    /// <summary>Whether its time was over.</summary>
    public bool TimedOut => Answer.TimedOut;

    /// <summary>How the last expression is written; null: there was none.</summary>
    public string? Value => Answer.Value;

    /// <summary>The exception that nothing caught.</summary>
    public RunException? Exception => Answer.Exception;

    /// <summary>How the last expression and open figures look: media type to content; images are in base64.</summary>
    public IReadOnlyList<JsonElement> Results => Answer.Results;

    /// <summary>All PNG images among the results.</summary>
    public IReadOnlyList<byte[]> Images =>
        [.. Results.Where(one => one.ValueKind == JsonValueKind.Object && one.TryGetProperty("image/png", out var png) && png.TryGetBytesFromBase64(out _)).Select(one => one.GetProperty("image/png").GetBytesFromBase64())];

    /// <summary>Whether it ended well.</summary>
    public bool IsSuccess => ExitCode == 0;

    /// <summary>The result itself.</summary>
    /// <exception cref="RametCodeException">It did not end well.</exception>
    public RunResult EnsureSuccess() =>
        IsSuccess ? this : throw new RametCodeException($"The code failed: {(TimedOut ? "its time was over" : Exception is { } e ? $"{e.Type}: {e.Text}" : $"exit code {ExitCode}: {Stderr.Trim()}")}");

    /// <inheritdoc/>
    public override string ToString() => Text.Printed(Stdout);
}

/// <summary>What a command came to. As a string it is what was printed, without the last line end.</summary>
/// <param name="Pid">Its number in the sandbox.</param>
/// <param name="Stdout">What it printed.</param>
/// <param name="Stderr">What it printed to standard error.</param>
/// <param name="ExitCode">Its own, or 128 + signal; 124 when its time was over.</param>
/// <param name="TimedOut">Whether its time was over.</param>
public sealed record CommandResult(int Pid, string Stdout, string Stderr, int ExitCode, bool TimedOut)
{
    /// <summary>Whether it ended well.</summary>
    public bool IsSuccess => ExitCode == 0;

    /// <summary>The result itself.</summary>
    /// <exception cref="RametCodeException">It did not end well.</exception>
    public CommandResult EnsureSuccess() => IsSuccess ? this : throw new RametCodeException($"The command failed with exit code {ExitCode}: {(Stderr.Length > 0 ? Stderr : Stdout).Trim()}");

    /// <inheritdoc/>
    public override string ToString() => Text.Printed(Stdout);
}

/// <summary>A piece of output.</summary>
/// <param name="IsError">Standard error; false: standard output, or a terminal.</param>
/// <param name="Text">What was printed. Characters are never split.</param>
public readonly record struct OutputPiece(bool IsError, string Text);

/// <summary>A sandbox that was saved; sandboxes can be made of it.</summary>
public sealed record Snapshot
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>What the sandbox was forked from.</summary>
    public string? Template { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>Bytes on disk.</summary>
    public long SizeBytes { get; init; }

    /// <summary>What was noted with the sandbox.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>A moment of a sandbox to which it can be taken back.</summary>
public sealed record Checkpoint
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>Memory that it holds.</summary>
    public long MemoryBytes { get; init; }
}

/// <summary>What is known of a sandbox.</summary>
public sealed record SandboxInfo
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What it was forked from.</summary>
    public string? Template { get; init; }

    /// <summary><c>running</c> or <c>paused</c>.</summary>
    public required string State { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>When it ends by itself.</summary>
    public DateTimeOffset Expires { get; init; }

    /// <summary>Memory limit, MiB.</summary>
    public double MemoryMb { get; init; }

    /// <summary>Memory in use, MiB.</summary>
    public double MemoryUsedMb { get; init; }

    /// <summary>What was noted with it.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>How many forks lie between it and its template; null: the server does not say.</summary>
    public int? Generation { get; init; }

    /// <summary>The sandbox that it was forked from.</summary>
    public string? Parent { get; init; }
}

internal static class Text
{
    public static string Printed(string output) => output.EndsWith('\n') ? output[..^1] : output;
}
