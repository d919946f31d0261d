using Ramet.Host;

namespace Ramet.Sandboxes;

/// <summary>How many sandboxes a pool keeps ready.</summary>
public sealed record SandboxPoolOptions
{
    /// <summary>Kept ready at all times; made anew in the background when they are taken and do not come back.</summary>
    public int Minimum { get; init; } = 1;

    /// <summary>More than this many are not kept: used machines are taken apart instead.</summary>
    public int Maximum { get; init; } = 8;

    /// <summary>The largest memory limit that its machines can be opened with, bytes; sandboxes with a larger one are forked without the pool.</summary>
    public ulong MemoryBytes { get; init; } = 512UL << 20;

    /// <summary>Pages that a used machine keeps as its own, restored in place; what was written beyond that is dropped and copied again when it is needed.</summary>
    public int KeptPages { get; init; } = 512;

    /// <summary>A machine whose memory has grown beyond the template's by more than this is not used again, bytes.</summary>
    public ulong LargestGrowth { get; init; } = 64UL << 20;
}

/// <summary>
/// Sandboxes of one template that stand ready at its frozen point. A used machine goes back to exactly that point and is used again, which saves making and unmaking a VM and
/// nearly all page faults: what the host has mapped for the guest stays mapped. One pool serves one tenant: no machine ever changes hands.
/// </summary>
public sealed class SandboxPool : IDisposable
{
    private readonly SandboxEngine _engine;
    private readonly Template _template;
    private readonly SandboxPoolOptions _options;
    private readonly SandboxOptions _standard;
    private readonly Stack<Sandbox> _ready = new();
    private readonly Lock _lock = new();
    private bool _refilling;
    private bool _disposed;

    /// <summary>A pool, empty at first.</summary>
    /// <param name="engine">The engine; it must outlive the pool.</param>
    /// <param name="template">The template; it must outlive the pool and all its sandboxes.</param>
    /// <param name="options">Sizes.</param>
    public SandboxPool(SandboxEngine engine, Template template, SandboxPoolOptions options)
    {
        _engine = engine;
        _template = template;
        _options = options;
        _standard = new SandboxOptions { MemoryBytes = options.MemoryBytes, Timeout = TimeSpan.FromSeconds(30) };
    }

    /// <summary>Sandboxes that stand ready.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _ready.Count;
        }
    }

    /// <summary>Sandboxes that were handed out of those that stood ready.</summary>
    public long Hits { get; private set; }

    /// <summary>Sandboxes that had to be forked on demand.</summary>
    public long Misses { get; private set; }

    /// <summary>Machines that were taken back to the template and used again.</summary>
    public long Recycled { get; private set; }

    /// <summary>Makes the pool's minimum ready, on this thread. Each has run typical code before, and was taken back: then the host has its pages mapped.</summary>
    /// <param name="most">No more than this many.</param>
    public void Fill(int most = int.MaxValue)
    {
        int wanted = Math.Min(_options.Minimum, most);
        for (int tries = wanted; tries > 0; tries--)
        {
            lock (_lock)
            {
                if (_disposed || _ready.Count >= wanted) return;
            }

            var fresh = _engine.Fork(_template, _standard, driven: true, _options.MemoryBytes, runsSoon: true);
            fresh.Pool = this;
            try
            {
                WarmUp(fresh);
            }
            finally
            {
                fresh.Retire();
            }
        }
    }

    /// <summary>The same when nobody waits for it. What cannot be made ready is forked on demand, and whoever demands it is told why that fails.</summary>
    public void FillIfPossible()
    {
        try
        {
            Fill();
        }
        catch (Exception e) when (e is HostException or SandboxException or ObjectDisposedException)
        {
            // The host has no more to give, or the engine ends.
        }
    }

    /// <summary>A sandbox at the template's frozen point: one that stands ready, or else a fork.</summary>
    /// <exception cref="SandboxException">The limits leave no room for the template.</exception>
    public Sandbox Take(SandboxOptions options, bool driven = true)
    {
        long started = HostClock.MonotonicNanoseconds;
        Sandbox? sandbox = null;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (Fits(options) && _ready.TryPop(out sandbox)) Hits++;
            else Misses++;
        }

        if (sandbox is null)
        {
            var fork = _engine.Fork(_template, options, driven, Math.Max(options.MemoryBytes, _options.MemoryBytes), runsSoon: true);
            if (Fits(options)) fork.Pool = this;
            RefillBeside();
            return fork;
        }

        try
        {
            SandboxEngine.Check(sandbox.Kernel, options);
            sandbox.Pool = this;
            sandbox.Kernel.Begin(sandbox.Machine, options.ToLimits());
            sandbox.Open(options, driven, since: started);
            return sandbox;
        }
        catch
        {
            sandbox.Dispose();
            throw;
        }
    }

    /// <summary>Executes code in a sandbox of the pool, on the caller's thread.</summary>
    public ExecResult Execute(ExecRequest request, SandboxOptions options) => SandboxEngine.Execute(() => Take(options), request);

    /// <inheritdoc/>
    public void Dispose()
    {
        Sandbox[] left;
        lock (_lock)
        {
            _disposed = true;
            left = [.. _ready];
            _ready.Clear();
        }

        foreach (var sandbox in left) sandbox.Dispose();
    }

    /// <summary>Takes the machine of a sandbox that has ended back to the template. False: it is of no use any more.</summary>
    internal bool TryRecycle(Sandbox used)
    {
        lock (_lock)
        {
            if (_disposed || _ready.Count >= _options.Maximum) return false;
        }

        if (Reset(used) is not { } sandbox) return false;
        lock (_lock)
        {
            if (!_disposed && _ready.Count < _options.Maximum)
            {
                Recycled++;
                _ready.Push(sandbox);
                return true;
            }
        }

        return false; // the machine is disposed by the sandbox that had it
    }

    private bool Fits(SandboxOptions options) => options.MemoryBytes <= _options.MemoryBytes && options.VirtualCpus == 1;

    /// <summary>A new sandbox on the machine of a used one, at the template's point; null when the machine cannot be taken back.</summary>
    private Sandbox? Reset(Sandbox used)
    {
        var machine = used.Machine;
        if (used.Kernel.FailureReason is not null || machine.Memory.Size - machine.Memory.TemplateLength > _options.LargestGrowth) return null;
        var sandbox = new Sandbox(_engine) { Origin = (_template, _template.Image) };
        try
        {
            var kernel = Kernel.Kernel.Load(sandbox.Ports(_template.Image), _template.State, _standard.ToLimits(), _template.Strings);
            if (!machine.TryReset(used.Kernel.Frames.WasPageTable, kernel.PageTableRoot, _options.KeptPages)) return null;
            sandbox.Equip(machine, kernel);
            return sandbox;
        }
        catch (HostException)
        {
            return null;
        }
    }

    private void WarmUp(Sandbox fresh)
    {
        if (TemplateRuntime.Find(_template.Manifest.Runtime)?.TypicalCode is not [var code, ..]) return;
        fresh.Execute(new ExecRequest { Code = code });
        fresh.Drive();
    }

    private void RefillBeside()
    {
        lock (_lock)
        {
            if (_refilling || _disposed || _ready.Count >= _options.Minimum) return;
            _refilling = true;
        }

        _engine.Threads.Run(() =>
        {
            FillIfPossible();
            lock (_lock) _refilling = false;
        });
    }
}
