using System.Runtime.CompilerServices;

namespace Ramet.Sandboxes.Hosting;

/// <summary>Code in the warm interpreter.</summary>
internal sealed partial class LiveSandbox
{
    private static readonly TimeSpan s_interruptGrace = TimeSpan.FromSeconds(3);

    /// <summary>Whether there is an interpreter.</summary>
    public bool HasInterpreter => Spec.Image is null;

    /// <summary>Runs code in the warm interpreter; one at a time.</summary>
    public async IAsyncEnumerable<HostedEvent> RunAsync(HostedRun run, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!HasInterpreter)
            throw new SandboxConflictException($"The sandbox was made from image '{Spec.Image}', in which no interpreter waits for code. Start a program in it as a process, or make a sandbox from a template.");
        await _interpreter.WaitAsync(cancellationToken).ConfigureAwait(false);
        bool finished = false;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var interruption = Task.FromResult(false);
        long started = Environment.TickCount64;
        try
        {
            CheckAlive();
            limit.CancelAfter(run.Timeout);
            if (await WaitForOldRunAsync(limit.Token, cancellationToken).ConfigureAwait(false) is { } late)
            {
                finished = true;
                yield return late;
                yield break;
            }

            long number = Interlocked.Increment(ref _runs);
            if (Spec.CheckpointEveryRun) AddCheckpoint($"before run {number}", automatic: true);
            var reply = new TaskCompletionSource<(int ExitCode, string Details)>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var reader = _main.Open(fromStart: false);
            lock (Kernel.Lock)
            {
                // Together: a capture sees a run that has begun with its request, or none.
                (_printedInRun, _isCutOff) = (0, false);
                Volatile.Write(ref _reply, reply);
                _sandbox.PostToRunner(
                    new ExecRequest { Code = run.Code, Environment = run.Environment, WorkingDirectory = run.WorkingDirectory }, RunnerFlags.Session | RunnerFlags.Value | RunnerFlags.FlushLines);
            }

            // Beside whoever reads: the time is over also when he is slow.
            interruption = InterruptLateAsync(reply.Task, limit.Token);
            while (!reply.Task.IsCompleted && !_ended.Task.IsCompleted)
            {
                while (reader.TryRead() is { } piece)
                {
                    yield return piece;
                    cancellationToken.ThrowIfCancellationRequested();
                }

                cancellationToken.ThrowIfCancellationRequested();
                await WaitQuietlyAsync(reader, Task.WhenAny(reply.Task, _ended.Task), cancellationToken).ConfigureAwait(false);
            }

            finished = true;
            bool timedOut = await interruption.ConfigureAwait(false);
            while (reader.TryRead() is { } piece) yield return piece;
            int exitCode = 137;
            string details = "";
            if (reply.Task.IsCompletedSuccessfully) (exitCode, details) = await reply.Task.ConfigureAwait(false);
            else if (LeftFor is { } why) throw new SandboxConflictException(why);
            else exitCode = ExitCodeOf(Kernel.ExitStatus); // The code has ended the interpreter (os._exit, a fatal signal), and with it the sandbox.
            if (timedOut) exitCode = 124;
            else if (_isCutOff) exitCode = 153;
            History.Add("run", $"{number}: exit code {exitCode} after {Environment.TickCount64 - started} ms: {run.Code}");
            yield return new HostedEvent(HostedEventKind.End, default, exitCode, details.Length > 0 ? details : null, timedOut);
        }
        finally
        {
            // Whoever asked has gone: what runs is interrupted, so that the next one finds the interpreter free.
            if (!limit.IsCancellationRequested && !finished && _reply is { } open && !open.Task.IsCompleted && !_ended.Task.IsCompleted) await InterruptAsync(open.Task).ConfigureAwait(false);
            else await interruption.ConfigureAwait(false);
            Volatile.Write(ref _idleSince, Environment.TickCount64);
            _interpreter.Release();
        }
    }

    /// <summary>Has the interpreter take over environment and directory, once, before anything is run. Gives what is wrong with them; null: nothing.</summary>
    public async Task<string?> PrepareAsync()
    {
        if (!HasInterpreter || (Spec.Environment is not { Count: > 0 } && Spec.WorkingDirectory is null)) return null;
        var reply = new TaskCompletionSource<(int ExitCode, string Details)>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Kernel.Lock)
        {
            Volatile.Write(ref _reply, reply);
            _sandbox.PostToRunner(
                new ExecRequest
                {
                    Code = "",
                    Environment = Spec.Environment?.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal),
                    WorkingDirectory = Spec.WorkingDirectory,
                },
                RunnerFlags.Session);
        }

        await Task.WhenAny(reply.Task, _ended.Task, Task.Delay(TimeSpan.FromSeconds(30))).ConfigureAwait(false);
        if (!reply.Task.IsCompletedSuccessfully) return "the interpreter did not take them";
        var (exitCode, details) = await reply.Task.ConfigureAwait(false);
        return exitCode == 0 ? null : details;
    }

    /// <summary>Waits for code that has come along from where this was forked or restored, for whose end nobody else waits. What comes when it does not end in time.</summary>
    private async Task<HostedEvent?> WaitForOldRunAsync(CancellationToken limit, CancellationToken cancellationToken)
    {
        if (_reply is not { } old || old.Task.IsCompleted) return null;
        try
        {
            await Task.WhenAny(old.Task, _ended.Task).WaitAsync(limit).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new HostedEvent(HostedEventKind.End, default, 124, """{"exception":{"type":"TimeoutError","text":"Code that ran when this sandbox was forked or paused still runs in the interpreter."}}""", TimedOut: true);
        }

        CheckAlive();
        return null;
    }

    private static async Task WaitQuietlyAsync(OutputBuffer.Reader reader, Task other, CancellationToken cancellationToken)
    {
        try
        {
            await reader.WaitAsync(other, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The caller looks at the token.
        }
    }

    /// <summary>Interrupts what runs when its time is over. Gives whether that came first.</summary>
    private async Task<bool> InterruptLateAsync(Task reply, CancellationToken limit)
    {
        await Task.WhenAny(reply, _ended.Task, Task.Delay(Timeout.Infinite, limit)).ConfigureAwait(false);
        if (reply.IsCompleted || _ended.Task.IsCompleted) return false;
        await InterruptAsync(reply).ConfigureAwait(false);
        return true;
    }

    /// <summary>What Ctrl-C does: Python gets KeyboardInterrupt, JavaScript is ended where it is. A program that does not care loses its sandbox.</summary>
    private async Task InterruptAsync(Task reply)
    {
        var runtime = _sandbox.Origin.Template is { } template ? TemplateRuntime.Find(template.Manifest.Runtime) : null;
        var left = s_interruptGrace;
        for (var pause = runtime?.InterruptPause ?? left; left > TimeSpan.Zero && !reply.IsCompleted && !_ended.Task.IsCompleted; left -= pause, pause *= 2)
        {
            // Together: a signal that came after the reply would meet what runs next.
            lock (Kernel.Lock)
            {
                if (!reply.IsCompleted && Kernel.MainProcess is { } main) Kernel.SendSignal(main.Pid, Ramet.Kernel.Signals.Signal.SIGINT, wholeGroup: false);
            }

            await Task.WhenAny(reply, _ended.Task, Task.Delay(pause)).ConfigureAwait(false);
        }

        if (reply.IsCompleted) return;
        End("its code ran out of time and could not be interrupted");
        await _ended.Task.ConfigureAwait(false);
    }
}
