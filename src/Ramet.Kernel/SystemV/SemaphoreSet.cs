using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.SystemV;

/// <summary>A System V semaphore set (semget(2)).</summary>
[Saved]
internal sealed partial class SemaphoreSet : IpcObject
{
    /// <summary>SEMVMX.</summary>
    public const int MaximumValue = 32767;

    /// <summary>Adjustments of all processes and sets together.</summary>
    public const int MaximumAdjustments = 1 << 19;

    // By process, then by semaphore; those of 0 are left out.
    private Dictionary<int, Dictionary<int, short>> _adjustments = [];

    private SemaphoreSet()
    {
    }

    public SemaphoreSet(int count)
    {
        Values = new ushort[count];
        Pids = new int[count];
    }

    public ushort[] Values { get; private set; } = [];

    /// <summary>Who changed each last.</summary>
    public int[] Pids { get; private set; } = [];

    /// <summary>Seconds since 1970 of the last semop(2).</summary>
    public long OperationTime { get; set; }

    /// <summary>Where semop(2) waits.</summary>
    public WaitQueue Queue { get; private set; } = new();

    public SemIdDs Status => new() { sem_perm = Permissions, sem_otime = OperationTime, sem_ctime = ChangeTime, sem_nsems = (ulong)Values.Length };

    /// <summary>
    /// Does all operations or none. EAGAIN: operation <paramref name="blocking"/> must wait. ERANGE. ENOSPC: too many adjustments.
    /// </summary>
    public Errno TryOperate(ReadOnlySpan<SemBuf> operations, int pid, SystemVIpc ipc, out int blocking)
    {
        const short SEM_UNDO = 0x1000;
        _adjustments.TryGetValue(pid, out var adjustment);
        var error = Errno.None;
        int done = 0;
        for (; done < operations.Length && error == Errno.None; done++)
        {
            var operation = operations[done];
            ref ushort value = ref Values[operation.sem_num];
            int result = value + operation.sem_op;
            if (operation.sem_op == 0 ? value != 0 : result < 0) error = Errno.EAGAIN;
            else if (result > MaximumValue) error = Errno.ERANGE;
            if (error == Errno.None && operation.sem_op != 0 && (operation.sem_flg & SEM_UNDO) != 0)
            {
                adjustment ??= [];
                int change = adjustment.GetValueOrDefault(operation.sem_num) - operation.sem_op;
                if (change is < -MaximumValue - 1 or > MaximumValue) error = Errno.ERANGE;
                else if (change != 0 && ipc.Adjustments >= MaximumAdjustments && !adjustment.ContainsKey(operation.sem_num)) error = Errno.ENOSPC;
                else Adjust(adjustment, operation.sem_num, change, ipc);
            }

            if (error != Errno.None) break;
            value = (ushort)result;
        }

        blocking = done;
        if (error != Errno.None)
        {
            while (--done >= 0)
            {
                var undone = operations[done];
                Values[undone.sem_num] = (ushort)(Values[undone.sem_num] - undone.sem_op);
                if (undone.sem_op != 0 && (undone.sem_flg & SEM_UNDO) != 0)
                    Adjust(adjustment!, undone.sem_num, adjustment!.GetValueOrDefault(undone.sem_num) + undone.sem_op, ipc);
            }

            return error;
        }

        foreach (var operation in operations) Pids[operation.sem_num] = pid;
        if (adjustment is { Count: > 0 })
        {
            if (_adjustments.Count == 0) ipc.SetsWithUndo++;
            _adjustments[pid] = adjustment;
        }

        return Errno.None;
    }

    private static void Adjust(Dictionary<int, short> adjustment, int number, int value, SystemVIpc ipc)
    {
        ipc.Adjustments -= adjustment.Count;
        if (value == 0) adjustment.Remove(number);
        else adjustment[number] = (short)value;
        ipc.Adjustments += adjustment.Count;
    }

    /// <summary>SETVAL, SETALL: adjustments of all processes for a semaphore, or for all (-1), are forgotten.</summary>
    public void ForgetAdjustments(int number, SystemVIpc ipc)
    {
        foreach (var adjustment in _adjustments.Values)
        {
            ipc.Adjustments -= adjustment.Count;
            if (number >= 0) adjustment.Remove(number);
            else adjustment.Clear();
            ipc.Adjustments += adjustment.Count;
        }
    }

    /// <summary>A process has ended.</summary>
    public void Undo(Process process, SystemVIpc ipc)
    {
        if (!_adjustments.Remove(process.Pid, out var adjustment)) return;
        ipc.Adjustments -= adjustment.Count;
        if (_adjustments.Count == 0) ipc.SetsWithUndo--;
        foreach (var (number, change) in adjustment)
        {
            Values[number] = (ushort)Math.Clamp(Values[number] + change, 0, MaximumValue);
            Pids[number] = process.Pid;
        }

        Queue.Wake();
    }

    /// <summary>IPC_RMID.</summary>
    public void OnRemoved(SystemVIpc ipc)
    {
        if (_adjustments.Count > 0) ipc.SetsWithUndo--;
        foreach (var adjustment in _adjustments.Values) ipc.Adjustments -= adjustment.Count;
        _adjustments.Clear();
        ipc.SemaphoreCount -= Values.Length;
        Queue.Wake();
    }

    /// <summary>Threads that wait for a semaphore to become zero, or to increase.</summary>
    public int CountWaiting(int number, bool forZero) =>
        Queue.Waiters.Count(waiter => waiter is SemaphoreWaiter semaphore && semaphore.Number == number && semaphore.ForZero == forZero);
}

/// <summary>A thread that waits in semop(2).</summary>
[Saved]
internal sealed partial class SemaphoreWaiter : ThreadWaiter
{
    private SemaphoreWaiter()
    {
    }

    public SemaphoreWaiter(PosixThread thread, int number, bool forZero)
        : base(thread)
    {
        Number = number;
        ForZero = forZero;
    }

    public int Number { get; private set; }

    public bool ForZero { get; private set; }
}
