using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Ramet.Contracts;

namespace Ramet.Client;

/// <summary>Programs in a sandbox, beside its interpreter.</summary>
public sealed class Commands
{
    private readonly Sandbox _sandbox;

    internal Commands(Sandbox sandbox) => _sandbox = sandbox;

    /// <summary>Runs a line of /bin/sh to its end. Cancelling kills it.</summary>
    public Task<CommandResult> RunAsync(string shell, CommandOptions? options = null, Action<OutputPiece>? onOutput = null, CancellationToken cancellationToken = default) =>
        RunAsync(shell, null, options, onOutput, cancellationToken);

    /// <summary>Runs a program with arguments to its end. Cancelling kills it.</summary>
    public Task<CommandResult> RunAsync(IReadOnlyList<string> command, CommandOptions? options = null, Action<OutputPiece>? onOutput = null, CancellationToken cancellationToken = default) =>
        RunAsync(null, command, options, onOutput, cancellationToken);

    /// <summary>Starts a line of /bin/sh and returns at once.</summary>
    public Task<SandboxProcess> StartAsync(string shell, CommandOptions? options = null, CancellationToken cancellationToken = default) => StartAsync(shell, null, options, cancellationToken);

    /// <summary>Starts a program with arguments and returns at once.</summary>
    public Task<SandboxProcess> StartAsync(IReadOnlyList<string> command, CommandOptions? options = null, CancellationToken cancellationToken = default) => StartAsync(null, command, options, cancellationToken);

    /// <summary>A program that was started before, perhaps by another client.</summary>
    /// <exception cref="RametApiException">404: there is none.</exception>
    public async Task<SandboxProcess> AttachAsync(int pid, CancellationToken cancellationToken = default)
    {
        var process = new SandboxProcess(_sandbox, pid);
        await process.GetInfoAsync(cancellationToken).ConfigureAwait(false);
        return process;
    }

    /// <summary>Programs that were started here, also the last that have ended.</summary>
    public async Task<IReadOnlyList<ProcessAnswer>> ListAsync(CancellationToken cancellationToken = default) =>
        (await _sandbox.Client.Transport.GetAsync(await _sandbox.PathAsync("/processes", cancellationToken).ConfigureAwait(false), ClientJson.Default.ProcessList, cancellationToken).ConfigureAwait(false)).Processes;

    private async Task<SandboxProcess> StartAsync(string? shell, IReadOnlyList<string>? command, CommandOptions? options, CancellationToken cancellationToken)
    {
        var body = new ProcessBody
        {
            Shell = shell,
            Command = command,
            Env = options?.Env,
            Cwd = options?.Cwd,
            User = options?.User,
            Tty = options?.Tty,
            Stdin = options?.Stdin,
            KeepStdin = options?.KeepStdin ?? false,
        };
        string path = await _sandbox.PathAsync("/processes", cancellationToken).ConfigureAwait(false);
        return new SandboxProcess(
            _sandbox, (await _sandbox.Client.Transport.SendAsync(HttpMethod.Post, path, body, ClientJson.Default.ProcessBody, ClientJson.Default.ProcessAnswer, cancellationToken).ConfigureAwait(false)).Pid);
    }

    private async Task<CommandResult> RunAsync(string? shell, IReadOnlyList<string>? command, CommandOptions? options, Action<OutputPiece>? onOutput, CancellationToken cancellationToken)
    {
        var process = await StartOrKillAsync(StartAsync(shell, command, options, CancellationToken.None), cancellationToken).ConfigureAwait(false);
        using var ended = new CancellationTokenSource();
        var late = options?.Timeout is { } time ? KillLateAsync(process, time, ended.Token) : Task.FromResult(false);
        try
        {
            var result = await process.WaitAsync(onOutput, cancellationToken).ConfigureAwait(false);
            await ended.CancelAsync().ConfigureAwait(false);
            return await late.ConfigureAwait(false) ? result with { ExitCode = 124, TimedOut = true } : result;
        }
        catch
        {
            // Nobody is there to take its output.
            await ended.CancelAsync().ConfigureAwait(false);
            await late.ConfigureAwait(false);
            await TryKillAsync(process).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The process, or cancellation: one that starts nevertheless is killed as soon as its number is known.</summary>
    private static async Task<SandboxProcess> StartOrKillAsync(Task<SandboxProcess> starting, CancellationToken cancellationToken)
    {
        try
        {
            return await starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _ = KillStartedAsync(starting);
            throw;
        }
    }

    private static async Task KillStartedAsync(Task<SandboxProcess> starting)
    {
        try
        {
            await TryKillAsync(await starting.ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RametException or OperationCanceledException or ObjectDisposedException)
        {
            // It did not start, or the client is gone, and the server ends what nobody has learnt of.
        }
    }

    private static async Task<bool> KillLateAsync(SandboxProcess process, TimeSpan time, CancellationToken ended)
    {
        await Task.Delay(time, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !ended.IsCancellationRequested && await TryKillAsync(process).ConfigureAwait(false);
    }

    private static async Task<bool> TryKillAsync(SandboxProcess process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            return await process.KillAsync("KILL", limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RametException or OperationCanceledException)
        {
            return false;
        }
    }
}

/// <summary>A program that was started. It goes on when this object goes.</summary>
public sealed class SandboxProcess
{
    private readonly Sandbox _sandbox;

    internal SandboxProcess(Sandbox sandbox, int pid) => (_sandbox, Pid) = (sandbox, pid);

    /// <summary>Its number in the sandbox.</summary>
    public int Pid { get; }

    private Transport Transport => _sandbox.Client.Transport;

    /// <summary>Whether it runs, and its exit code.</summary>
    public async Task<ProcessAnswer> GetInfoAsync(CancellationToken cancellationToken = default) =>
        await Transport.GetAsync(await PathAsync("", cancellationToken).ConfigureAwait(false), ClientJson.Default.ProcessAnswer, cancellationToken).ConfigureAwait(false);

    /// <summary>What it prints, as it comes, until it ends: first what was kept (the last MiB). Can be asked for again at any time.</summary>
    public async IAsyncEnumerable<OutputPiece> OutputAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var (piece, exitCode) in EventsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (exitCode is null) yield return piece;
        }
    }

    /// <summary>Waits for its end, and gives what it has printed (what was kept of that, if nobody was attached before). Cancelling leaves it running.</summary>
    public async Task<CommandResult> WaitAsync(Action<OutputPiece>? onOutput = null, CancellationToken cancellationToken = default)
    {
        StringBuilder stdout = new(), stderr = new();
        int? end = null;
        await foreach (var (piece, exitCode) in EventsAsync(cancellationToken).ConfigureAwait(false))
        {
            end = exitCode;
            if (exitCode is not null) continue;
            (piece.IsError ? stderr : stdout).Append(piece.Text);
            onOutput?.Invoke(piece);
        }

        return new CommandResult(Pid, stdout.ToString(), stderr.ToString(), end ?? throw new RametTransportException("The stream ended before the program did."), TimedOut: false);
    }

    /// <summary>Sends it and its group a signal, such as TERM or 15.</summary>
    /// <returns>False: it has ended already.</returns>
    public async Task<bool> KillAsync(string signal = "KILL", CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/signal", cancellationToken).ConfigureAwait(false);
        try
        {
            await Transport.DoAsync(HttpMethod.Post, path, () => Transport.Json(new SignalBody { Signal = signal }, ClientJson.Default.SignalBody), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RametApiException e) when (e.Status == 409)
        {
            return false;
        }
    }

    /// <summary>Gives it input. It must have been started with KeepStdin or a terminal.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> input, CancellationToken cancellationToken = default) =>
        await Transport.DoAsync(HttpMethod.Post, await PathAsync("/stdin", cancellationToken).ConfigureAwait(false), () => new ReadOnlyMemoryContent(input), cancellationToken).ConfigureAwait(false);

    /// <summary>Gives it input, as UTF-8.</summary>
    public Task WriteAsync(string input, CancellationToken cancellationToken = default) => WriteAsync(Encoding.UTF8.GetBytes(input), cancellationToken);

    /// <summary>It reads the end of the file.</summary>
    public async Task CloseInputAsync(CancellationToken cancellationToken = default) =>
        await Transport.DoAsync(HttpMethod.Post, await PathAsync("/stdin?close=true", cancellationToken).ConfigureAwait(false), () => new ByteArrayContent([]), cancellationToken).ConfigureAwait(false);

    /// <summary>Sets the size of its terminal anew.</summary>
    public async Task ResizeAsync(int rows, int columns, CancellationToken cancellationToken = default)
    {
        string path = await PathAsync("/resize", cancellationToken).ConfigureAwait(false);
        var size = new TerminalSize { Rows = rows, Columns = columns };
        await Transport.DoAsync(HttpMethod.Post, path, () => Transport.Json(size, ClientJson.Default.TerminalSize), cancellationToken).ConfigureAwait(false);
    }

    private Task<string> PathAsync(string rest, CancellationToken cancellationToken) => _sandbox.PathAsync($"/processes/{Sandbox.Number(Pid)}{rest}", cancellationToken);

    private async IAsyncEnumerable<(OutputPiece Piece, int? ExitCode)> EventsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string path = await PathAsync("/output", cancellationToken).ConfigureAwait(false);
        await foreach (var one in Transport.EventsAsync(HttpMethod.Get, path, null, cancellationToken).ConfigureAwait(false))
        {
            if (one.EventType is "stdout" or "stderr") yield return (new OutputPiece(one.EventType == "stderr", JsonSerializer.Deserialize(one.Data, ClientJson.Default.TextEvent)!.Text), null);
            else if (one.EventType == "exit") yield return (default, JsonSerializer.Deserialize(one.Data, ClientJson.Default.ProcessAnswer)!.ExitCode);
        }
    }
}
