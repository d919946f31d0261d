using System.ComponentModel;
using System.Text.Json;

namespace Ramet.Contracts;

/// <summary>Body of <c>POST /v1/sandboxes/{id}/run</c>.</summary>
public sealed record RunBody
{
    /// <summary>The source text.</summary>
    [Description("The code. Names that it defines stay for the next run.")]
    public required string Code { get; init; }

    /// <summary>Wall time in seconds; null: the server's default.</summary>
    [Description("Wall time in seconds; then the code gets KeyboardInterrupt, and the sandbox lives on.")]
    public double? TimeoutSeconds { get; init; }

    /// <summary>Environment variables to set; null values remove.</summary>
    [Description("Environment variables to set, for good; null removes one.")]
    public IReadOnlyDictionary<string, string?>? Env { get; init; }

    /// <summary>Working directory to change to.</summary>
    [Description("Working directory to change to, for good.")]
    public string? Cwd { get; init; }
}

/// <summary>What code in a warm interpreter came to.</summary>
public sealed record RunAnswer
{
    /// <summary>What was printed.</summary>
    public required string Stdout { get; init; }

    /// <summary>What was printed to standard error; tracebacks are there.</summary>
    public required string Stderr { get; init; }

    /// <summary>0; 1 after an exception; 124: time was over; 137: it was killed.</summary>
    public required int ExitCode { get; init; }

    /// <summary>Whether the time limit ended it.</summary>
    public required bool TimedOut { get; init; }

    /// <summary>The repr of the last expression; null: there was none, or it was None.</summary>
    public string? Value { get; init; }

    /// <summary>What the last expression and open figures look like: media type to content; images are in base64.</summary>
    public required IReadOnlyList<JsonElement> Results { get; init; }

    /// <summary>The exception that nothing caught.</summary>
    public RunException? Exception { get; init; }

    /// <summary>How long it took, ms.</summary>
    public required double DurationMs { get; init; }
}

/// <summary>An exception that nothing caught.</summary>
public sealed record RunException
{
    /// <summary>Its class.</summary>
    public required string Type { get; init; }

    /// <summary>Its text.</summary>
    public required string Text { get; init; }

    /// <summary>Where it was thrown, as the language tells it; null: that is not known.</summary>
    public string? Stack { get; init; }
}

/// <summary>The last event of a stream of a run: what it came to, without the output that came before.</summary>
public sealed record RunEnd
{
    /// <summary>As <see cref="RunAnswer.ExitCode"/>.</summary>
    public required int ExitCode { get; init; }

    /// <summary>Whether the time limit ended it.</summary>
    public required bool TimedOut { get; init; }

    /// <summary>As <see cref="RunAnswer.Value"/>.</summary>
    public string? Value { get; init; }

    /// <summary>As <see cref="RunAnswer.Results"/>.</summary>
    public required IReadOnlyList<JsonElement> Results { get; init; }

    /// <summary>As <see cref="RunAnswer.Exception"/>.</summary>
    public RunException? Exception { get; init; }

    /// <summary>How long it took, ms.</summary>
    public required double DurationMs { get; init; }
}

/// <summary>What a runner says of a run.</summary>
public sealed record RunDetails
{
    /// <summary>repr of the last expression.</summary>
    public string? Value { get; init; }

    /// <summary>What it looks like.</summary>
    public IReadOnlyList<JsonElement>? Results { get; init; }

    /// <summary>The exception that nothing caught.</summary>
    public RunException? Exception { get; init; }

    /// <summary>What was wrong with the request itself.</summary>
    public string? Error { get; init; }
}
