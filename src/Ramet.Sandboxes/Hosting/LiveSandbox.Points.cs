namespace Ramet.Sandboxes.Hosting;

/// <summary>Points of a sandbox: kept, gone on from, and gone back to.</summary>
internal sealed partial class LiveSandbox
{
    private readonly Lock _holding = new();
    private bool _held;

    /// <summary>How many forks and restores it has come through.</summary>
    public long Generation => Kernel.Generation;

    /// <summary>This moment, with what is known of it here.</summary>
    public SandboxSnapshot Capture(bool whole = false)
    {
        CheckAlive();
        try
        {
            return _sandbox.Capture(whole, Save);
        }
        catch (SandboxException) when (_ended.Task.IsCompleted)
        {
            CheckAlive();
            throw;
        }
    }

    /// <summary>The same, and nothing runs from then on until <see cref="Release"/>.</summary>
    public SandboxSnapshot Hold(bool whole)
    {
        CheckAlive();
        lock (_holding)
        {
            if (_held) throw new SandboxConflictException("The sandbox is being paused already.");
            _held = true;
        }

        try
        {
            _sandbox.Pause();
            return Capture(whole);
        }
        catch
        {
            Release(leaveFor: null);
            throw;
        }
    }

    /// <summary>After <see cref="Hold"/>: goes on, or is given up, since it goes on elsewhere.</summary>
    public void Release(string? leaveFor)
    {
        lock (_holding)
        {
            // One that was rewound meanwhile is not held any more, and is given up all the same.
            if (!_held && leaveFor is null) return;
            _held = false;
        }

        if (leaveFor is not null) Leave(leaveFor);
        else _sandbox.Resume();
    }

    /// <summary>Gives it up here, since it goes on elsewhere. What waits for it is told so.</summary>
    public void Leave(string message)
    {
        LeftFor = message;
        End(message);
    }

    /// <summary>Goes on from a snapshot.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="isNew">It is another sandbox than the one that the snapshot is of: it counts what it uses from zero.</param>
    /// <param name="now">What is known of the same sandbox as it is now, when it goes back: its history is not undone.</param>
    /// <param name="left">After what time it ends by itself; null: after as long as it was given at first.</param>
    public void Restore(SandboxEngine engine, SandboxSnapshot snapshot, bool isNew, LiveState? now = null, TimeSpan? left = null)
    {
        if (snapshot.Live is { } state) Load(now is null ? state : state with { Counted = now.Counted, History = now.History }, isNew);
        _sandbox = engine.Restore(snapshot, Options(), driven: false);
        Files = new Kernel.Hosting.HostFiles(_sandbox.Kernel);
        lock (_sandbox.Kernel.Lock)
        {
            foreach (var process in _byPid.Values)
            {
                process.Spawned = _sandbox.Kernel.HostStreams.FindSpawned(process.Pid);
                // Its end came before anybody here could be told.
                if (process.Spawned is null && process.ExitCode is null && _sandbox.Kernel.Processes.FindProcess(process.Pid) is null or { IsZombie: true }) process.OnEnded(137);
            }
        }

        if (isNew) _cpuBefore = _sandbox.Kernel.TotalCpuTime;
        Extend(left ?? Spec.Timeout);
    }

    /// <summary>Hands its checkpoints to the one that goes on in its place.</summary>
    public CheckpointList TakeCheckpoints()
    {
        var all = Checkpoints;
        Checkpoints = new CheckpointList(0, 0);
        return all;
    }

    /// <summary>What is known here, while it runs.</summary>
    public LiveState Describe()
    {
        lock (Kernel.Lock) return Save();
    }

    /// <summary>Keeps this point.</summary>
    /// <exception cref="SandboxConflictException">It has as many as it may.</exception>
    public HostedCheckpoint AddCheckpoint(string? name, bool automatic)
    {
        var snapshot = Capture();
        var checkpoint = new HostedCheckpoint(TimeOrderedId.New("cp_"), name, TimeProvider.System.GetUtcNow(), snapshot.Length, automatic);
        Checkpoints.Add(checkpoint, snapshot);
        if (!automatic) History.Add("checkpoint", name ?? checkpoint.Id);
        return checkpoint;
    }

    /// <summary>What it has used, with what it has used on earlier machines.</summary>
    public HostedMetrics Measure()
    {
        CheckAlive();
        var kernel = Kernel;
        long written = Spec.Image is null ? (long)_sandbox.Machine.Memory.FindWrittenPages().Aggregate(0UL, (sum, range) => sum + range.Length) / 4096 : -1;
        lock (kernel.Lock)
        {
            var running = kernel.Processes.All.Where(process => process != kernel.Processes.Init && !process.IsZombie).ToList();
            return new HostedMetrics
            {
                CpuMilliseconds = Math.Round(Math.Max(0, kernel.TotalCpuTime - _cpuBefore) / 1e6, 3),
                MemoryBytes = kernel.Frames.UsedBytes,
                MemoryLimitBytes = Spec.MemoryBytes,
                PagesWritten = written >= 0 ? written : (long)(kernel.Frames.UsedBytes / 4096),
                SystemCalls = _counted.SystemCalls + kernel.Statistics.Syscalls,
                PageFaults = _counted.PageFaults + kernel.Statistics.PageFaults,
                Processes = running.Count,
                Threads = kernel.Processes.ThreadCount,
                OpenFiles = kernel.Mounts.OpenFiles,
                OutputBytes = _counted.OutputBytes + Interlocked.Read(ref _printed),
                Runs = Interlocked.Read(ref _runs),
            };
        }
    }

    private SandboxOptions Options()
    {
        var standard = new SandboxOptions();
        return new SandboxOptions
        {
            MemoryBytes = Spec.MemoryBytes,
            MaxThreads = Spec.MaxThreads ?? standard.MaxThreads,
            MaxOpenFiles = Spec.MaxOpenFiles ?? standard.MaxOpenFiles,
            Timeout = null,
            Sink = this,
            Watcher = this,
        };
    }

    /// <summary>What is known here. It stands still, under the kernel lock.</summary>
    private LiveState Save()
    {
        var kernel = Kernel;
        return new LiveState
        {
            HasInterpreter = HasInterpreter,
            Processes = [.. _byPid.Values.Select(process => process.Save())],
            LastStream = Volatile.Read(ref _lastStream),
            IsBusy = Volatile.Read(ref _reply) is { Task.IsCompleted: false },
            Output = _main.Save(),
            CpuBefore = _cpuBefore,
            Counted = new HostedMetrics
            {
                SystemCalls = _counted.SystemCalls + kernel.Statistics.Syscalls,
                PageFaults = _counted.PageFaults + kernel.Statistics.PageFaults,
                OutputBytes = _counted.OutputBytes + Interlocked.Read(ref _printed),
                Runs = Interlocked.Read(ref _runs),
            },
            History = History.ToList(),
        };
    }

    private void Load(LiveState state, bool isNew)
    {
        _lastStream = Math.Max(FirstProcessStream, state.LastStream);
        _main.Restore(state.Output);
        if (state.IsBusy) _reply = new TaskCompletionSource<(int ExitCode, string Details)>(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var saved in state.Processes)
        {
            var process = new LiveProcess(this, saved.Program, new OutputBuffer(KeptOutput, Drained)) { OutputStream = saved.OutputStream, Pid = saved.Pid, Started = saved.Started };
            process.Output.Restore(saved.Output);
            if (saved.ExitCode is { } code) process.OnEnded(code);
            else _byStream[saved.OutputStream] = _byStream[saved.OutputStream + 1] = process;
            _byPid[saved.Pid] = process;
        }

        if (isNew) return;
        _counted = state.Counted;
        _runs = state.Counted.Runs;
        _cpuBefore = state.CpuBefore;
        History.Restore(state.History);
    }
}
