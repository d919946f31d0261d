using Ramet.Host;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// Empty virtual machines with a virtual CPU, made ahead: memory slots of the right sizes but no memory in them, no template, nobody's. The host needs most of a millisecond for one, nearly all of it under locks of the
/// whole process or waiting; a fork that finds one has only its memory to map. They are made anew a little after they were taken, when the fork that took one is through with the host's locks.
/// </summary>
internal sealed class SpareMachines : IDisposable
{
    private const long DelayNanoseconds = 10_000_000;

    private readonly SandboxEngine _engine;
    private readonly AlarmClock.Alarm _refill;
    private readonly Stack<VirtualMachine> _ready = new();
    private readonly Lock _lock = new();

    /// <summary>Held while machines are made; before <see cref="_lock"/>.</summary>
    private readonly Lock _making = new();

    private Kind? _kind;
    private int _count;
    private bool _disposed;

    public SpareMachines(SandboxEngine engine)
    {
        _engine = engine;
        _refill = engine.Alarms.Create(() => engine.Threads.Run(Refill));
    }

    /// <summary>How many are kept.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _count;
        }

        set
        {
            lock (_lock)
            {
                _count = value;
                while (_ready.Count > value) _ready.Pop().Dispose();
            }
        }
    }

    /// <summary>How many stand ready.</summary>
    public int Ready
    {
        get
        {
            lock (_lock) return _ready.Count;
        }
    }

    /// <summary>A machine of this kind, or null: none stands ready. From the first time on, machines of that kind are made.</summary>
    public VirtualMachine? TryTake(Kind kind)
    {
        VirtualMachine? machine = null;
        lock (_lock)
        {
            if (_disposed || _count == 0) return null;
            if (_kind?.IsLike(kind) != true)
            {
                // Most forks of a process are alike. When another kind comes, the next ones are of it; ending a machine takes time, which is not this caller's.
                foreach (var other in _ready) _engine.Threads.Run(other.Dispose);
                _ready.Clear();
                _kind = kind;
            }

            _ready.TryPop(out machine);
        }

        _refill.Set(HostClock.MonotonicNanoseconds + DelayNanoseconds);
        return machine;
    }

    /// <summary>Makes them now, on this thread, or waits for the thread that does.</summary>
    public void Refill()
    {
        lock (_making) FillUp();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _refill.Set(long.MaxValue);
        lock (_lock)
        {
            _disposed = true;
            while (_ready.TryPop(out var machine)) machine.Dispose();
        }

        // Nothing is left behind, nor made of what the engine ends next.
        lock (_making)
        {
        }
    }

    private void FillUp()
    {
        while (true)
        {
            Kind? kind;
            lock (_lock)
            {
                kind = _kind;
                if (_disposed || kind is null || _ready.Count >= _count) return;
            }

            VirtualMachine machine;
            try
            {
                machine = Make(kind);
            }
            catch (Exception e) when (e is HostException or ObjectDisposedException)
            {
                // The host has none to spare, and whoever needs one is told why; or the image is not used any more.
                return;
            }

            lock (_lock)
            {
                if (!_disposed && _kind == kind && _ready.Count < _count)
                {
                    _ready.Push(machine);
                    continue;
                }
            }

            machine.Dispose();
        }
    }

    private VirtualMachine Make(Kind kind)
    {
        var machine = VirtualMachine.Prepare(_engine.Device, new VirtualMachineOptions { MemoryLimit = kind.MemoryLimit, MaxVcpus = kind.Vcpus });
        try
        {
            machine.LayOut(kind.TemplateLength, [kind.Image]);
            foreach (var range in kind.ImageRanges) machine.Memory.TryAttachImage(range.Address, range.Length);
            machine.GetVcpu(0);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    /// <summary>What a machine was made for.</summary>
    /// <param name="MemoryLimit">Bytes that it may grow to.</param>
    /// <param name="Vcpus">How many virtual CPUs it may have.</param>
    /// <param name="TemplateLength">Bytes of its template's memory; 0 without one.</param>
    /// <param name="Image">Its image.</param>
    /// <param name="ImageRanges">What it will surely use of that.</param>
    internal sealed record Kind(ulong MemoryLimit, int Vcpus, ulong TemplateLength, GuestImage Image, IReadOnlyList<MemoryRange> ImageRanges)
    {
        /// <summary>Whether a machine that was made for one serves the other; ranges of the image that are missing can be added.</summary>
        public bool IsLike(Kind other) => (MemoryLimit, Vcpus, TemplateLength, Image) == (other.MemoryLimit, other.Vcpus, other.TemplateLength, other.Image);
    }
}
