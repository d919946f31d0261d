using Ramet.Kernel.Memory;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>Where a futex is: a place in a shared object, or an address of one address space (futex(2)).</summary>
/// <param name="Owner">A <see cref="MemoryObject"/> or an <see cref="AddressSpace"/>.</param>
/// <param name="Offset">Offset in the object, or address.</param>
internal readonly record struct FutexKey(object Owner, ulong Offset)
{
    /// <summary>The key of an address. Threads of one process agree on a private one without looking at mappings.</summary>
    public static Errno Find(AddressSpace space, ulong address, bool isPrivate, out FutexKey key)
    {
        key = new FutexKey(space, address);
        if ((address & 3) != 0) return Errno.EINVAL;
        if (address >= PageTables.UserEnd) return Errno.EFAULT;
        if (isPrivate) return Errno.None;
        var area = space.FindArea(address);
        if (area is null) return Errno.EFAULT;
        if (area is { IsShared: true, Object: { } shared }) key = new FutexKey(shared, ((ulong)area.PageOf(address) << 12) | (address & 4095));
        return Errno.None;
    }
}

/// <summary>All futexes that somebody waits on.</summary>
[Saved]
internal sealed partial class FutexTable
{
    private const int FirstSweep = 64;

    private List<FutexQueue> _saved = [];

    [NotSaved]
    private Dictionary<FutexKey, FutexQueue> _queues = [];

    [NotSaved]
    private int _sweepAt = FirstSweep;

    /// <summary>Futexes that are known; some may have no waiters any more.</summary>
    public int Count => _queues.Count;

    /// <summary>The waiters of a futex, or null when there are none.</summary>
    public FutexQueue? Find(in FutexKey key) => _queues.GetValueOrDefault(key);

    /// <summary>The queue of a futex, made if need be.</summary>
    public FutexQueue FindOrAdd(in FutexKey key)
    {
        if (_queues.TryGetValue(key, out var queue)) return queue;
        if (_queues.Count >= _sweepAt) Sweep();
        queue = new FutexQueue(key);
        _queues.Add(key, queue);
        return queue;
    }

    /// <summary>Queues that have waiters.</summary>
    public IEnumerable<FutexQueue> Waiting => _queues.Values.Where(queue => !queue.Waiters.IsEmpty);

    // A thread that ends or is interrupted leaves its queue without a word; empty ones go when there are many.
    private void Sweep()
    {
        foreach (var key in _queues.Where(pair => pair.Value.Waiters.IsEmpty).Select(pair => pair.Key).ToArray()) _queues.Remove(key);
        _sweepAt = Math.Max(FirstSweep, _queues.Count * 2);
    }

    private void OnSaving()
    {
        Sweep();
        _saved = [.. _queues.Values];
    }

    private void OnLoaded(StateReader reader)
    {
        foreach (var queue in _saved) _queues.Add(queue.Key, queue);
        _saved = [];
    }
}

/// <summary>The waiters of one futex, in the order of their arrival.</summary>
[Saved]
internal sealed partial class FutexQueue
{
    private AddressSpace? _space;
    private MemoryObject? _object;
    private ulong _offset;

    private FutexQueue()
    {
    }

    public FutexQueue(in FutexKey key)
    {
        _space = key.Owner as AddressSpace;
        _object = key.Owner as MemoryObject;
        _offset = key.Offset;
    }

    /// <summary>Which futex this is.</summary>
    public FutexKey Key => new((object?)_space ?? _object!, _offset);

    /// <summary>Who waits. The events of a waiter are its bit set.</summary>
    public WaitQueue Waiters { get; private set; } = new();

    /// <summary>Wakes up to this many waiters whose bit set has a bit in common. Returns how many.</summary>
    public int Wake(int count, uint bits) => Waiters.Wake((PollEvents)bits, count);
}

/// <summary>A thread that waits on a futex.</summary>
[Saved]
internal sealed partial class FutexWaiter : ThreadWaiter
{
    private FutexWaiter()
    {
    }

    /// <param name="thread">The thread.</param>
    /// <param name="bits">What wakes it.</param>
    /// <param name="isLock">It waits for a priority-inheritance lock: it is handed over, not woken.</param>
    /// <param name="address">Address of the lock in its address space.</param>
    public FutexWaiter(PosixThread thread, uint bits, bool isLock = false, ulong address = 0)
        : base(thread)
    {
        Thread = thread;
        Events = (PollEvents)bits;
        Exclusive = true;
        IsLock = isLock;
        Address = address;
    }

    /// <summary>The thread.</summary>
    public PosixThread Thread { get; private set; } = null!;

    /// <summary>Somebody woke it (or gave it the lock): a signal or a deadline that comes later does not matter.</summary>
    public bool IsWoken { get; private set; }

    /// <summary>It waits for a lock.</summary>
    public bool IsLock { get; private set; }

    /// <summary>Address of the lock in its address space.</summary>
    public ulong Address { get; private set; }

    /// <inheritdoc/>
    public override bool OnWake(PollEvents events) => !IsLock && Take();

    /// <summary>Wakes it for good, even if something else has made its thread ready already. False: it had been woken before.</summary>
    public bool Take()
    {
        if (IsWoken || Thread.State == ThreadState.Dead) return false;
        IsWoken = true;
        Thread.Wake();
        return true;
    }
}

/// <summary>The waiters of one futex_waitv(2).</summary>
[Saved]
internal sealed partial class FutexWaiterSet
{
    /// <summary>In the order of the call's array.</summary>
    public List<FutexWaiter> Waiters { get; private set; } = [];
}
