using System.Diagnostics;
using System.Text;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Ramet.Contracts;
using Ramet.Images.Specs;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;
using Ramet.Server.Metrics;
using Ramet.Server.Scheduling;

namespace Ramet.Server.Api;

/// <summary>Runs code for requests: checks what was asked for, waits for a turn, and makes an answer of what came of it.</summary>
internal sealed class Executor(IDurableSandboxHost host, FairGate gate, ServerMetrics metrics, ServerSettings settings)
{
    private const int MostFiles = 1000;

    /// <summary>What code of a batch may print in any case, bytes.</summary>
    private const long LeastShare = 256 << 10;

    /// <summary>How long a client may go on reading what code has printed when its time is over.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>How much more than <c>limits.output_mb</c> may be printed when it is streamed.</summary>
    private const int StreamFactor = 4;

    /// <summary>What code runs in that says nothing of it.</summary>
    private const string DefaultTemplate = "python";

    /// <summary>Other names of languages.</summary>
    private static readonly Dictionary<string, string> s_aliases = new(StringComparer.OrdinalIgnoreCase) { ["python3"] = "python", ["py"] = "python", ["javascript"] = "node", ["js"] = "node", ["nodejs"] = "node" };

    /// <summary>Most that run at the same time.</summary>
    public int Concurrency => gate.Concurrency;

    /// <summary>Checks a request.</summary>
    /// <param name="tenant">Who sends it.</param>
    /// <param name="body">What was sent.</param>
    /// <param name="where">What to put before names in messages, such as <c>executions[2].</c></param>
    /// <exception cref="ProblemException">It cannot be run.</exception>
    public HostedExec Check(string tenant, ExecBody body, string where = "")
    {
        double seconds = Seconds(body.TimeoutSeconds, where);
        if (body.Files is { Count: > MostFiles }) throw ProblemException.BadRequest($"'{where}files' holds {body.Files.Count} files; {MostFiles} are the most.");
        foreach (string name in body.Env?.Keys ?? [])
        {
            if (name.Length == 0 || name.AsSpan().ContainsAny('=', '\0')) throw ProblemException.BadRequest($"'{where}env': '{Json.Shorten(name.Replace("\0", "\\0", StringComparison.Ordinal))}' cannot be the name of a variable.");
        }

        if (body.Env?.Any(pair => pair.Value?.Contains('\0', StringComparison.Ordinal) == true) == true) throw ProblemException.BadRequest($"'{where}env' holds a value with a NUL, which no environment can.");
        if (body.Args?.Any(argument => argument is null || argument.Contains('\0', StringComparison.Ordinal)) == true) throw ProblemException.BadRequest($"'{where}args' takes strings without NUL.");
        return new HostedExec
        {
            Template = TemplateOf(tenant, body.Template, body.Language, where),
            Code = body.Code,
            Arguments = body.Args,
            Environment = body.Env,
            Input = body.Stdin is { } input ? Encoding.UTF8.GetBytes(input) : null,
            Files = [.. (body.Files ?? new Dictionary<string, FileContent>(StringComparer.Ordinal)).Select(file => new HostedFile(CheckPath(file.Key, where), file.Value.Bytes))],
            MemoryBytes = Memory(body.MemoryMb, where),
            Timeout = TimeSpan.FromSeconds(seconds),
            MaxOutputBytes = (long)settings.OutputMb << 20,
        };
    }

    /// <summary>Code of a batch: all of its output is in one answer, so it shares room for the output of two.</summary>
    public HostedExec Share(HostedExec exec, int count) => exec with { MaxOutputBytes = Math.Min(exec.MaxOutputBytes, Math.Max(LeastShare, ((long)settings.OutputMb << 21) / count)) };

    /// <summary>Runs it when its turn comes.</summary>
    /// <param name="tenant">Who sends it.</param>
    /// <param name="exec">What was checked.</param>
    /// <param name="onTurn">Called when its turn has come; from then on something of it may have been done.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<ExecAnswer> RunAsync(string tenant, HostedExec exec, Action? onTurn, CancellationToken cancellationToken)
    {
        long asked = Stopwatch.GetTimestamp();
        var refusal = await gate.EnterAsync(tenant, cancellationToken).ConfigureAwait(false);
        if (refusal != GateRefusal.None) throw Refuse(refusal);
        HostedExecResult result;
        try
        {
            onTurn?.Invoke();
            metrics.OnQueued(Stopwatch.GetElapsedTime(asked).TotalSeconds);
            result = await host.ExecuteAsync(tenant, exec, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            gate.Leave();
        }

        metrics.OnExec(LabelOf(exec.Template), result.End, result.ForkNanoseconds / 1e9, result.ExecNanoseconds / 1e9);
        return Answer(result, exec);
    }

    /// <summary>Runs it when its turn comes, and streams what it prints.</summary>
    public async Task StreamAsync(HttpContext context, string tenant, HostedExec exec, bool raw)
    {
        // Nothing of it is kept, so that there may be more.
        exec = exec with { MaxOutputBytes = exec.MaxOutputBytes * StreamFactor };
        using var turn = await EnterAsync(tenant, context.RequestAborted).ConfigureAwait(false);
        // Whoever still reads when the code has long been over has a turn for which others wait.
        var late = new Timer(static context => ((HttpContext)context!).Abort(), context, exec.Timeout + s_patience, Timeout.InfiniteTimeSpan);
        await using var lateDisposal = late.ConfigureAwait(false);
        var events = host.ExecuteStreamAsync(tenant, exec, context.RequestAborted).GetAsyncEnumerator(context.RequestAborted);
        await using var disposal = events.ConfigureAwait(false);
        var stream = await EventStream.BeginAsync(context).ConfigureAwait(false);
        var last = await stream.PumpAsync(events, raw).ConfigureAwait(false);
        var end = HostedExecEnd.Parse(last.Details);
        metrics.OnExec(LabelOf(exec.Template), end.End, end.ForkNanoseconds / 1e9, end.ExecNanoseconds / 1e9);
        var answer = Answer(new HostedExecResult(end.End, last.ExitCode, [], [], end.Message, end.ForkNanoseconds, end.ExecNanoseconds), exec);
        await stream.WriteAsync("end", answer, Json.Contracts.ExecAnswer).ConfigureAwait(false);
    }

    /// <summary>Waits for a turn, which is over when what this gives is disposed.</summary>
    public async Task<IDisposable> EnterAsync(string tenant, CancellationToken cancellationToken)
    {
        long asked = Stopwatch.GetTimestamp();
        var refusal = await gate.EnterAsync(tenant, cancellationToken).ConfigureAwait(false);
        if (refusal != GateRefusal.None) throw Refuse(refusal);
        metrics.OnQueued(Stopwatch.GetElapsedTime(asked).TotalSeconds);
        return new Turn(gate);
    }

    /// <summary>The template for what was asked for. It need not be loaded yet.</summary>
    public string TemplateOf(string tenant, string? template, string? language, string where)
    {
        string? wanted = language is null ? null : s_aliases.GetValueOrDefault(language, language).ToLowerInvariant();
        // Built-in templates have the name of their language.
        string name = template ?? wanted ?? (host.Templates.ContainsKey(DefaultTemplate) ? DefaultTemplate : host.Templates.Keys.FirstOrDefault() ?? DefaultTemplate);
        if (host.FindTemplate(name) is { } found)
        {
            if (wanted is null || found.Language == wanted) return name;
            throw ProblemException.BadRequest($"'{where}template': '{Json.Shorten(name)}' runs {found.Language}, not {Json.Shorten(wanted)}.");
        }

        var all = host.ListTemplates();
        if (template is null && wanted is not null)
        {
            if (all.FirstOrDefault(known => known.Language == wanted) is { } other) return other.Name;
            string[] languages = [.. all.Select(known => known.Language).Distinct(StringComparer.Ordinal)];
            throw ProblemException.BadRequest($"'{where}language': there is no '{Json.Shorten(language!)}' here.{NearestName.Suggest(language!, languages)} Languages: {string.Join(", ", languages)}.{NotBuilt(wanted)}");
        }

        string[] own = [.. host.ListTemplates(tenant).Select(known => known.Name)];
        if (own.Contains(name, StringComparer.Ordinal)) return name;
        string[] names = [.. all.Select(known => known.Name), .. own];
        throw names.Length == 0
            ? new ProblemException(503, "No templates", "The server has no templates. Make one: ramet template build python", 5)
            : ProblemException.BadRequest($"'{where}template': there is no '{Json.Shorten(name)}' here.{NearestName.Suggest(name, names)} Templates: {string.Join(", ", names)}.{NotBuilt(name)}");
    }

    /// <summary>A template in metrics: a key's own ones are many, and their names are nobody else's business.</summary>
    private string LabelOf(string template) => host.FindTemplate(template) is null ? "own" : template;

    /// <summary>What Ramet could do, but has not been told to.</summary>
    private static string NotBuilt(string name) =>
        TemplateStore.KnownNames.Contains(name, StringComparer.Ordinal) ? $" '{name}' is not built yet: ramet template build {name}, or name it in the server's setting 'templates'." : "";

    /// <summary>A time limit.</summary>
    public double Seconds(double? asked, string where)
    {
        double seconds = asked ?? settings.TimeoutSeconds;
        if (seconds > 0 && seconds <= settings.MaxTimeoutSeconds) return seconds;
        throw ProblemException.BadRequest(FormattableString.Invariant($"'{where}timeout_seconds' must be more than 0 and at most {settings.MaxTimeoutSeconds} (limits.max_timeout_seconds), not {seconds}."));
    }

    /// <summary>A memory limit in bytes.</summary>
    public ulong Memory(int? asked, string where)
    {
        int megabytes = asked ?? settings.MemoryMb;
        if (megabytes >= 16 && megabytes <= settings.MaxMemoryMb) return (ulong)megabytes << 20;
        throw ProblemException.BadRequest($"'{where}memory_mb' must be from 16 to {settings.MaxMemoryMb} (limits.max_memory_mb), not {megabytes}.");
    }

    /// <summary>Why a turn does not come.</summary>
    public static ProblemException Refuse(GateRefusal refusal) => refusal == GateRefusal.Full
        ? new ProblemException(503, "The server is busy", "Too many requests wait already (limits.queue); try again after Retry-After seconds.", 1)
        : new ProblemException(503, "The server is busy", "The request has waited for its turn for as long as it may (limits.queue_seconds); try again after Retry-After seconds.", 2);

    private static string CheckPath(string path, string where)
    {
        if (path.Length is 0 or > 4096 || path.Contains('\0', StringComparison.Ordinal) || path.EndsWith('/'))
            throw ProblemException.BadRequest($"'{where}files': '{Json.Shorten(path.Replace("\0", "\\0", StringComparison.Ordinal))}' cannot be the path of a file.");
        return path;
    }

    private static ExecAnswer Answer(HostedExecResult result, HostedExec exec)
    {
        string stdout = Encoding.UTF8.GetString(result.Stdout), stderr = Encoding.UTF8.GetString(result.Stderr);
        double fork = Milliseconds(result.ForkNanoseconds), run = Milliseconds(result.ExecNanoseconds);
        // Of the numbers that are told, so that they add up.
        double total = Math.Round(fork + run, 3);
        return new ExecAnswer
        {
            Id = Guid.CreateVersion7().ToString(),
            Stdout = stdout,
            Stderr = stderr,
            Output = stderr.Length == 0 ? stdout : stdout + stderr,
            ExitCode = result.ExitCode,
            TimedOut = result.End == SandboxEnd.TimedOut,
            Error = Explain(result, exec),
            ForkTimeMs = fork,
            ExecTimeMs = run,
            TotalTimeMs = total,
            DurationMs = total,
            StdoutBase64 = Utf8.IsValid(result.Stdout) ? null : Convert.ToBase64String(result.Stdout),
            StderrBase64 = Utf8.IsValid(result.Stderr) ? null : Convert.ToBase64String(result.Stderr),
        };
    }

    private static string? Explain(HostedExecResult result, HostedExec exec) => result.End switch
    {
        SandboxEnd.Exited => null,
        SandboxEnd.TimedOut => FormattableString.Invariant($"Timed out after {exec.Timeout.TotalSeconds:0.###} s; raise timeout_seconds."),
        SandboxEnd.OutputLimit => $"Output was cut off after {exec.MaxOutputBytes >> 20} MiB (limits.output_mb).",
        SandboxEnd.OutOfMemory => $"The program needed more than {exec.MemoryBytes >> 20} MiB of memory and was killed; raise memory_mb.",
        SandboxEnd.Killed => "The sandbox was ended.",
        _ => result.Message ?? "The sandbox failed.",
    };

    private sealed class Turn(FairGate gate) : IDisposable
    {
        private FairGate? _gate = gate;

        public void Dispose() => Interlocked.Exchange(ref _gate, null)?.Leave();
    }

    private static double Milliseconds(long nanoseconds) => Math.Round(nanoseconds / 1e6, 3);
}
