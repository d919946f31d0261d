using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.SystemV;

namespace Ramet.Kernel.Syscalls;

/// <summary>System V semaphores: semget(2), semop(2), semtimedop(2), semctl(2).</summary>
internal static class SemaphoreCalls
{
    /// <summary>SEMMSL, SEMMNI, SEMOPM, and SEMMNS, which is smaller than Linux's so that sets stay within the host's means.</summary>
    private const int MaximumInSet = 32000;
    private const int MaximumSets = 32000;
    private const int MaximumOperations = 500;
    private const int MaximumSemaphores = 1_024_000;
    private const int IPC_RMID = 0;
    private const int IPC_SET = 1;
    private const int IPC_STAT = 2;
    private const int IPC_INFO = 3;
    private const int GETPID = 11;
    private const int GETVAL = 12;
    private const int GETALL = 13;
    private const int GETNCNT = 14;
    private const int GETZCNT = 15;
    private const int SETVAL = 16;
    private const int SETALL = 17;
    private const int SEM_STAT = 18;
    private const int SEM_INFO = 19;
    private const int SEM_STAT_ANY = 20;

    [Syscall(SyscallNumber.semget)]
    internal static SyscallResult SemGet(PosixThread thread, int key, int count, int flags)
    {
        var ipc = thread.Kernel.SystemV;
        if (count is < 0 or > MaximumInSet) return Errno.EINVAL;
        var error = ipc.Semaphores.Find(thread, key, (IpcFlags)flags, MaximumSets, out var known);
        if (error != Errno.None) return error;
        if (known is SemaphoreSet set) return count > set.Values.Length ? Errno.EINVAL : set.Id;
        if (count == 0) return Errno.EINVAL;
        if (ipc.SemaphoreCount + count > MaximumSemaphores) return Errno.ENOSPC;
        set = new SemaphoreSet(count);
        set.SetCreator(thread, (uint)flags);
        ipc.SemaphoreCount += count;
        ipc.Semaphores.Add(set, key);
        return set.Id;
    }

    [Syscall(SyscallNumber.semop)]
    internal static SyscallResult SemOp(PosixThread thread, int semid, UserAddress operations, uint count) =>
        SemTimedOp(thread, semid, operations, count, default);

    [Syscall(SyscallNumber.semtimedop)]
    internal static SyscallResult SemTimedOp(PosixThread thread, int semid, UserAddress operations, uint count, UserAddress timeout)
    {
        const short IPC_NOWAIT = 0x800;
        if (count == 0 || semid < 0) return Errno.EINVAL;
        if (count > MaximumOperations) return Errno.E2BIG;
        Span<SemBuf> wanted = new SemBuf[count];
        if (!thread.Memory.User.TryReadArray(operations, wanted)) return Errno.EFAULT;
        var error = PollingTimeout.Read(thread, timeout, out long nanoseconds);
        if (error != Errno.None) return error;

        var ipc = thread.Kernel.SystemV;
        var set = thread.ResumeState as SemaphoreSet ?? ipc.Semaphores.FindId(semid) as SemaphoreSet;
        if (set is null) return Errno.EINVAL;
        if (set.IsRemoved) return Errno.EIDRM;
        bool alters = false;
        foreach (var operation in wanted)
        {
            if (operation.sem_num >= set.Values.Length) return Errno.EFBIG;
            alters |= operation.sem_op != 0;
        }

        error = set.Check(thread, alters ? 2u : 4u);
        if (error != Errno.None) return error;
        error = set.TryOperate(wanted, thread.Process.Pid, ipc, out int blocking);
        if (error == Errno.None)
        {
            set.OperationTime = IpcObject.Now(thread);
            if (alters) set.Queue.Wake();
            return 0;
        }

        if (error != Errno.EAGAIN || (wanted[blocking].sem_flg & IPC_NOWAIT) != 0) return error;
        // Never restarted, whatever the handler says (signal(7)).
        if (thread.SignalPending) return Errno.EINTR;
        if (thread.TimedOut) return Errno.EAGAIN;
        if (nanoseconds != PollingTimeout.Infinite) thread.WaitUntil(PollingTimeout.DeadlineAfter(thread.Kernel, nanoseconds));
        thread.ResumeState = set;
        thread.WaitOn(set.Queue, new SemaphoreWaiter(thread, wanted[blocking].sem_num, wanted[blocking].sem_op == 0));
        return thread.Block();
    }

    [Syscall(SyscallNumber.semctl)]
    internal static SyscallResult SemCtl(PosixThread thread, int semid, int number, int command, ulong argument)
    {
        var ipc = thread.Kernel.SystemV;
        var user = thread.Memory.User;
        var buffer = new UserAddress(argument);
        switch (command)
        {
            case IPC_INFO or SEM_INFO:
                var info = new SemInfo
                {
                    semmap = MaximumSemaphores,
                    semmni = MaximumSets,
                    semmns = MaximumSemaphores,
                    semmnu = MaximumSemaphores,
                    semmsl = MaximumInSet,
                    semopm = MaximumOperations,
                    semume = MaximumOperations,
                    semusz = command == SEM_INFO ? ipc.Semaphores.Count : 20,
                    semvmx = SemaphoreSet.MaximumValue,
                    semaem = command == SEM_INFO ? ipc.SemaphoreCount : SemaphoreSet.MaximumValue,
                };
                return user.TryWrite(buffer, info) ? ipc.Semaphores.HighestIndex : Errno.EFAULT;
            case IPC_STAT or SEM_STAT or SEM_STAT_ANY:
                if ((command == IPC_STAT ? ipc.Semaphores.FindId(semid) : ipc.Semaphores.FindIndex(semid)) is not SemaphoreSet known) return Errno.EINVAL;
                var allowed = command == SEM_STAT_ANY ? Errno.None : known.Check(thread, 4);
                if (allowed != Errno.None) return allowed;
                return !user.TryWrite(buffer, known.Status) ? Errno.EFAULT : command == IPC_STAT ? 0 : known.Id;
        }

        if (command is < 0 or > SEM_STAT_ANY or (> IPC_INFO and < GETPID)) return Errno.EINVAL;
        SemIdDs wanted = default;
        if (command == IPC_SET && !user.TryRead(buffer, out wanted)) return Errno.EFAULT;
        if (ipc.Semaphores.FindId(semid) is not SemaphoreSet set) return Errno.EINVAL;
        if (command is IPC_RMID or IPC_SET)
        {
            var error = set.CheckOwner(thread);
            if (error != Errno.None) return error;
            if (command == IPC_SET)
            {
                set.SetOwner(thread, wanted.sem_perm);
                return 0;
            }

            ipc.Semaphores.Remove(set);
            set.OnRemoved(ipc);
            return 0;
        }

        return Access(thread, set, number, command, argument);
    }

    private static SyscallResult Access(PosixThread thread, SemaphoreSet set, int number, int command, ulong argument)
    {
        var user = thread.Memory.User;
        bool all = command is GETALL or SETALL;
        if (!all && (uint)number >= (uint)set.Values.Length) return Errno.EINVAL;
        if (command == SETVAL && (int)argument is < 0 or > SemaphoreSet.MaximumValue) return Errno.ERANGE;
        var error = set.Check(thread, command is SETVAL or SETALL ? 2u : 4u);
        if (error != Errno.None) return error;
        switch (command)
        {
            case GETPID:
                return set.Pids[number];
            case GETVAL:
                return set.Values[number];
            case GETNCNT or GETZCNT:
                return set.CountWaiting(number, command == GETZCNT);
            case GETALL:
                var bytes = MemoryMarshal.AsBytes<ushort>(set.Values);
                return user.Write(new UserAddress(argument), bytes) == bytes.Length ? 0 : Errno.EFAULT;
            case SETALL:
                var values = new ushort[set.Values.Length];
                if (!user.TryReadArray<ushort>(new UserAddress(argument), values)) return Errno.EFAULT;
                if (Array.Exists(values, value => value > SemaphoreSet.MaximumValue)) return Errno.ERANGE;
                values.CopyTo(set.Values, 0);
                Array.Fill(set.Pids, thread.Process.Pid);
                break;
            default:
                set.Values[number] = (ushort)argument;
                set.Pids[number] = thread.Process.Pid;
                break;
        }

        set.ForgetAdjustments(all ? -1 : number, thread.Kernel.SystemV);
        set.ChangeTime = IpcObject.Now(thread);
        set.Queue.Wake();
        return 0;
    }
}
