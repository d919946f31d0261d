namespace Ramet.Sandboxes.Hosting;

/// <summary>
/// Where sandboxes live, as a server sees it: in this process, or in worker processes. Arguments and results are data that could go over a pipe. A tenant's machines never
/// become another's.
/// </summary>
public interface ISandboxHost : IExecHost, ILiveSandboxHost;

/// <summary>Where code runs in forks that end with it.</summary>
public interface IExecHost : IAsyncDisposable
{
    /// <summary>Templates that are ready, by name.</summary>
    IReadOnlyDictionary<string, HostedTemplate> Templates { get; }

    /// <summary>A template that code can run in: one that is ready, or that is made so when it is first used. Null: there is none of this name.</summary>
    HostedTemplate? FindTemplate(string name);

    /// <summary>All of these, the built-in ones first. It reads the disk.</summary>
    IReadOnlyList<HostedTemplate> ListTemplates();

    /// <summary>Counts for metrics.</summary>
    HostStatistics Statistics { get; }

    /// <summary>Loads a template, building it first if need be, and has machines of it stand ready. Several can be asked for at the same time; the first is the one that is used most.</summary>
    /// <exception cref="SandboxException">There is none of this name, or it cannot be built.</exception>
    Task PrepareAsync(string template, CancellationToken cancellationToken);

    /// <summary>Runs code in a fork of a template. Cancellation ends the sandbox.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="exec">What to run.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SandboxException">The sandbox cannot be made; the message is for the user.</exception>
    Task<HostedExecResult> ExecuteAsync(string tenant, HostedExec exec, CancellationToken cancellationToken);

    /// <summary>The same, with the output as it comes; a reader who is slow holds the program up. The last event is the end, whose details are <see cref="HostedExecEnd"/>.</summary>
    IAsyncEnumerable<HostedEvent> ExecuteStreamAsync(string tenant, HostedExec exec, CancellationToken cancellationToken);
}

/// <summary>What came of code whose output was given as it came.</summary>
/// <param name="End">Why it ended.</param>
/// <param name="Message">A reason from the kernel.</param>
/// <param name="ForkNanoseconds">To make the sandbox.</param>
/// <param name="ExecNanoseconds">From there to the end.</param>
public sealed record HostedExecEnd(SandboxEnd End, string? Message, long ForkNanoseconds, long ExecNanoseconds)
{
    /// <summary>As the details of an event.</summary>
    public string ToDetails() => System.Text.Json.JsonSerializer.Serialize(this, Workers.WorkerJson.Default.HostedExecEnd);

    /// <summary>From the details of an event.</summary>
    public static HostedExecEnd Parse(string? details)
    {
        try
        {
            if (details is not null && System.Text.Json.JsonSerializer.Deserialize(details, Workers.WorkerJson.Default.HostedExecEnd) is { } end) return end;
        }
        catch (System.Text.Json.JsonException)
        {
        }

        return new HostedExecEnd(SandboxEnd.Failed, "The worker has not said what came of it.", 0, 0);
    }
}

/// <summary>A template that a host has.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Language">What its runner executes.</param>
/// <param name="MemoryBytes">Guest memory that a fork maps.</param>
public sealed record HostedTemplate(string Name, string Language, long MemoryBytes);

/// <summary>Counts of a host.</summary>
/// <param name="Running">Sandboxes that run code for a caller now.</param>
/// <param name="Pooled">Sandboxes that stand ready.</param>
/// <param name="PoolHits">Execs that found a sandbox ready.</param>
/// <param name="PoolMisses">Execs that had to fork.</param>
/// <param name="Recycled">Machines that were used again.</param>
/// <param name="Live">Sandboxes that live on between calls.</param>
/// <param name="LiveMemoryBytes">Memory that these use.</param>
/// <param name="Workers">Worker processes; 0: sandboxes live in this process.</param>
/// <param name="WorkerResidentBytes">Resident memory of these, shared pages counted in each.</param>
public sealed record HostStatistics(
    int Running, int Pooled, long PoolHits, long PoolMisses, long Recycled, int Live = 0, ulong LiveMemoryBytes = 0, int Workers = 0, long WorkerResidentBytes = 0);

/// <summary>Code to run in a fork of its own.</summary>
public sealed record HostedExec
{
    /// <summary>The template.</summary>
    public required string Template { get; init; }

    /// <summary>The source text.</summary>
    public required string Code { get; init; }

    /// <summary>Arguments of the program (sys.argv[1:]).</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    /// <summary>Environment variables to set; null values remove.</summary>
    public IReadOnlyDictionary<string, string?>? Environment { get; init; }

    /// <summary>Standard input.</summary>
    public byte[]? Input { get; init; }

    /// <summary>Files to write before the code runs; relative paths begin in the runner's working directory.</summary>
    public IReadOnlyList<HostedFile> Files { get; init; } = [];

    /// <summary>Memory limit in bytes.</summary>
    public required ulong MemoryBytes { get; init; }

    /// <summary>Wall time.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>Bytes that it may print.</summary>
    public required long MaxOutputBytes { get; init; }
}

/// <summary>A file to write into a sandbox.</summary>
/// <param name="Path">Where.</param>
/// <param name="Content">Its bytes.</param>
public sealed record HostedFile(string Path, ReadOnlyMemory<byte> Content);

/// <summary>What came of a <see cref="HostedExec"/>.</summary>
/// <param name="End">Why it ended.</param>
/// <param name="ExitCode">As <see cref="SandboxResult.ExitCode"/>.</param>
/// <param name="Stdout">What was printed.</param>
/// <param name="Stderr">What was printed to standard error.</param>
/// <param name="Message">A reason from the kernel when <paramref name="End"/> is <see cref="SandboxEnd.Failed"/>.</param>
/// <param name="ForkNanoseconds">To make the sandbox.</param>
/// <param name="ExecNanoseconds">From there to the end.</param>
public sealed record HostedExecResult(SandboxEnd End, int ExitCode, byte[] Stdout, byte[] Stderr, string? Message, long ForkNanoseconds, long ExecNanoseconds);

/// <summary>Something cannot be done with a file of a sandbox.</summary>
/// <param name="path">The file.</param>
/// <param name="error">Why.</param>
public sealed class HostedFileException(string path, Abi.Errno error) : SandboxException($"'{path}': {error}.", error)
{
    /// <summary>The file.</summary>
    public string Path { get; } = path;
}
