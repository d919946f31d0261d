using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Ramet.Contracts;

namespace Ramet.Client;

/// <summary>A virtual machine with a warm interpreter, processes and files. It is made when it is first used, and ends when it is disposed of, or when its time (300 s) is over.</summary>
/// <example><code>
/// await using var sandbox = new Sandbox();
/// Console.WriteLine(await sandbox.RunAsync("print(1 + 1)"));
/// </code></example>
public sealed class Sandbox : IAsyncDisposable
{
    private static readonly Lazy<RametClient> s_shared = new(() => new RametClient());

    private readonly SemaphoreSlim _making = new(1, 1);
    private readonly SandboxOptions _options = new();
    private string? _id;

    /// <summary>A sandbox of the server that the environment names.</summary>
    public Sandbox(SandboxOptions? options = null)
        : this(s_shared.Value, options)
    {
    }

    /// <summary>A sandbox of this server.</summary>
    public Sandbox(RametClient client, SandboxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        Client = client;
        _options = options ?? _options;
        Files = new Files(this);
        Commands = new Commands(this);
    }

    internal Sandbox(RametClient client, string id)
        : this(client) => _id = id;

    /// <summary>The server.</summary>
    public RametClient Client { get; }

    /// <summary>Its files.</summary>
    public Files Files { get; }

    /// <summary>Programs in it.</summary>
    public Commands Commands { get; }

    /// <summary>Names it at the server; null: it is not made yet.</summary>
    public string? Id => _id;

    private Transport Transport => Client.Transport;

    /// <summary>Makes it, unless that is done. Gives its id.</summary>
    public async Task<string> ReadyAsync(CancellationToken cancellationToken = default)
    {
        if (_id is { } known) return known;
        await _making.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _id ??= (await Transport.SendAsync(HttpMethod.Post, "v1/sandboxes", _options, ClientJson.Default.SandboxOptions, ClientJson.Default.SandboxAnswer, cancellationToken).ConfigureAwait(false)).Id;
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>Runs code in the warm interpreter: names stay defined from run to run. Cancelling interrupts the code, and the sandbox lives on.</summary>
    /// <param name="code">The source text.</param>
    /// <param name="options">Time, environment, directory.</param>
    /// <param name="onOutput">Called with what is printed, as it is printed. What it throws interrupts the code.</param>
    /// <param name="cancellationToken">Interrupts the code.</param>
    public async Task<RunResult> RunAsync(string code, RunOptions? options = null, Action<OutputPiece>? onOutput = null, CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/run", cancellationToken).ConfigureAwait(false);
        var body = Body(code, options);
        if (onOutput is null) return new RunResult(await Transport.SendAsync(HttpMethod.Post, path, body, ClientJson.Default.RunBody, ClientJson.Default.RunAnswer, cancellationToken).ConfigureAwait(false));
        StringBuilder stdout = new(), stderr = new();
        RunEnd? end = null;
        await foreach (var (piece, last) in StreamAsync(path, body, cancellationToken).ConfigureAwait(false))
        {
            end = last;
            if (last is not null) continue;
            (piece.IsError ? stderr : stdout).Append(piece.Text);
            onOutput(piece);
        }

        if (end is null) throw new RametTransportException("The stream ended before the code did.");
        return new RunResult(new RunAnswer
        {
            Stdout = stdout.ToString(),
            Stderr = stderr.ToString(),
            ExitCode = end.ExitCode,
            TimedOut = end.TimedOut,
            Value = end.Value,
            Results = end.Results,
            Exception = end.Exception,
            DurationMs = end.DurationMs,
        });
    }

    /// <summary>Runs code and gives what it prints, as it prints it. Leaving the loop interrupts the code.</summary>
    public async IAsyncEnumerable<OutputPiece> RunStreamingAsync(string code, RunOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/run", cancellationToken).ConfigureAwait(false);
        await foreach (var (piece, end) in StreamAsync(path, Body(code, options), cancellationToken).ConfigureAwait(false))
        {
            if (end is null) yield return piece;
        }
    }

    /// <summary>State, memory, and when it ends.</summary>
    public async Task<SandboxAnswer> GetInfoAsync(CancellationToken cancellationToken = default) =>
        await Transport.GetAsync(await PathAsync("", cancellationToken).ConfigureAwait(false), ClientJson.Default.SandboxAnswer, cancellationToken).ConfigureAwait(false);

    /// <summary>It is to end after this time from now.</summary>
    public Task<SandboxAnswer> ExtendAsync(TimeSpan timeout, CancellationToken cancellationToken = default) => PatchAsync(new SandboxPatch { TimeoutSeconds = timeout.TotalSeconds }, cancellationToken);

    /// <summary>Replaces what is noted with it.</summary>
    public Task<SandboxAnswer> SetMetadataAsync(IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken = default) =>
        PatchAsync(new SandboxPatch { Metadata = metadata }, cancellationToken);

    /// <summary>Stops it; its memory is kept. Until it is resumed nothing else can be asked of it (409).</summary>
    public Task<SandboxAnswer> PauseAsync(CancellationToken cancellationToken = default) => StateAsync("/pause", cancellationToken);

    /// <summary>Lets it go on.</summary>
    public Task<SandboxAnswer> ResumeAsync(CancellationToken cancellationToken = default) => StateAsync("/resume", cancellationToken);

    /// <summary>So many copies of it as it is now, with its variables, files and processes. It goes on itself.</summary>
    public async Task<IReadOnlyList<Sandbox>> ForkAsync(int count = 1, TimeSpan? timeout = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/fork", cancellationToken).ConfigureAwait(false);
        var body = new ForkBody { Count = count, TimeoutSeconds = timeout?.TotalSeconds, Metadata = metadata };
        var page = await Transport.SendAsync(HttpMethod.Post, path, body, ClientJson.Default.ForkBody, ClientJson.Default.ForkAnswer, cancellationToken).ConfigureAwait(false);
        return [.. page.Sandboxes.Select(one => new Sandbox(Client, one.Id))];
    }

    /// <summary>Saves it as it is now. <see cref="SandboxOptions.Snapshot"/> goes on from there, also after the server was restarted.</summary>
    public async Task<SnapshotAnswer> SnapshotAsync(string? name = null, CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/snapshots", cancellationToken).ConfigureAwait(false);
        return await Transport.SendAsync(HttpMethod.Post, path, new SnapshotBody { Name = name }, ClientJson.Default.SnapshotBody, ClientJson.Default.SnapshotAnswer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Notes this moment, for <see cref="RewindAsync"/> and <see cref="DiffAsync"/>.</summary>
    public async Task<CheckpointAnswer> CheckpointAsync(string? name = null, CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/checkpoints", cancellationToken).ConfigureAwait(false);
        return await Transport.SendAsync(HttpMethod.Post, path, new CheckpointBody { Name = name }, ClientJson.Default.CheckpointBody, ClientJson.Default.CheckpointAnswer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The moments that were noted.</summary>
    public async Task<IReadOnlyList<CheckpointAnswer>> CheckpointsAsync(CancellationToken cancellationToken = default) =>
        (await Transport.GetAsync(await PathAsync("/checkpoints", cancellationToken).ConfigureAwait(false), ClientJson.Default.CheckpointList, cancellationToken).ConfigureAwait(false)).Checkpoints;

    /// <summary>Forgets a moment.</summary>
    public async Task DeleteCheckpointAsync(string checkpoint, CancellationToken cancellationToken = default) =>
        await Transport.DoAsync(HttpMethod.Delete, await PathAsync($"/checkpoints/{Uri.EscapeDataString(checkpoint)}", cancellationToken).ConfigureAwait(false), null, cancellationToken).ConfigureAwait(false);

    /// <summary>Takes everything, memory and files, back to that moment.</summary>
    public async Task RewindAsync(string checkpoint, CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/rewind", cancellationToken).ConfigureAwait(false);
        await Transport.DoAsync(HttpMethod.Post, path, () => Transport.Json(new RewindBody { Checkpoint = checkpoint }, ClientJson.Default.RewindBody), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What has changed from one checkpoint to another, or to now.</summary>
    /// <param name="from">A checkpoint; null: the beginning.</param>
    /// <param name="to">A checkpoint; null: now.</param>
    /// <param name="content">Also the contents of files.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<DiffAnswer> DiffAsync(string? from = null, string? to = null, bool content = false, CancellationToken cancellationToken = default)
    {
        string[] query = [.. new[] { from is null ? null : $"from={Uri.EscapeDataString(from)}", to is null ? null : $"to={Uri.EscapeDataString(to)}", content ? "content=true" : null }.OfType<string>()];
        string path = await PathAsync("/diff" + (query.Length > 0 ? "?" + string.Join('&', query) : ""), cancellationToken).ConfigureAwait(false);
        return await Transport.GetAsync(path, ClientJson.Default.DiffAnswer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What it has used: CPU, memory, and more.</summary>
    public async Task<SandboxMetrics> MetricsAsync(CancellationToken cancellationToken = default) =>
        await Transport.GetAsync(await PathAsync("/metrics", cancellationToken).ConfigureAwait(false), ClientJson.Default.SandboxMetrics, cancellationToken).ConfigureAwait(false);

    /// <summary>What happened to it, and the last output of its interpreter, also between runs.</summary>
    public async Task<SandboxLogs> LogsAsync(CancellationToken cancellationToken = default) =>
        await Transport.GetAsync(await PathAsync("/logs", cancellationToken).ConfigureAwait(false), ClientJson.Default.SandboxLogs, cancellationToken).ConfigureAwait(false);

    /// <summary>Ends it.</summary>
    /// <exception cref="RametApiException">404: it is over already.</exception>
    public async Task DeleteAsync(CancellationToken cancellationToken = default) =>
        await Transport.DoAsync(HttpMethod.Delete, await PathAsync("", cancellationToken).ConfigureAwait(false), null, cancellationToken).ConfigureAwait(false);

    /// <summary>Ends it, if it was made and is not over.</summary>
    public async ValueTask DisposeAsync()
    {
        await _making.WaitAsync().ConfigureAwait(false);
        _making.Release();
        if (_id is null) return;
        try
        {
            await DeleteAsync().ConfigureAwait(false);
        }
        catch (RametApiException e) when (e.Status == 404)
        {
            // It is over.
        }
    }

    internal async Task<string> PathAsync(string rest, CancellationToken cancellationToken) => $"v1/sandboxes/{Uri.EscapeDataString(await ReadyAsync(cancellationToken).ConfigureAwait(false))}{rest}";

    internal static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static RunBody Body(string code, RunOptions? options) => new() { Code = code, TimeoutSeconds = options?.Timeout?.TotalSeconds, Env = options?.Env, Cwd = options?.Cwd };

    private IAsyncEnumerable<(OutputPiece Piece, RunEnd? End)> StreamAsync(string path, RunBody body, CancellationToken cancellationToken) =>
        Transport.OutputAsync(path, () => Transport.Json(body, ClientJson.Default.RunBody), ClientJson.Default.RunEnd, cancellationToken);

    /// <summary>Makes a template of it as it is now, which has all that it has imported and defined. Nothing may run in it; it goes on.</summary>
    public async Task<TemplateAnswer> SaveTemplateAsync(string name, CancellationToken cancellationToken = default)
    {
        var body = new TemplateBody { Name = name, Sandbox = await ReadyAsync(cancellationToken).ConfigureAwait(false) };
        return await Transport.SendAsync(HttpMethod.Post, "v1/templates", body, ClientJson.Default.TemplateBody, ClientJson.Default.TemplateAnswer, cancellationToken).ConfigureAwait(false);
    }

    private async Task<SandboxAnswer> PatchAsync(SandboxPatch patch, CancellationToken cancellationToken)
    {
        string path = await PathAsync("", cancellationToken).ConfigureAwait(false);
        return await Transport.SendAsync(HttpMethod.Patch, path, patch, ClientJson.Default.SandboxPatch, ClientJson.Default.SandboxAnswer, cancellationToken).ConfigureAwait(false);
    }

    private async Task<SandboxAnswer> StateAsync(string what, CancellationToken cancellationToken) =>
        await Transport.PostAsync(await PathAsync(what, cancellationToken).ConfigureAwait(false), ClientJson.Default.SandboxAnswer, cancellationToken).ConfigureAwait(false);
}
