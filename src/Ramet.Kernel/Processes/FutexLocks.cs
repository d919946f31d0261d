using Ramet.Kernel.Memory;

namespace Ramet.Kernel.Processes;

/// <summary>
/// Locks of FUTEX_LOCK_PI: the word holds the owner's thread id, and the kernel hands the lock over. Priorities are not inherited: all threads get equal turns, so
/// there is nothing to inherit.
/// </summary>
internal static class FutexLocks
{
    public const int FUTEX_WAITERS = unchecked((int)0x80000000);
    public const int FUTEX_OWNER_DIED = 0x40000000;
    public const int FUTEX_TID_MASK = 0x3fffffff;

    /// <summary>
    /// Takes the lock if it is free; otherwise notes in the word that somebody waits. EAGAIN: it is taken. EDEADLK: by the thread itself. ESRCH: by a thread
    /// that does not exist.
    /// </summary>
    public static Errno TryLock(PosixThread thread, ulong address, bool markWaiting)
    {
        if (!thread.Memory.TryGetWord(address, out var word)) return Errno.EFAULT;
        while (true)
        {
            int value = Volatile.Read(in word[0]);
            int owner = value & FUTEX_TID_MASK;
            if (owner == thread.Tid) return Errno.EDEADLK;
            int wanted;
            if (owner == 0)
            {
                // Others may wait although nobody owns it: one of them died and was handed nothing.
                wanted = thread.Tid | (value & (FUTEX_WAITERS | FUTEX_OWNER_DIED));
            }
            else if (!markWaiting)
            {
                return Errno.EAGAIN;
            }
            else if (thread.Kernel.Processes.FindThread(owner) is null)
            {
                return Errno.ESRCH;
            }
            else
            {
                wanted = value | FUTEX_WAITERS;
            }

            if (Interlocked.CompareExchange(ref word[0], wanted, value) == value) return owner == 0 ? Errno.None : Errno.EAGAIN;
        }
    }

    /// <summary>Hands the lock to the thread that has waited longest, or frees it. EPERM: the caller does not own it.</summary>
    public static Errno Unlock(PosixThread thread, ulong address, FutexQueue? queue)
    {
        if (!thread.Memory.TryGetWord(address, out var word)) return Errno.EFAULT;
        return (Volatile.Read(in word[0]) & FUTEX_TID_MASK) != thread.Tid ? Errno.EPERM : HandOver(word, queue, 0);
    }

    /// <summary>A thread ends: locks that it owns and others wait for go to one of them, marked FUTEX_OWNER_DIED.</summary>
    public static void ReleaseAll(PosixThread thread)
    {
        if (thread.Kernel.Futexes.Count == 0) return;
        foreach (var queue in thread.Kernel.Futexes.Waiting)
        {
            if (queue.Waiters.Waiters.FirstOrDefault() is not FutexWaiter { IsLock: true } first) continue;
            if (!first.Thread.Memory.TryGetWord(first.Address, out var word) || (word[0] & FUTEX_TID_MASK) != thread.Tid) continue;
            HandOver(word, queue, FUTEX_OWNER_DIED);
        }
    }

    private static Errno HandOver(Span<int> word, FutexQueue? queue, int mark)
    {
        FutexWaiter? next = null;
        int waiting = 0;
        foreach (var waiter in queue?.Waiters.Waiters ?? [])
        {
            if (waiter is not FutexWaiter { IsLock: true, IsWoken: false } candidate || candidate.Thread.State == ThreadState.Dead) continue;
            if (next is null) next = candidate;
            else waiting = FUTEX_WAITERS;
        }

        Volatile.Write(ref word[0], next is null ? mark : next.Thread.Tid | waiting | mark);
        next?.Take();
        return Errno.None;
    }
}
