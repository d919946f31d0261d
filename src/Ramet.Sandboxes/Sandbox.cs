using Ramet.Host;
using Ramet.Kernel;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// A running sandbox: one virtual machine, one kernel, its output and its limits. Host threads come only while its programs have something to run.
/// </summary>
public sealed partial class Sandbox : IKernelHost, IDisposable
{
    private readonly SandboxEngine _engine;
    private readonly AlarmClock.Alarm _kernelAlarm;
    private readonly AlarmClock.Alarm _timeout;
    private readonly ManualResetEventSlim _ended = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Lock _lock = new();
    private long _startedAt;
    private SandboxOptions _options = null!;
    private SandboxOutput _output = null!;
    private VirtualMachine _machine = null!;
    private Ramet.Kernel.Kernel _kernel = null!;
    private SandboxEnd _end = SandboxEnd.Exited;
    private string? _message;
    private volatile bool _driven;
    private int _hostThreads;
    private bool _disposed;

    /// <summary>A sandbox without a machine and a kernel yet: <see cref="Equip"/> gives it both.</summary>
    internal Sandbox(SandboxEngine engine)
    {
        _engine = engine;
        _kernelAlarm = engine.Alarms.Create(() => _kernel.OnAlarm());
        _timeout = engine.Alarms.Create(OnTimeout);
    }

    /// <summary>The kernel, for statistics and files. Take its lock.</summary>
    public Ramet.Kernel.Kernel Kernel => _kernel;

    /// <summary>The machine.</summary>
    public VirtualMachine Machine => _machine;

    /// <summary>When the first byte of output came, ns after the start; null: none yet.</summary>
    public long? FirstOutputNanoseconds => _output.FirstOutputAt == 0 ? null : _output.FirstOutputAt - _startedAt;

    /// <summary>Nanoseconds since the start.</summary>
    public long ElapsedNanoseconds => HostClock.MonotonicNanoseconds - _startedAt;

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => _ended.IsSet;

    /// <summary>Where it came from, and where its machine goes when it has ended; null: neither.</summary>
    internal SandboxPool? Pool { get; set; }

    /// <summary>The kernel's ports to this sandbox.</summary>
    internal KernelPorts Ports(IReadOnlyImage image) => new(_machine, SystemClock.Instance, SystemRandom.Instance, this, image);

    /// <summary>Gives the sandbox its machine, which is disposed with it, and its kernel if that is there already.</summary>
    internal void Equip(VirtualMachine machine, Ramet.Kernel.Kernel? kernel = null)
    {
        _machine = machine;
        _kernel = kernel!;
    }

    /// <summary>From here on it is the caller's: his limits hold and time counts. Nothing runs before.</summary>
    /// <param name="options">Limits and surroundings.</param>
    /// <param name="driven">The caller will call <see cref="Drive"/>; otherwise it runs at once, on a thread of its own.</param>
    /// <param name="kernel">Its kernel, unless it has it.</param>
    /// <param name="since">When the caller began to wait for it (host monotonic ns).</param>
    internal void Open(SandboxOptions options, bool driven, Ramet.Kernel.Kernel? kernel = null, long since = 0)
    {
        _kernel = kernel ?? _kernel;
        _startedAt = since != 0 ? since : HostClock.MonotonicNanoseconds;
        _options = options;
        _driven = driven;
        _output = new SandboxOutput(options.MaxOutputBytes, options.Output, OnDrained, () => _engine.Threads.Run(OnOutputLimit));
        _kernel.Tracer = options.Tracer;
        _kernel.HostStreams.Sink = options.Sink ?? _output;
        _kernel.HostStreams.Runner.Sink = this;
        _kernel.Continue();
        if (options.Timeout is { } timeout) _timeout.Set(_startedAt + (timeout.Ticks * 100));
    }

    /// <summary>
    /// Runs virtual CPU 0 on the caller's thread until the sandbox ends, or <paramref name="until"/> says so (it is asked whenever nothing is
    /// left to run): the shortest way when the caller would only wait.
    /// </summary>
    public void Drive(Func<bool>? until = null)
    {
        _driven = true;
        while (!_ended.IsSet)
        {
            Run(0);
            if (_ended.IsSet || until?.Invoke() == true) break;
            _wake.Wait();
        }

        _driven = false;
    }

    /// <summary>Waits for the end and returns what came of it.</summary>
    public SandboxResult Wait()
    {
        _ended.Wait();
        _output.Flush();
        int status = _kernel.ExitStatus;
        int signal = status & 0x7F;
        int code = signal == 0 ? status >> 8 : 128 + signal;
        SandboxEnd end;
        string? message;
        lock (_lock) (end, message) = (_end, _message);
        if (_kernel.FailureReason is { } reason)
        {
            (end, code, message) = (SandboxEnd.Failed, 125, reason);
        }
        else if (end == SandboxEnd.Exited && signal == 9 && _kernel.Statistics.OutOfMemoryKills > 0)
        {
            (end, message) = (SandboxEnd.OutOfMemory, $"The program needed more memory than its limit of {_options.MemoryBytes >> 20} MiB and was killed; raise it with --memory.");
        }

        else if (end == SandboxEnd.Exited && _output.IsCutOff)
        {
            // The program has ended by itself, of the write that failed, before it was stopped.
            (end, message) = (SandboxEnd.OutputLimit, OutputLimitMessage);
        }

        code = end switch
        {
            SandboxEnd.TimedOut => 124,
            SandboxEnd.OutputLimit => 153,
            _ => code,
        };
        return new SandboxResult(end, code, _output.GetBytes(1), _output.GetBytes(2), message);
    }

    /// <summary>Gives bytes to the sandbox's stdin.</summary>
    public void WriteInput(ReadOnlySpan<byte> bytes)
    {
        lock (_kernel.Lock) _kernel.HostStreams.Input.Append(bytes);
    }

    /// <summary>Ends the sandbox's stdin: programs read end-of-file.</summary>
    public void CloseInput()
    {
        lock (_kernel.Lock) _kernel.HostStreams.Input.Close();
    }

    /// <summary>Ends the sandbox.</summary>
    public void Kill(SandboxEnd end = SandboxEnd.Killed, string? message = null)
    {
        lock (_lock)
        {
            if (_ended.IsSet || _end != SandboxEnd.Exited) return;
            _end = end;
            _message = message;
        }

        _kernel.Kill(Process.KilledStatus(9));
    }

    /// <summary>The program is over, though its processes need not be (a runner has replied): ends the sandbox with the program's exit code.</summary>
    internal void EndWith(int exitCode) => _kernel.Kill(Process.ExitedStatus(exitCode));

    /// <summary>Ends it. What it occupied is given back soon after, in the background: <see cref="SandboxEngine.WaitForTeardown"/>.</summary>
    public void Dispose()
    {
        if (TryEnd()) _engine.Reaper.Take(TakeApart);
    }

    /// <summary>The same, on this thread.</summary>
    internal void Retire()
    {
        if (TryEnd()) TakeApart();
    }

    private bool TryEnd()
    {
        if (_disposed) return false;
        _disposed = true;
        _timeout.Set(long.MaxValue);
        if (_kernel is not null) Kill();
        _output?.Flush();
        return true;
    }

    private void TakeApart()
    {
        // Host threads leave the guest at once, since the kernel has ended.
        var spin = default(SpinWait);
        while (Volatile.Read(ref _hostThreads) > 0) spin.SpinOnce();
        _kernelAlarm.Set(long.MaxValue);
        // Whoever captures or trims it on another thread is done first.
        lock (_capturing)
        {
            if (Pool is not { } pool || !pool.TryRecycle(this)) _machine?.Dispose();
        }

        Base?.Dispose();
        _output?.Flush();
        _output?.Dispose();
        _ended.Dispose();
        _wake.Dispose();
    }

    /// <summary>Does something with the machine on another thread; it is not taken apart before that is done.</summary>
    internal void RunBeside(Action<Sandbox> work)
    {
        Interlocked.Increment(ref _hostThreads);
        _engine.Threads.Run(() =>
        {
            try
            {
                if (!_disposed) work(this);
            }
            finally
            {
                Interlocked.Decrement(ref _hostThreads);
            }
        });
    }

    void IKernelHost.RequestVcpu(int index)
    {
        if (index == 0 && _driven) _wake.Release();
        else _engine.Threads.Run(() => Run(index));
    }

    bool IKernelHost.RequestPolling(int index)
    {
        if (!_engine.TryReservePoller()) return false;
        Interlocked.Increment(ref _hostThreads);
        _engine.Threads.Run(() =>
        {
            try
            {
                _kernel.PollVcpu(index);
            }
            finally
            {
                Interlocked.Decrement(ref _hostThreads);
                _engine.ReleasePoller();
            }
        });
        return true;
    }

    void IKernelHost.SetAlarm(long hostMonotonicNanoseconds) => _kernelAlarm.Set(hostMonotonicNanoseconds);

    void IKernelHost.OnExited()
    {
        // Counted like a thread in the guest: once it has ended it may be taken apart, and this thread still needs what goes then.
        Interlocked.Increment(ref _hostThreads);
        _ended.Set();
        _wake.Release();
        Interlocked.Decrement(ref _hostThreads);
        _options?.Watcher?.OnEnded();
    }

    void IKernelHost.OnProcessEnded(int pid, int status) => _options?.Watcher?.OnProcessEnded(pid, status);

    private void Run(int vcpu)
    {
        Interlocked.Increment(ref _hostThreads);
        _engine.BeginRun();
        try
        {
            if (!_disposed) _kernel.RunVcpu(vcpu);
        }
        finally
        {
            _engine.EndRun();
            Interlocked.Decrement(ref _hostThreads);
        }
    }

    private void OnDrained(int stream)
    {
        lock (_kernel.Lock) _kernel.OnHostStreamDrained(stream);
    }

    private void OnTimeout() => Kill(
        SandboxEnd.TimedOut, FormattableString.Invariant($"Timed out after {_options.Timeout!.Value.TotalSeconds:0.###} s; raise the limit with --timeout."));

    private void OnOutputLimit() => Kill(SandboxEnd.OutputLimit, OutputLimitMessage);

    private string OutputLimitMessage => FormattableString.Invariant($"Output was cut off after {_options.MaxOutputBytes} bytes, the sandbox's limit.");
}
