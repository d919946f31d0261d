using Ramet.Host;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// Empty virtual machines with a virtual CPU, made ahead: no memory, no template, nobody's. The host needs a third of a millisecond for one, most of it under locks of the whole process;
/// a fork that finds one has only its memory to map. They are made anew a little after they were taken, when the fork that took one is through with the host's locks.
/// </summary>
internal sealed class SpareMachines : IDisposable
{
    private const long DelayNanoseconds = 10_000_000;

    private readonly SandboxEngine _engine;
    private readonly AlarmClock.Alarm _refill;
    private readonly Stack<VirtualMachine> _ready = new();
    private readonly Lock _lock = new();
    private (ulong MemoryLimit, int Vcpus) _kind;
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

    /// <summary>A machine that may grow to this size, or null: none stands ready. From the first time on, machines of that kind are made.</summary>
    public VirtualMachine? TryTake(ulong memoryLimit, int vcpus)
    {
        VirtualMachine? machine = null;
        lock (_lock)
        {
            if (_disposed || _count == 0) return null;
            if (_kind != (memoryLimit, vcpus))
            {
                // Most forks of a process are alike. When another kind comes, the next ones are of it; ending a machine takes time, which is not this caller's.
                foreach (var other in _ready) _engine.Threads.Run(other.Dispose);
                _ready.Clear();
                _kind = (memoryLimit, vcpus);
            }

            _ready.TryPop(out machine);
        }

        _refill.Set(HostClock.MonotonicNanoseconds + DelayNanoseconds);
        return machine;
    }

    /// <summary>Makes them now, on this thread.</summary>
    public void Refill()
    {
        while (true)
        {
            (ulong MemoryLimit, int Vcpus) kind;
            lock (_lock)
            {
                kind = _kind;
                if (_disposed || kind.MemoryLimit == 0 || _ready.Count >= _count) return;
            }

            VirtualMachine machine;
            try
            {
                machine = Make(kind.MemoryLimit, kind.Vcpus);
            }
            catch (HostException)
            {
                // The host has none to spare; whoever needs one is told why.
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

    /// <inheritdoc/>
    public void Dispose()
    {
        _refill.Set(long.MaxValue);
        lock (_lock)
        {
            _disposed = true;
            while (_ready.TryPop(out var machine)) machine.Dispose();
        }
    }

    private VirtualMachine Make(ulong memoryLimit, int vcpus)
    {
        var machine = VirtualMachine.Prepare(_engine.Device, new VirtualMachineOptions { MemoryLimit = memoryLimit, MaxVcpus = vcpus });
        try
        {
            machine.GetVcpu(0);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }
}
