namespace Ramet.Server.Scheduling;

/// <summary>Why a request cannot have its turn.</summary>
internal enum GateRefusal
{
    /// <summary>It may go on.</summary>
    None,

    /// <summary>Too many wait already.</summary>
    Full,

    /// <summary>It has waited for as long as it may.</summary>
    WaitedTooLong,
}

/// <summary>
/// Lets a bounded number of things run at the same time. The others wait, and take turns by tenant: one who sends a thousand requests does not make another wait for all of them.
/// </summary>
internal sealed class FairGate(int concurrency, int queue, TimeSpan longestWait)
{
    private readonly Lock _lock = new();

    /// <summary>Of each tenant that is among the turns, which it is once; perhaps none any more.</summary>
    private readonly Dictionary<string, LinkedList<Waiter>> _waiting = new(StringComparer.Ordinal);
    private readonly Queue<string> _turns = new();
    private int _running;
    private int _waitingCount;

    /// <summary>Running now.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Waiting now.</summary>
    public int Waiting => Volatile.Read(ref _waitingCount);

    /// <summary>Most that run at the same time.</summary>
    public int Concurrency => concurrency;

    /// <summary>Waits for a turn. Only after <see cref="GateRefusal.None"/>, call <see cref="Leave"/>.</summary>
    public ValueTask<GateRefusal> EnterAsync(string tenant, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (_running < concurrency && _waitingCount == 0)
            {
                _running++;
                return new ValueTask<GateRefusal>(GateRefusal.None);
            }

            if (_waitingCount >= queue) return new ValueTask<GateRefusal>(GateRefusal.Full);
            if (!_waiting.TryGetValue(tenant, out var own))
            {
                own = _waiting[tenant] = new LinkedList<Waiter>();
                _turns.Enqueue(tenant);
            }

            waiter = new Waiter();
            waiter.Node = own.AddLast(waiter);
            _waitingCount++;
        }

        return new ValueTask<GateRefusal>(WaitAsync(waiter, cancellationToken));
    }

    /// <summary>The turn is over.</summary>
    public void Leave()
    {
        Waiter? next;
        lock (_lock)
        {
            next = TakeNext();
            if (next is null) _running--;
        }

        next?.Turn.SetResult();
    }

    private async Task<GateRefusal> WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            await waiter.Turn.Task.WaitAsync(longestWait, cancellationToken).ConfigureAwait(false);
            return GateRefusal.None;
        }
        catch (TimeoutException)
        {
            if (GiveUp(waiter)) return GateRefusal.WaitedTooLong;
            return GateRefusal.None;
        }
        catch (OperationCanceledException)
        {
            if (!GiveUp(waiter)) Leave();
            throw;
        }
    }

    /// <summary>False: the turn came meanwhile.</summary>
    private bool GiveUp(Waiter waiter)
    {
        lock (_lock)
        {
            if (waiter.Node is not { List: { } list } node) return false;
            list.Remove(node);
            waiter.Node = null;
            _waitingCount--;
            // An emptied list stays, as its tenant's one entry among the turns does: one whose requests give up and come again would have an entry, and a turn, for each of them.
            return true;
        }
    }

    private Waiter? TakeNext()
    {
        while (_turns.TryDequeue(out string? tenant))
        {
            var own = _waiting[tenant];
            if (own.First is not { Value: var waiter })
            {
                // All of its requests have given up.
                _waiting.Remove(tenant);
                continue;
            }

            own.RemoveFirst();
            waiter.Node = null;
            _waitingCount--;
            if (own.Count == 0) _waiting.Remove(tenant);
            else _turns.Enqueue(tenant);
            return waiter;
        }

        return null;
    }

    private sealed class Waiter
    {
        public TaskCompletionSource Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter>? Node { get; set; }
    }
}
