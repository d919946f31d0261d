using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Images.Specs;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>Processes in a sandbox: started, watched, fed, signalled and waited for.</summary>
/// <param name="host">Where sandboxes live.</param>
/// <param name="stopping">Set when the server drains: who only looks on does not hold it up.</param>
internal sealed class ProcessEndpoints(ILiveSandboxHost host, CancellationToken stopping)
{
    private const string Base = "/v1/sandboxes/{id}/processes";

    /// <summary>Names of signals (signal(7)).</summary>
    private static readonly string[] s_signals =
    [
        "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    private readonly ProcessInput _input = new(host);

    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        const string Tag = "Processes";
        routes.Post(Base, StartAsync, new Operation("startProcess", "Start a process", "Beside the interpreter and other processes. Its output is kept (the last MiB) until somebody looks.")
        {
            Body = typeof(ProcessBody), Answer = typeof(ProcessAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base, ListAsync, new Operation("listProcesses", "List processes", "Those that were started here, also the last that have ended.")
        {
            Answer = typeof(ProcessList), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base + "/{pid}", GetAsync, new Operation("getProcess", "What is known of a process", "Whether it runs, and its exit code.")
        {
            Answer = typeof(ProcessAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base + "/{pid}/output", OutputAsync, new Operation(
            "processOutput", "Watch a process", "Server-sent events: stdout and stderr with text, what was kept of them first, and at last exit. Ask again to attach again.")
        {
            AnswerMediaType = EventStream.ContentType, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base + "/{pid}/connect", ConnectAsync, new Operation(
            "connectProcess", "Talk to a process over WebSocket",
            "Binary messages from the server: a byte 1 (stdout, terminal) or 2 (stderr), then the output; a text message {\"exit_code\": n} is the last. Binary messages to it are its input; text messages are {\"resize\": {\"rows\": n, \"columns\": n}}, {\"signal\": \"INT\"} or {\"eof\": true}.")
        {
            Status = StatusCodes.Status101SwitchingProtocols, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/{pid}/stdin", WriteAsync, new Operation("writeProcess", "Give a process input", "The body, whatever its type, is what it reads.")
        {
            BodyMediaType = "application/octet-stream", Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
            Query = [new("close", "boolean", "true: this was all; the process reads the end of the file.")],
        });
        routes.Post(Base + "/{pid}/signal", SignalAsync, new Operation("signalProcess", "Send a signal", "To the process and its group.")
        {
            Body = typeof(SignalBody), Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/{pid}/resize", ResizeAsync, new Operation("resizeProcess", "Resize its terminal", "Programs in the foreground get SIGWINCH.")
        {
            Body = typeof(TerminalSize), Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/{pid}/wait", WaitAsync, new Operation("waitProcess", "Wait for a process", "Answers when it has ended, or when the time is over.")
        {
            Answer = typeof(ProcessAnswer), Scope = Scope.Sandboxes, Tag = Tag, Query = [new("timeout_seconds", "number", "How long to wait at most. Default: 60.")],
        });
    }

    /// <summary>Number of a signal that is named SIGTERM, TERM or 15.</summary>
    internal static int ParseSignal(string text)
    {
        string name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text[3..] : text;
        int number = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int parsed) ? parsed : Array.FindIndex(s_signals, known => known.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (number is > 0 and <= 64) return number;
        throw ProblemException.BadRequest($"'signal': there is no '{Json.Shorten(text)}'.{NearestName.Suggest(name.ToUpperInvariant(), s_signals)} Write SIGTERM, TERM or 15.");
    }

    /// <summary>A size that a terminal can have.</summary>
    internal static HostedTerminalSize Check(TerminalSize size) => size is { Rows: > 0 and <= 1000, Columns: > 0 and <= 1000 }
        ? new HostedTerminalSize(size.Rows, size.Columns)
        : throw ProblemException.BadRequest("'rows' and 'columns' are from 1 to 1000.");

    private static string Id(HttpContext context) => SandboxEndpoints.IdOf(context);

    private static int Pid(HttpContext context) => int.TryParse((string?)context.Request.RouteValues["pid"], NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
        ? pid
        : throw ProblemException.NotFound("A process is named by its number (pid).");

    internal async Task StartAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.ProcessBody).ConfigureAwait(false);
        if ((body.Command is { Count: > 0 }) == (body.Shell is not null)) throw ProblemException.BadRequest("Give either 'command', an array of strings, or 'shell', a line for /bin/sh.");
        if (body.Command?.Any(word => word is null) == true || body.Command is [""]) throw ProblemException.BadRequest("'command' takes strings, and the first names a program.");
        if (body.Env?.Any(pair => pair.Key.Length == 0 || pair.Key.Contains('=', StringComparison.Ordinal) || pair.Value is null) == true) throw ProblemException.BadRequest("'env' takes names without '=' and strings as values.");
        IReadOnlyList<string> command = body.Shell is { } line ? ["/bin/sh", "-c", line] : body.Command!;
        var program = new HostedProgram(
            command, [.. (body.Env ?? new Dictionary<string, string>(StringComparer.Ordinal)).Select(pair => $"{pair.Key}={pair.Value}")], body.Cwd, body.User, body.Tty is { } size ? Check(size) : null);
        string tenant = Caller.Of(context).Id, id = Id(context);
        byte[] input = System.Text.Encoding.UTF8.GetBytes(body.Stdin ?? "");
        bool close = !body.KeepStdin && body.Tty is null;
        var room = _input.Reserve(tenant, input.Length, body.Tty is not null);
        HostedProcess process;
        try
        {
            // Not given up halfway: it would run, and nobody would know its number.
            process = await host.StartProcessAsync(tenant, id, program, CancellationToken.None).ConfigureAwait(false);
        }
        catch
        {
            room?.Dispose();
            throw;
        }

        try
        {
            if (input.Length > 0 || close) await _input.BeginAsync(tenant, id, process.Pid, input, close, room, context.RequestAborted).ConfigureAwait(false);
            context.Response.StatusCode = StatusCodes.Status201Created;
            context.Response.Headers.Location = string.Create(CultureInfo.InvariantCulture, $"/v1/sandboxes/{id}/processes/{process.Pid}");
            await Json.WriteAsync(context, Answer(process), Json.Contracts.ProcessAnswer).ConfigureAwait(false);
            context.RequestAborted.ThrowIfCancellationRequested();
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            await host.SignalAsync(tenant, id, process.Pid, ParseSignal("KILL"), CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private async Task ListAsync(HttpContext context)
    {
        var all = await host.ListProcessesAsync(Caller.Of(context).Id, Id(context), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, new ProcessList { Processes = [.. all.Select(Answer)] }, Json.Contracts.ProcessList).ConfigureAwait(false);
    }

    private async Task GetAsync(HttpContext context) => await Json.WriteAsync(context, Answer(await FindAsync(context).ConfigureAwait(false)), Json.Contracts.ProcessAnswer).ConfigureAwait(false);

    private async Task OutputAsync(HttpContext context)
    {
        await FindAsync(context).ConfigureAwait(false);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var events = host.AttachAsync(Caller.Of(context).Id, Id(context), Pid(context), end.Token).GetAsyncEnumerator(end.Token);
        await using var disposal = events.ConfigureAwait(false);
        var stream = await EventStream.BeginAsync(context).ConfigureAwait(false);
        await stream.PumpAsync(events).ConfigureAwait(false);
        await stream.WriteAsync("exit", Answer(await FindAsync(context).ConfigureAwait(false)), Json.Contracts.ProcessAnswer).ConfigureAwait(false);
    }

    private async Task ConnectAsync(HttpContext context)
    {
        var process = await FindAsync(context).ConfigureAwait(false);
        if (!context.WebSockets.IsWebSocketRequest) throw new ProblemException(426, "Upgrade required", "This is for WebSocket clients; for server-sent events ask for .../output.");
        using var socket = await context.WebSockets.AcceptWebSocketAsync().ConfigureAwait(false);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await new ProcessSocket(host, _input, socket, Caller.Of(context).Id, Id(context), process.Pid).RunAsync(end.Token).ConfigureAwait(false);
    }

    private async Task WriteAsync(HttpContext context)
    {
        var process = await FindAsync(context).ConfigureAwait(false);
        bool close = context.Request.Query["close"].ToString() switch
        {
            "" or "false" => false,
            "true" => true,
            _ => throw ProblemException.BadRequest("'close' is true or false."),
        };
        if (process.ExitCode is not null) throw new ProblemException(409, "The process has ended", $"Process {process.Pid} has ended with exit code {process.ExitCode}; nobody reads its input.");
        string tenant = Caller.Of(context).Id, id = Id(context);
        await RequestBody.UseAsync(context, async body =>
        {
            byte[] buffer = new byte[32768];
            int count;
            while ((count = await body.ReadAsync(buffer, context.RequestAborted).ConfigureAwait(false)) > 0)
                await _input.WriteAsync(tenant, id, process.Pid, buffer.AsMemory(0, count), close: false, context.RequestAborted).ConfigureAwait(false);
        }).ConfigureAwait(false);
        if (close) await _input.WriteAsync(tenant, id, process.Pid, default, close: true, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task SignalAsync(HttpContext context)
    {
        var process = await FindAsync(context).ConfigureAwait(false);
        var body = await Json.ReadAsync(context, Json.Contracts.SignalBody).ConfigureAwait(false);
        int signal = ParseSignal(body.Signal);
        if (!await host.SignalAsync(Caller.Of(context).Id, Id(context), process.Pid, signal, context.RequestAborted).ConfigureAwait(false))
            throw new ProblemException(409, "The process has ended", $"Process {process.Pid} has ended already.");
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task ResizeAsync(HttpContext context)
    {
        var process = await FindAsync(context).ConfigureAwait(false);
        var size = Check(await Json.ReadAsync(context, Json.Contracts.TerminalSize).ConfigureAwait(false));
        if (!process.HasTerminal) throw new ProblemException(409, "No terminal", $"Process {process.Pid} was started without a terminal ('tty').");
        await host.ResizeAsync(Caller.Of(context).Id, Id(context), process.Pid, size, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task WaitAsync(HttpContext context)
    {
        double seconds = 60;
        if (context.Request.Query["timeout_seconds"].ToString() is { Length: > 0 } text
            && (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out seconds) || seconds is not (>= 0 and <= 86400)))
            throw ProblemException.BadRequest("'timeout_seconds' is a number from 0 to 86400.");
        await FindAsync(context).ConfigureAwait(false);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds));
        try
        {
            await host.WaitProcessAsync(Caller.Of(context).Id, Id(context), Pid(context), limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // It runs still, which the answer says.
        }

        await GetAsync(context).ConfigureAwait(false);
    }

    private async Task<HostedProcess> FindAsync(HttpContext context)
    {
        int pid = Pid(context);
        var all = await host.ListProcessesAsync(Caller.Of(context).Id, Id(context), context.RequestAborted).ConfigureAwait(false);
        return all.FirstOrDefault(process => process.Pid == pid) ?? throw new ProcessGoneException(pid);
    }

    private static ProcessAnswer Answer(HostedProcess process) => new()
    {
        Pid = process.Pid,
        Command = process.Command,
        Started = process.Started,
        Tty = process.HasTerminal,
        Running = process.ExitCode is null,
        ExitCode = process.ExitCode,
    };
}
