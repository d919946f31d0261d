using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Hosting;
using Ramet.Kernel.Terminals;

namespace Ramet.Sandboxes.Hosting;

/// <summary>A sandbox that lives on between calls: its warm interpreter, its processes, its files.</summary>
internal sealed class LiveSandbox : ISandboxWatcher, IOutputSink, IAsyncDisposable
{
    private const int KeptOutput = 1 << 20;
    private const int FirstProcessStream = 16;
    private static readonly TimeSpan s_interruptGrace = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<int, LiveProcess> _byStream = [];
    private readonly ConcurrentDictionary<int, LiveProcess> _byPid = [];
    private readonly Dictionary<int, int> _endedEarly = [];
    private readonly Lock _pids = new();
    private readonly SemaphoreSlim _interpreter = new(1, 1);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly OutputBuffer _main;
    private readonly Timer _timer;
    private TaskCompletionSource<(int ExitCode, string Details)>? _reply;
    private Sandbox _sandbox = null!;
    private int _lastStream = FirstProcessStream;
    private int _disposed;
    private string _endReason = "it ended by itself";

    public LiveSandbox(string tenant, HostedSandboxSpec spec)
    {
        Tenant = tenant;
        Spec = spec;
        _main = new OutputBuffer(KeptOutput, Drained);
        _timer = new Timer(_ => End("its time was over"));
    }

    public string Id { get; } = "sb_" + Guid.CreateVersion7().ToString("n");

    public string Tenant { get; }

    public HostedSandboxSpec Spec { get; private set; }

    public DateTimeOffset Created { get; } = TimeProvider.System.GetUtcNow();

    public DateTimeOffset Expires { get; private set; }

    /// <summary>Done when it has ended, for whatever reason.</summary>
    public Task Ended => _ended.Task;

    public string EndReason => _endReason;

    public HostFiles Files { get; private set; } = null!;

    public Kernel.Kernel Kernel => _sandbox.Kernel;

    /// <summary>Bytes that it uses.</summary>
    public ulong MemoryBytes
    {
        get
        {
            lock (Kernel.Lock) return Kernel.Frames.UsedBytes;
        }
    }

    public IReadOnlyCollection<LiveProcess> Processes => [.. _byPid.Values];

    /// <summary>Starts it: the sandbox is one whose options name this as sink and watcher.</summary>
    public void Start(Func<SandboxOptions, Sandbox> make)
    {
        _sandbox = make(new SandboxOptions { MemoryBytes = Spec.MemoryBytes, Timeout = null, Sink = this, Watcher = this });
        Files = new HostFiles(_sandbox.Kernel);
        _sandbox.CloseInput();
        Extend(Spec.Timeout);
    }

    /// <summary>It is to end after this time from now.</summary>
    public void Extend(TimeSpan timeout)
    {
        Expires = TimeProvider.System.GetUtcNow() + timeout;
        try
        {
            _timer.Change(timeout, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
        }
    }

    public void SetMetadata(IReadOnlyDictionary<string, string> metadata) => Spec = Spec with { Metadata = metadata };

    /// <summary>Ends it.</summary>
    public void End(string reason)
    {
        if (_ended.Task.IsCompleted) return;
        _endReason = reason;
        _sandbox.Kill();
    }

    /// <summary>What was printed by the interpreter, the last of it.</summary>
    public byte[] Log() => _main.Snapshot();

    /// <summary>Runs code in the warm interpreter; one at a time.</summary>
    public async IAsyncEnumerable<HostedEvent> RunAsync(HostedRun run, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await _interpreter.WaitAsync(cancellationToken).ConfigureAwait(false);
        bool finished = false;
        try
        {
            CheckAlive();
            var reply = new TaskCompletionSource<(int ExitCode, string Details)>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var reader = _main.Open(fromStart: false);
            Volatile.Write(ref _reply, reply);
            _sandbox.PostToRunner(
                new ExecRequest { Code = run.Code, Environment = run.Environment, WorkingDirectory = run.WorkingDirectory }, RunnerFlags.Session | RunnerFlags.Value | RunnerFlags.FlushLines);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(run.Timeout);
            bool timedOut = false;
            while (!reply.Task.IsCompleted && !_ended.Task.IsCompleted)
            {
                while (reader.TryRead() is { } piece) yield return piece;
                if (!timedOut && limit.IsCancellationRequested)
                {
                    timedOut = true;
                    await InterruptAsync(reply.Task).ConfigureAwait(false);
                    cancellationToken.ThrowIfCancellationRequested();
                    continue;
                }

                await WaitQuietlyAsync(reader, Task.WhenAny(reply.Task, _ended.Task), timedOut ? CancellationToken.None : limit.Token).ConfigureAwait(false);
            }

            finished = true;
            while (reader.TryRead() is { } piece) yield return piece;
            if (reply.Task.IsCompletedSuccessfully)
            {
                var (exitCode, details) = await reply.Task.ConfigureAwait(false);
                yield return new HostedEvent(HostedEventKind.End, default, timedOut ? 124 : exitCode, details.Length > 0 ? details : null, timedOut);
            }
            else
            {
                // The code has ended the interpreter (os._exit, a fatal signal), and with it the sandbox.
                yield return new HostedEvent(HostedEventKind.End, default, timedOut ? 124 : ExitCodeOf(Kernel.ExitStatus), null, timedOut);
            }
        }
        finally
        {
            // Whoever asked has gone: what runs is interrupted, so that the next one finds the interpreter free.
            if (!finished && _reply is { } open && !open.Task.IsCompleted && !_ended.Task.IsCompleted) await InterruptAsync(open.Task).ConfigureAwait(false);
            _interpreter.Release();
        }
    }

    /// <summary>Starts a process.</summary>
    public LiveProcess StartProcess(HostedProgram program)
    {
        CheckAlive();
        int stream = Interlocked.Add(ref _lastStream, 2);
        var process = new LiveProcess(this, program, new OutputBuffer(KeptOutput, Drained)) { OutputStream = stream };
        // Before it starts: it may print at once.
        _byStream[stream] = _byStream[stream + 1] = process;
        var error = Kernel.Spawn(
            new SpawnedProgram
            {
                Arguments = program.Command,
                Environment = program.Environment,
                WorkingDirectory = program.WorkingDirectory,
                User = program.User,
                OutputStream = stream,
                ErrorStream = stream + 1,
                Terminal = program.Terminal is { } size ? new WindowSize((ushort)size.Rows, (ushort)size.Columns, 0, 0) : null,
            },
            out var spawned, out string reason);
        if (error != Abi.Errno.None)
        {
            Forget(process);
            throw new SandboxException(reason.Length > 0 ? reason : $"{program.Command[0]}: {error}", error);
        }

        lock (_pids)
        {
            process.Spawned = spawned!;
            _byPid[process.Pid] = process;
            // It may be over already.
            if (_endedEarly.Remove(process.Pid, out int status)) process.OnEnded(ExitCodeOf(status));
        }

        return process;
    }

    /// <summary>The process that the host has started with this id.</summary>
    public LiveProcess? FindProcess(int pid) => _byPid.GetValueOrDefault(pid);

    /// <summary>A process that has ended is not remembered any more.</summary>
    public void Forget(LiveProcess process)
    {
        _byStream.TryRemove(process.OutputStream, out _);
        _byStream.TryRemove(process.OutputStream + 1, out _);
        if (process.Spawned is not null) _byPid.TryRemove(process.Pid, out _);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _timer.DisposeAsync().ConfigureAwait(false);
        End("it was deleted");
        await _ended.Task.ConfigureAwait(false);
        foreach (var process in _byPid.Values) process.OnEnded(137);
        _sandbox.Dispose();
    }

    OutputSinkResult IOutputSink.Write(int stream, ReadOnlySpan<byte> bytes)
    {
        if (stream is 1 or 2) return _main.Write(stream, stream == 2 ? HostedEventKind.Stderr : HostedEventKind.Stdout, bytes);
        // Of a process that was forgotten: what its children still print goes nowhere.
        if (!_byStream.TryGetValue(stream, out var process)) return OutputSinkResult.Closed;
        return process.Output.Write(stream, stream == process.OutputStream ? HostedEventKind.Stdout : HostedEventKind.Stderr, bytes);
    }

    void ISandboxWatcher.OnReply(int exitCode, string details) => Volatile.Read(ref _reply)?.TrySetResult((exitCode, details));

    void ISandboxWatcher.OnProcessEnded(int pid, int status)
    {
        lock (_pids)
        {
            if (_byPid.TryGetValue(pid, out var process)) process.OnEnded(ExitCodeOf(status));
            else if (_byStream.Values.Any(candidate => candidate.Spawned is null)) _endedEarly[pid] = status;
        }
    }

    void ISandboxWatcher.OnEnded()
    {
        _ended.TrySetResult();
        foreach (var process in _byPid.Values) process.OnEnded(137);
    }

    private static int ExitCodeOf(int status) => (status & 0x7F) is var signal && signal == 0 ? (status >> 8) & 0xFF : 128 + signal;

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

    /// <summary>What Ctrl-C does: the program gets KeyboardInterrupt. One that does not care loses its sandbox.</summary>
    private async Task InterruptAsync(Task reply)
    {
        if (Kernel.MainProcess is { } main) Kernel.SendSignal(main.Pid, Ramet.Kernel.Signals.Signal.SIGINT, wholeGroup: false);
        await Task.WhenAny(reply, _ended.Task, Task.Delay(s_interruptGrace)).ConfigureAwait(false);
        if (reply.IsCompleted) return;
        End("its code ran out of time and could not be interrupted");
        await _ended.Task.ConfigureAwait(false);
    }

    private void CheckAlive()
    {
        if (_ended.Task.IsCompleted) throw new SandboxGoneException(Id, _endReason);
    }

    private void Drained(int stream)
    {
        lock (Kernel.Lock) Kernel.OnHostStreamDrained(stream);
    }
}

/// <summary>A process that was started by a caller.</summary>
internal sealed class LiveProcess(LiveSandbox sandbox, HostedProgram program, OutputBuffer output)
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public HostedProgram Program { get; } = program;

    public OutputBuffer Output { get; } = output;

    public required int OutputStream { get; init; }

    public SpawnedProcess? Spawned { get; set; }

    public int Pid => Spawned!.Pid;

    public DateTimeOffset Started { get; } = TimeProvider.System.GetUtcNow();

    public int? ExitCode => Output.End?.ExitCode;

    public Task Ended => _ended.Task;

    public void OnEnded(int exitCode)
    {
        Output.Complete(new HostedEvent(HostedEventKind.End, default, exitCode));
        _ended.TrySetResult();
    }

    /// <summary>Gives it bytes to read. False: it takes no more for now.</summary>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        const int MostWaiting = 1 << 20;
        lock (sandbox.Kernel.Lock)
        {
            if (Spawned!.Terminal is { } terminal) return terminal.Write(bytes);
            long room = MostWaiting - Spawned.Input.Count;
            if (Spawned.Input.IsClosed) return bytes.Length;
            int taken = (int)Math.Clamp(room, 0, bytes.Length);
            Spawned.Input.Append(bytes[..taken]);
            return taken;
        }
    }

    /// <summary>No more input; on a terminal: end-of-file at the start of a line.</summary>
    public void CloseInput()
    {
        lock (sandbox.Kernel.Lock)
        {
            if (Spawned!.Terminal is { } terminal) terminal.Write([4]);
            else Spawned.Input.Close();
        }
    }

    public void Resize(HostedTerminalSize size)
    {
        lock (sandbox.Kernel.Lock) Spawned!.Terminal?.Resize(new WindowSize((ushort)size.Rows, (ushort)size.Columns, 0, 0));
    }
}
