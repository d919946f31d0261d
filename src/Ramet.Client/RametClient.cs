using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using Ramet.Contracts;

namespace Ramet.Client;

/// <summary>A server. Safe to use from several threads; make one and keep it.</summary>
public sealed class RametClient : IDisposable
{
    private readonly bool _owns;

    /// <summary>A client with connections of its own.</summary>
    /// <param name="options">Where the server is; null: as the environment says.</param>
    /// <exception cref="ArgumentException">The address is none.</exception>
    public RametClient(RametClientOptions? options = null)
        : this(new HttpClient(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60) }), options ?? new RametClientOptions()) => _owns = true;

    /// <summary>A client over the caller's <see cref="HttpClient"/>, which stays the caller's.</summary>
    public RametClient(HttpClient http, RametClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(options);
        http.BaseAddress = options.ResolveUrl();
        // Code may run for long; calls have tokens.
        http.Timeout = Timeout.InfiniteTimeSpan;
        if (options.ResolveKey() is { } key) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        http.DefaultRequestHeaders.UserAgent.ParseAdd("ramet-dotnet/0.1.0");
        Transport = new Transport(http, options.Retries);
    }

    internal Transport Transport { get; }

    /// <summary>Runs code in a fork of its own, of which nothing is left. Cancelling ends the code.</summary>
    /// <exception cref="RametApiException">The server refuses it.</exception>
    /// <exception cref="RametTransportException">The server cannot be reached.</exception>
    public async Task<ExecResult> ExecAsync(string code, ExecOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(code);
        var body = (options ?? new ExecOptions()).With(code);
        return new ExecResult(await Transport.SendAsync(HttpMethod.Post, "v1/exec", body, ClientJson.Default.ExecBody, ClientJson.Default.ExecAnswer, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Runs code in a fork of its own, and tells what it prints as it is printed.</summary>
    /// <param name="code">The source text.</param>
    /// <param name="onOutput">Called with what is printed. What it throws ends the code.</param>
    /// <param name="options">Language, limits, input.</param>
    /// <param name="cancellationToken">Ends the code.</param>
    /// <exception cref="RametApiException">The server refuses it.</exception>
    /// <exception cref="RametTransportException">The server cannot be reached, or the connection broke.</exception>
    public async Task<ExecResult> ExecAsync(string code, Action<OutputPiece> onOutput, ExecOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(code);
        ArgumentNullException.ThrowIfNull(onOutput);
        var body = (options ?? new ExecOptions()).With(code);
        StringBuilder stdout = new(), stderr = new();
        ExecAnswer? end = null;
        var events = Transport.OutputAsync("v1/exec", () => Transport.Json(body, ClientJson.Default.ExecBody), ClientJson.Default.ExecAnswer, cancellationToken);
        await foreach (var (piece, last) in events.ConfigureAwait(false))
        {
            end = last;
            if (last is not null) continue;
            (piece.IsError ? stderr : stdout).Append(piece.Text);
            onOutput(piece);
        }

        if (end is null) throw new RametTransportException("The stream ended before the code did.");
        return new ExecResult(end with { Stdout = stdout.ToString(), Stderr = stderr.ToString(), Output = stdout.ToString() + stderr });
    }

    /// <summary>Runs several pieces of code, each in a fork of its own. Results are in the same order.</summary>
    public async Task<IReadOnlyList<ExecResult>> ExecBatchAsync(IEnumerable<string> codes, ExecOptions? options = null, CancellationToken cancellationToken = default) =>
        await ExecBatchAsync(codes.Select(code => (options ?? new ExecOptions()).With(code)), cancellationToken).ConfigureAwait(false);

    /// <summary>Runs several pieces of code, each with options of its own.</summary>
    public async Task<IReadOnlyList<ExecResult>> ExecBatchAsync(IEnumerable<ExecBody> executions, CancellationToken cancellationToken = default)
    {
        var body = new BatchBody { Executions = [.. executions] };
        var answer = await Transport.SendAsync(HttpMethod.Post, "v1/exec/batch", body, ClientJson.Default.BatchBody, ClientJson.Default.BatchAnswer, cancellationToken).ConfigureAwait(false);
        return [.. answer.Results.Select(one => new ExecResult(one))];
    }

    /// <summary>Status, version and templates of the server. Needs no key.</summary>
    public Task<HealthAnswer> HealthAsync(CancellationToken cancellationToken = default) => Transport.GetAsync("v1/health", ClientJson.Default.HealthAnswer, cancellationToken);

    /// <summary>Metrics of the server in Prometheus's text format.</summary>
    public Task<string> MetricsAsync(CancellationToken cancellationToken = default) => Transport.GetTextAsync("v1/metrics", cancellationToken);

    /// <summary>A sandbox, made at once.</summary>
    public async Task<Sandbox> CreateSandboxAsync(SandboxOptions? options = null, CancellationToken cancellationToken = default)
    {
        var sandbox = new Sandbox(this, options);
        await sandbox.ReadyAsync(cancellationToken).ConfigureAwait(false);
        return sandbox;
    }

    /// <summary>A sandbox that there is already.</summary>
    /// <exception cref="RametApiException">404: it is over.</exception>
    public async Task<Sandbox> ConnectAsync(string id, CancellationToken cancellationToken = default) =>
        new(this, (await Transport.GetAsync($"v1/sandboxes/{Uri.EscapeDataString(id)}", ClientJson.Default.SandboxAnswer, cancellationToken).ConfigureAwait(false)).Id);

    /// <summary>All live sandboxes of the key, the oldest first.</summary>
    /// <param name="metadata">Only those that have this noted.</param>
    /// <param name="pageSize">How many to ask for at a time, 1 to 1000.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<SandboxAnswer> SandboxesAsync(IReadOnlyDictionary<string, string>? metadata = null, int pageSize = 100, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string filter = string.Concat((metadata ?? new Dictionary<string, string>(StringComparer.Ordinal)).Select(pair => $"&metadata.{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(pair.Value)}"));
        string? cursor = null;
        do
        {
            string next = cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}";
            var page = await Transport.GetAsync(FormattableString.Invariant($"v1/sandboxes?limit={pageSize}{filter}{next}"), ClientJson.Default.SandboxList, cancellationToken).ConfigureAwait(false);
            foreach (var one in page.Sandboxes) yield return one;
            cursor = page.NextCursor;
        }
        while (cursor is not null);
    }

    /// <summary>Saved sandboxes.</summary>
    public async Task<IReadOnlyList<SnapshotAnswer>> SnapshotsAsync(CancellationToken cancellationToken = default) =>
        (await Transport.GetAsync("v1/snapshots", ClientJson.Default.SnapshotList, cancellationToken).ConfigureAwait(false)).Snapshots;

    /// <summary>What is known of a saved sandbox.</summary>
    public Task<SnapshotAnswer> GetSnapshotAsync(string id, CancellationToken cancellationToken = default) =>
        Transport.GetAsync($"v1/snapshots/{Uri.EscapeDataString(id)}", ClientJson.Default.SnapshotAnswer, cancellationToken);

    /// <summary>Forgets a saved sandbox. Sandboxes that were made of it live on.</summary>
    public Task DeleteSnapshotAsync(string id, CancellationToken cancellationToken = default) => Transport.DoAsync(HttpMethod.Delete, $"v1/snapshots/{Uri.EscapeDataString(id)}", null, cancellationToken);

    /// <summary>What sandboxes can be forked from: the server's templates, then the key's own.</summary>
    public async Task<IReadOnlyList<TemplateAnswer>> TemplatesAsync(CancellationToken cancellationToken = default) =>
        (await Transport.GetAsync("v1/templates", ClientJson.Default.TemplateList, cancellationToken).ConfigureAwait(false)).Templates;

    /// <summary>Removes one of the key's own. Sandboxes that were forked from it live on.</summary>
    public Task DeleteTemplateAsync(string name, CancellationToken cancellationToken = default) => Transport.DoAsync(HttpMethod.Delete, $"v1/templates/{Uri.EscapeDataString(name)}", null, cancellationToken);

    /// <summary>Closes its connections, if they are its own.</summary>
    public void Dispose()
    {
        if (_owns) Transport.Http.Dispose();
    }
}
