using System.Collections.Concurrent;
using Ramet.Host;
using Ramet.Kernel.Files;
using Ramet.Kernel.Hosting;
using Ramet.Kernel.Terminals;

namespace Ramet.Sandboxes.Hosting;

/// <summary>A sandbox that lives on between calls: its warm interpreter, its processes, its files.</summary>
internal sealed partial class LiveSandbox : ISandboxWatcher, IOutputSink, IAsyncDisposable
{
    private const int KeptOutput = 1 << 20;
    private const int FirstProcessStream = 16;
    private static readonly Dictionary<string, string> s_none = [];

    private readonly ConcurrentDictionary<int, LiveProcess> _byStream = [];
    private readonly ConcurrentDictionary<int, LiveProcess> _byPid = [];
    private readonly Dictionary<int, int> _endedEarly = [];
    private readonly Lock _pids = new();
    private readonly SemaphoreSlim _interpreter = new(1, 1);
    private const int IdleBeforeTrim = 2000; // ms

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly OutputBuffer _main;
    private readonly Timer _timer;
    private TaskCompletionSource<(int ExitCode, string Details)>? _reply;
    private Sandbox _sandbox = null!;
    private int _lastStream = FirstProcessStream;
    private int _disposed;
    private long _cpuBefore;
    private long _printed;
    private long _runs;
    private long _idleSince = Environment.TickCount64; // 0: nothing has run since memory was trimmed
    private long _printedInRun;
    private volatile bool _isCutOff;
    private HostedMetrics _counted = new();
    private string _endReason = "it ended by itself";

    public LiveSandbox(string tenant, HostedSandboxSpec spec, string? id = null, string? parent = null)
    {
        Tenant = tenant;
        Spec = spec;
        Id = id ?? TimeOrderedId.New("sb_");
        Parent = parent;
        Checkpoints = new CheckpointList(spec.MaxCheckpoints, spec.MaxCheckpointBytes);
        _main = new OutputBuffer(KeptOutput, Drained);
        _timer = new Timer(_ => End("its time was over"));
    }

    public string Id { get; }

    /// <summary>What it was forked from.</summary>
    public string? Parent { get; }

    public string Tenant { get; }

    public HostedSandboxSpec Spec { get; private set; }

    public DateTimeOffset Created { get; init; } = TimeProvider.System.GetUtcNow();

    public DateTimeOffset Expires { get; private set; }

    /// <summary>Whether its machine came from its tenant's pool, which is in use for as long as it lives.</summary>
    public bool IsPooled { get; init; }

    /// <summary>Done when it has ended, for whatever reason.</summary>
    public Task Ended => _ended.Task;

    public string EndReason => _endReason;

    public HostFiles Files { get; private set; } = null!;

    public SandboxHistory History { get; } = new();

    public CheckpointList Checkpoints { get; set; }

    /// <summary>Why it is here no more although it has not come to an end: it was paused, or rewound; null: it is here, or has ended.</summary>
    public string? LeftFor { get; private set; }

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
        _sandbox = make(Options());
        Files = new HostFiles(_sandbox.Kernel);
        _sandbox.CloseInput();
        _cpuBefore = _sandbox.Kernel.TotalCpuTime;
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

    /// <summary>Starts a process.</summary>
    public LiveProcess StartProcess(HostedProgram program)
    {
        CheckAlive();
        int stream = Interlocked.Add(ref _lastStream, 2);
        var process = new LiveProcess(this, program, new OutputBuffer(KeptOutput, Drained)) { OutputStream = stream, IsStarting = true };
        // Before it starts: it may print at once.
        _byStream[stream] = _byStream[stream + 1] = process;
        var error = Kernel.Spawn(
            new SpawnedProgram
            {
                Arguments = program.Command,
                Environment = [.. (Spec.Environment ?? s_none).Select(pair => $"{pair.Key}={pair.Value}"), .. program.Environment],
                WorkingDirectory = program.WorkingDirectory ?? (Spec.Image is null ? null : Spec.WorkingDirectory),
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
            process.Spawned = spawned;
            process.Pid = spawned!.Pid;
            process.IsStarting = false;
            _byPid[process.Pid] = process;
            // It may be over already.
            if (_endedEarly.Remove(process.Pid, out int status)) process.OnEnded(ExitCodeOf(status));
        }

        History.Add("process", $"{process.Pid}: {string.Join(' ', program.Command)}");
        return process;
    }

    /// <summary>The process that the host has started with this id.</summary>
    public LiveProcess? FindProcess(int pid) => _byPid.GetValueOrDefault(pid);

    /// <summary>A process that has ended is not remembered any more.</summary>
    public void Forget(LiveProcess process)
    {
        _byStream.TryRemove(process.OutputStream, out _);
        _byStream.TryRemove(process.OutputStream + 1, out _);
        if (process.Pid != 0) _byPid.TryRemove(new KeyValuePair<int, LiveProcess>(process.Pid, process));
    }

    /// <summary>Gives back memory that it wrote but that is as in its template again, once after its last run, when it has waited for a while.</summary>
    public void TrimIfIdle()
    {
        long since = Volatile.Read(ref _idleSince);
        if (since == 0 || Environment.TickCount64 - since < IdleBeforeTrim || _interpreter.CurrentCount == 0 || _ended.Task.IsCompleted) return;
        if (Interlocked.CompareExchange(ref _idleSince, 0, since) != since) return;
        try
        {
            _sandbox.Trim();
        }
        catch (Exception exception) when (exception is SandboxException or HostException)
        {
            // It has ended meanwhile, or the host keeps the memory.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _timer.DisposeAsync().ConfigureAwait(false);
        End("it was deleted");
        await _ended.Task.ConfigureAwait(false);
        foreach (var process in _byPid.Values) process.OnEnded(137);
        _sandbox.Dispose();
        Checkpoints.Dispose();
    }

    OutputSinkResult IOutputSink.Write(int stream, ReadOnlySpan<byte> bytes)
    {
        var result = Take(stream, bytes);
        if (result == OutputSinkResult.Accepted) Interlocked.Add(ref _printed, bytes.Length);
        return result;
    }

    private OutputSinkResult Take(int stream, ReadOnlySpan<byte> bytes)
    {
        long limit = Spec.MaxOutputBytes ?? long.MaxValue;
        if (stream is 1 or 2)
        {
            if (_printedInRun + bytes.Length > limit)
            {
                _isCutOff = true;
                return OutputSinkResult.Closed;
            }

            var result = _main.Write(stream, stream == 2 ? HostedEventKind.Stderr : HostedEventKind.Stdout, bytes);
            if (result == OutputSinkResult.Accepted) _printedInRun += bytes.Length;
            return result;
        }

        // Of a process that was forgotten: what its children still print goes nowhere.
        return _byStream.TryGetValue(stream, out var process) ? process.Print(stream, bytes, limit) : OutputSinkResult.Closed;
    }

    void ISandboxWatcher.OnReply(int exitCode, string details) => Volatile.Read(ref _reply)?.TrySetResult((exitCode, details));

    void ISandboxWatcher.OnProcessEnded(int pid, int status)
    {
        lock (_pids)
        {
            if (_byPid.TryGetValue(pid, out var process))
            {
                process.OnEnded(ExitCodeOf(status));
                History.Add("process", $"{pid} has ended with {ExitCodeOf(status)}");
            }
            else if (_byStream.Values.Any(candidate => candidate.IsStarting)) _endedEarly[pid] = status;
        }
    }

    void ISandboxWatcher.OnEnded()
    {
        _ended.TrySetResult();
        foreach (var process in _byPid.Values) process.OnEnded(137);
    }

    private static int ExitCodeOf(int status) => (status & 0x7F) is var signal && signal == 0 ? (status >> 8) & 0xFF : 128 + signal;

    private void CheckAlive()
    {
        if (LeftFor is { } why) throw new SandboxConflictException(why);
        if (_ended.Task.IsCompleted) throw new SandboxGoneException(Id, _endReason);
    }

    private void Drained(int stream)
    {
        lock (Kernel.Lock) Kernel.OnHostStreamDrained(stream);
    }
}
