using Ramet.Kernel.Memory;

namespace Ramet.Kernel.Processes;

/// <summary>What the kernel settles in the program's memory when a thread ends (set_robust_list(2), set_tid_address(2)).</summary>
public sealed partial class PosixThread
{
    /// <summary>Bounds the walk of a list that a hostile program has tied into a ring (ROBUST_LIST_LIMIT).</summary>
    private const int RobustListLimit = 2048;

    private void ClearChildTidAndWake()
    {
        ulong address = ClearChildTid;
        ClearChildTid = 0;
        // As on Linux: nobody is left to look, so memory that is about to go is not touched.
        if (address == 0 || !IsMemoryShared()) return;
        if (!Memory.User.TryWrite(new UserAddress(address), 0)) return;
        if (FutexKey.Find(Memory, address, isPrivate: false, out var key) == Errno.None) Kernel.Futexes.Find(key)?.Wake(1, uint.MaxValue);
    }

    private bool IsMemoryShared()
    {
        if (Process.Threads.Count > 1) return true;
        foreach (var process in Kernel.Processes.All)
        {
            if (process != Process && process.Leader?.Memory == Memory) return true;
        }

        return false;
    }

    /// <summary>Robust mutexes that the thread holds are marked FUTEX_OWNER_DIED, and one waiter of each is woken.</summary>
    private void ExitRobustList()
    {
        FutexLocks.ReleaseAll(this);
        ulong list = RobustList;
        RobustList = 0;
        if (list == 0 || !Memory.User.TryRead(new UserAddress(list), out RobustListHead head)) return;
        ulong pending = head.list_op_pending & ~1UL;
        ulong entry = head.list;
        for (int count = 0; count < RobustListLimit && (entry & ~1UL) != list; count++)
        {
            ulong node = entry & ~1UL;
            bool isLock = (entry & 1) != 0;
            // The next entry is read first: the owner of a woken mutex may unlink this one.
            bool more = Memory.User.TryRead(new UserAddress(node), out ulong next);
            if (node != pending && !OnOwnerDied(unchecked(node + (ulong)head.futex_offset), isLock, isPending: false)) return;
            if (!more) return;
            entry = next;
        }

        if (pending != 0) OnOwnerDied(unchecked(pending + (ulong)head.futex_offset), (head.list_op_pending & 1) != 0, isPending: true);
    }

    /// <summary>Marks one mutex. False: the list leads to an address that does not work.</summary>
    private bool OnOwnerDied(ulong address, bool isLock, bool isPending)
    {
        if (!Memory.TryReadWord(address, out int value)) return false;
        if ((value & FutexLocks.FUTEX_TID_MASK) != Tid)
        {
            // Died between unlocking and waking: somebody must hear of it.
            if (isPending && !isLock && value == 0) Wake(address);
            return true;
        }

        if (!Memory.TryGetWord(address, out var word)) return false;
        while (true)
        {
            int wanted = (value & FutexLocks.FUTEX_WAITERS) | FutexLocks.FUTEX_OWNER_DIED;
            int seen = Interlocked.CompareExchange(ref word[0], wanted, value);
            if (seen == value) break;
            value = seen;
            if ((value & FutexLocks.FUTEX_TID_MASK) != Tid) return true;
        }

        if (!isLock && (value & FutexLocks.FUTEX_WAITERS) != 0) Wake(address);
        return true;

        void Wake(ulong at)
        {
            if (FutexKey.Find(Memory, at, isPrivate: false, out var key) == Errno.None) Kernel.Futexes.Find(key)?.Wake(1, uint.MaxValue);
        }
    }
}
