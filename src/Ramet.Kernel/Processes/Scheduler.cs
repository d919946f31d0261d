using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>
/// Which thread runs on which virtual CPU: one queue, first come first served, and a time slice when others wait. Lock: the kernel's.
/// </summary>
[Saved]
public sealed partial class Scheduler
{
    /// <summary>How long a thread runs while others wait, ns.</summary>
    public const long TimeSlice = 5_000_000;

    private Kernel _kernel = null!;
    private LinkedList<PosixThread> _ready = new();

    [NotSaved]
    private VcpuContext[] _vcpus = [];

    private Scheduler()
    {
    }

    internal Scheduler(Kernel kernel) => _kernel = kernel;

    /// <summary>Whether a thread waits for a virtual CPU.</summary>
    public bool HasReady => _ready.Count > 0;

    /// <summary>Whether any thread has something to run.</summary>
    public bool IsBusy
    {
        get
        {
            if (HasReady) return true;
            foreach (var vcpu in Vcpus)
            {
                if (vcpu.Current is not null) return true;
            }

            return false;
        }
    }

    internal VcpuContext[] Vcpus
    {
        get
        {
            if (_vcpus.Length == 0)
            {
                _vcpus = new VcpuContext[Math.Max(1, _kernel.Limits.VirtualCpus)];
                for (int i = 0; i < _vcpus.Length; i++) _vcpus[i] = new VcpuContext(i);
            }

            return _vcpus;
        }
    }

    /// <summary>A thread became ready.</summary>
    internal void Enqueue(PosixThread thread)
    {
        _ready.AddLast(thread);
        foreach (var vcpu in Vcpus)
        {
            if (vcpu.HasHostThread) continue;
            // Asked for once: until a host thread comes, further threads just queue up.
            if (vcpu.Requested) continue;
            vcpu.Requested = true;
            _kernel.Host.RequestVcpu(vcpu.Index);
            return;
        }

        // All are busy, maybe with programs that never call the kernel: one of them has to make room when its slice is over.
        _kernel.OnThreadWaits();
    }

    /// <summary>A thread that ran goes on before all others.</summary>
    internal void EnqueueFirst(PosixThread thread) => _ready.AddFirst(thread);

    /// <summary>After a load or a stop: asks for host threads for what is ready.</summary>
    internal void RequestVcpus()
    {
        int wanted = _ready.Count;
        foreach (var vcpu in Vcpus)
        {
            if (wanted-- <= 0) return;
            if (vcpu.HasHostThread || vcpu.Requested) continue;
            vcpu.Requested = true;
            _kernel.Host.RequestVcpu(vcpu.Index);
        }
    }

    /// <summary>The thread that has waited longest, or null.</summary>
    internal PosixThread? Dequeue()
    {
        var node = _ready.First;
        if (node is null) return null;
        _ready.RemoveFirst();
        return node.Value;
    }

    /// <summary>The slice of a running thread is over: it goes to the end of the queue, if others are in it.</summary>
    internal void Yield(PosixThread thread)
    {
        if (!HasReady) return;
        foreach (var vcpu in Vcpus)
        {
            if (vcpu.Current == thread) vcpu.SliceEnd = 0;
        }
    }

    /// <summary>
    /// Whether a thread is on a virtual CPU: one that blocked and was woken while the same call was served is there still, and in the queue as well. It must not run twice.
    /// </summary>
    internal bool IsCurrent(PosixThread thread)
    {
        foreach (var vcpu in Vcpus)
        {
            if (vcpu.Current == thread) return true;
        }

        return false;
    }

    /// <summary>The thread is not to run any more.</summary>
    internal void Remove(PosixThread thread)
    {
        _ready.Remove(thread);
        foreach (var vcpu in Vcpus)
        {
            if (vcpu.Loaded == thread) vcpu.Loaded = null;
            if (vcpu.Current == thread)
            {
                vcpu.Current = null;
                if (vcpu.InGuest) vcpu.Machine!.Kick();
            }
        }
    }

    /// <summary>If the thread runs user code now, it comes into the kernel soon (a signal waits for it).</summary>
    internal void Interrupt(PosixThread thread)
    {
        foreach (var vcpu in Vcpus)
        {
            if (vcpu.Current == thread && vcpu.InGuest) vcpu.Machine!.Kick();
        }
    }

    /// <summary>
    /// Makes sure that no virtual CPU runs user code of this address space; those that did forget stale translations before they go on. Waits
    /// for tens of microseconds at most: a kick ends guest code at once, and a virtual CPU that has left needs the kernel lock to go back.
    /// </summary>
    internal void LeaveGuest(AddressSpace space)
    {
        foreach (var vcpu in Vcpus)
        {
            if (!vcpu.InGuest || vcpu.Space != space || vcpu.IsServed) continue;
            vcpu.Machine!.Kick();
            var spin = default(SpinWait);
            while (vcpu.InGuest) spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Makes all virtual CPUs leave user code (the sandbox ends, or is paused).</summary>
    internal void KickAll()
    {
        foreach (var vcpu in Vcpus)
        {
            if (vcpu.InGuest) vcpu.Machine!.Kick();
        }
    }

    /// <summary>When the first running thread's slice ends while others wait; long.MaxValue when none is to be preempted.</summary>
    internal long NextPreemption
    {
        get
        {
            long next = long.MaxValue;
            if (!HasReady) return next;
            foreach (var vcpu in Vcpus)
            {
                if (vcpu.InGuest && !vcpu.IsPreempted) next = Math.Min(next, vcpu.SliceEnd);
            }

            return next;
        }
    }

    /// <summary>Kicks threads whose slice is over while others wait.</summary>
    internal void Preempt(long now)
    {
        if (!HasReady) return;
        foreach (var vcpu in Vcpus)
        {
            if (!vcpu.InGuest || vcpu.IsPreempted || vcpu.SliceEnd > now) continue;
            vcpu.IsPreempted = true;
            vcpu.Machine!.Kick();
        }
    }
}

/// <summary>What the kernel knows of a virtual CPU. Not saved: a thread that is not on one is complete in itself.</summary>
internal sealed class VcpuContext(int index)
{
    private volatile bool _inGuest;

    /// <summary>Its number.</summary>
    public int Index { get; } = index;

    /// <summary>The virtual CPU, once it has run.</summary>
    public IVirtualCpu? Machine;

    /// <summary>A host thread is in <see cref="Kernel.RunVcpu"/> for it.</summary>
    public bool HasHostThread;

    /// <summary>A host thread was asked for.</summary>
    public bool Requested;

    /// <summary>The thread that runs.</summary>
    public PosixThread? Current;

    /// <summary>The thread whose extended state and segment bases the virtual CPU holds.</summary>
    public PosixThread? Loaded;

    /// <summary>The address space that it was last entered with.</summary>
    public AddressSpace? Space;

    /// <summary>When the current thread's time slice ends.</summary>
    public long SliceEnd;

    /// <summary>
    /// Kicked because the slice is over, and not back yet: its host thread may have to wait for a processor, and an alarm that went off again and again meanwhile would take that very processor from it.
    /// </summary>
    public bool IsPreempted;

    /// <summary>When the current thread was last entered, for CPU time.</summary>
    public long EnteredAt;

    /// <summary>A host thread polls its mailbox, or was asked to.</summary>
    public bool IsPolled;

    /// <summary>A call from its mailbox is being served: it waits in its stub, and uses no translation before it has left the guest or been told to.</summary>
    public bool IsServed;

    /// <summary>When it is worth while to poll.</summary>
    public PollingPolicy Polling;

    /// <summary>Whether user code runs on it: then it holds no lock, and may use any translation.</summary>
    public bool InGuest
    {
        get => _inGuest;
        set => _inGuest = value;
    }
}
