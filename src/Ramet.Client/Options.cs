using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Ramet.Client;

/// <summary>Where the server is.</summary>
public sealed record RametClientOptions
{
    /// <summary>http://HOST:PORT or https://HOST; null: the environment's RAMET_URL, else http://127.0.0.1:8080.</summary>
    public Uri? Url { get; set; }

    /// <summary>A key of <c>ramet key create</c>; null: the environment's RAMET_API_KEY. A server in development needs none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>How often a request is made again that was refused because the server was busy (429 and 503 with Retry-After).</summary>
    public int Retries { get; set; } = 2;

    internal Uri ResolveUrl()
    {
        var url = Url ?? new Uri(Environment.GetEnvironmentVariable("RAMET_URL") is { Length: > 0 } given ? given : "http://127.0.0.1:8080");
        if (url.Scheme is not ("http" or "https")) throw new ArgumentException($"'{url}' is not the address of a server; write http://HOST:PORT or https://HOST.");
        return new Uri(url.ToString().TrimEnd('/') + "/");
    }

    internal string? ResolveKey() => ApiKey ?? (Environment.GetEnvironmentVariable("RAMET_API_KEY") is { Length: > 0 } key ? key : null);
}

/// <summary>How code is run in a fork of its own.</summary>
public sealed record ExecOptions
{
    /// <summary>The language; null: Python, unless a template is named.</summary>
    public string? Language { get; init; }

    /// <summary>The template; null: that of the language.</summary>
    public string? Template { get; init; }

    /// <summary>Wall time; null: the server's default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Standard input.</summary>
    public string? Stdin { get; init; }

    /// <summary>sys.argv[1:] and its like.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>Environment; null values remove variables.</summary>
    public IReadOnlyDictionary<string, string?>? Env { get; init; }

    /// <summary>Files to write before, by path.</summary>
    public IReadOnlyDictionary<string, Contracts.FileContent>? Files { get; init; }

    /// <summary>Limit for programs and the files that they write, MiB.</summary>
    public int? MemoryMb { get; init; }

    internal Contracts.ExecBody With(string code) => new()
    {
        Code = code,
        Language = Language,
        Template = Template,
        TimeoutSeconds = Timeout?.TotalSeconds,
        Stdin = Stdin,
        Args = Args,
        Env = Env,
        Files = Files,
        MemoryMb = MemoryMb,
    };
}

/// <summary>What a sandbox is made of.</summary>
public sealed record SandboxOptions
{
    /// <summary>What to fork; null: the template of the language.</summary>
    public string? Template { get; init; }

    /// <summary>The language of its interpreter; null: Python.</summary>
    public string? Language { get; init; }

    /// <summary>Id of a saved sandbox, to go on from there.</summary>
    public string? Snapshot { get; init; }

    /// <summary>An image, for a sandbox without an interpreter of Ramet's.</summary>
    public string? Image { get; init; }

    /// <summary>Limit for programs and the files that they write, MiB.</summary>
    public int? MemoryMb { get; init; }

    /// <summary>When it ends by itself, seconds from now; null: 300.</summary>
    public double? TimeoutSeconds { get; init; }

    /// <summary>Names and values of the caller's own, to find it by.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Environment of all that runs in it.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Where it begins.</summary>
    public string? Cwd { get; init; }

    /// <summary>What it may reach, as docs/SERVER.md describes it.</summary>
    public JsonNode? Network { get; init; }

    /// <summary>Pause it when nothing was asked of it for so long, seconds.</summary>
    public double? AutoPauseSeconds { get; init; }

    /// <summary>Make a checkpoint before each run.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool CheckpointEveryRun { get; init; }
}

/// <summary>How code is run in a sandbox.</summary>
public sealed record RunOptions
{
    /// <summary>Wall time; then the code is interrupted. Null: the server's default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Variables to set, for good; null values remove.</summary>
    public IReadOnlyDictionary<string, string?>? Env { get; init; }

    /// <summary>Directory to change to, for good.</summary>
    public string? Cwd { get; init; }
}

/// <summary>How a program is started.</summary>
public sealed record CommandOptions
{
    /// <summary>Environment.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working directory; null: the interpreter's.</summary>
    public string? Cwd { get; init; }

    /// <summary>USER or USER:GROUP; null: root.</summary>
    public string? User { get; init; }

    /// <summary>What it reads.</summary>
    public string? Stdin { get; init; }

    /// <summary>Its input stays open for more.</summary>
    public bool KeepStdin { get; init; }

    /// <summary>Gives it a terminal of this size.</summary>
    public Contracts.TerminalSize? Tty { get; init; }

    /// <summary>Of <see cref="Commands.RunAsync(string, CommandOptions?, Action{OutputPiece}?, CancellationToken)"/>: then it is killed, and the result has TimedOut and exit code 124.</summary>
    public TimeSpan? Timeout { get; init; }
}
