using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>futex(2).</summary>
internal static class FutexCalls
{
    private const int FUTEX_PRIVATE_FLAG = 128;
    private const int FUTEX_CLOCK_REALTIME = 256;
    private const uint AnyBit = uint.MaxValue;

    [Syscall(SyscallNumber.futex, Missing = "FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI; priorities are not inherited")]
    internal static SyscallResult Futex(PosixThread thread, UserAddress uaddr, int op, uint val, UserAddress utime, UserAddress uaddr2, uint val3)
    {
        var operation = (FutexOperation)(op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME));
        bool realTime = (op & FUTEX_CLOCK_REALTIME) != 0;
        bool clocked = operation is FutexOperation.FUTEX_WAIT or FutexOperation.FUTEX_WAIT_BITSET or FutexOperation.FUTEX_LOCK_PI2
            or FutexOperation.FUTEX_WAIT_REQUEUE_PI;
        if (realTime && !clocked) return Errno.ENOSYS;
        var place = new Place(thread, uaddr.Value, (op & FUTEX_PRIVATE_FLAG) != 0);
        var other = place with { Address = uaddr2.Value };
        return operation switch
        {
            FutexOperation.FUTEX_WAIT => Wait(place, val, AnyBit, utime, absolute: false, realTime),
            FutexOperation.FUTEX_WAIT_BITSET => Wait(place, val, val3, utime, absolute: true, realTime),
            FutexOperation.FUTEX_WAKE => Wake(place, (int)val, AnyBit),
            FutexOperation.FUTEX_WAKE_BITSET => Wake(place, (int)val, val3),
            FutexOperation.FUTEX_REQUEUE => Requeue(place, other, (int)val, (int)utime.Value, null),
            FutexOperation.FUTEX_CMP_REQUEUE => Requeue(place, other, (int)val, (int)utime.Value, val3),
            FutexOperation.FUTEX_WAKE_OP => WakeOperation(place, other, (int)val, (int)utime.Value, val3),
            FutexOperation.FUTEX_LOCK_PI => Lock(place, utime, realTime: true),
            FutexOperation.FUTEX_LOCK_PI2 => Lock(place, utime, realTime),
            FutexOperation.FUTEX_TRYLOCK_PI => TryLock(place),
            FutexOperation.FUTEX_UNLOCK_PI => Unlock(place),
            _ => Errno.ENOSYS,
        };
    }

    [Syscall(SyscallNumber.set_robust_list)]
    internal static SyscallResult SetRobustList(PosixThread thread, UserAddress head, ulong len)
    {
        if (len != 24) return Errno.EINVAL;
        thread.RobustList = head.Value;
        return 0;
    }

    [Syscall(SyscallNumber.get_robust_list)]
    internal static SyscallResult GetRobustList(PosixThread thread, int pid, UserAddress head_ptr, UserAddress len_ptr)
    {
        var target = pid == 0 ? thread : thread.Kernel.Processes.FindThread(pid);
        if (target is null) return Errno.ESRCH;
        if (target.Process != thread.Process && !thread.Credentials.HasCapability(Capability.CAP_SYS_PTRACE)) return Errno.EPERM;
        var user = thread.Memory.User;
        return user.TryWrite(len_ptr, 24UL) && user.TryWrite(head_ptr, target.RobustList) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.set_tid_address)]
    internal static SyscallResult SetTidAddress(PosixThread thread, UserAddress tidptr)
    {
        thread.ClearChildTid = tidptr.Value;
        return thread.Tid;
    }

    private static SyscallResult Wait(in Place place, uint value, uint bits, UserAddress timeout, bool absolute, bool realTime)
    {
        var thread = place.Thread;
        if (bits == 0) return Errno.EINVAL;
        if (thread is { Resuming: true, ResumeState: FutexWaiter { IsWoken: true } }) return 0;
        if (!thread.Resuming && SetDeadline(thread, timeout, absolute, realTime) is not Errno.None and var bad) return bad;
        var error = place.FindKey(out var key);
        if (error != Errno.None) return error;
        if (!thread.Memory.TryReadWord(place.Address, out int current)) return Errno.EFAULT;
        if (thread is { Resuming: true, TimedOut: true }) return Errno.ETIMEDOUT;
        // Also when it runs again after a signal: a wake-up may have come while it was in no queue.
        if ((uint)current != value) return Errno.EAGAIN;
        if (thread.TimedOut) return Errno.ETIMEDOUT;
        return Enqueue(thread, key, new FutexWaiter(thread, bits));
    }

    private static SyscallResult Enqueue(PosixThread thread, in FutexKey key, FutexWaiter waiter)
    {
        thread.ResumeState = waiter;
        thread.WaitOn(thread.Kernel.Futexes.FindOrAdd(key).Waiters, waiter);
        return thread.Block(thread.Deadline == PosixThread.Never ? RestartKind.ERESTARTSYS : RestartKind.ERESTART_RESTARTBLOCK);
    }

    /// <summary>Sets the deadline of a wait; null waits for ever. EFAULT, EINVAL.</summary>
    internal static Errno SetDeadline(PosixThread thread, UserAddress timeout, bool absolute, bool realTime)
    {
        var error = PollingTimeout.Read(thread, timeout, out long time);
        if (error != Errno.None || time == PollingTimeout.Infinite) return error;
        var kernel = thread.Kernel;
        kernel.Vdso?.RefreshIfStale();
        if (!absolute) thread.WaitUntil(PollingTimeout.DeadlineAfter(kernel, time));
        else if (realTime) thread.WaitUntil(PollingTimeout.DeadlineAfter(kernel, time - kernel.RealtimeNow));
        else thread.WaitUntil(time);
        return Errno.None;
    }

    private static SyscallResult Wake(in Place place, int count, uint bits)
    {
        if (bits == 0) return Errno.EINVAL;
        var error = place.FindKey(out var key);
        if (error != Errno.None) return error;
        // Linux wakes one even if asked for none.
        return place.Thread.Kernel.Futexes.Find(key)?.Wake(Math.Max(count, 1), bits) ?? 0;
    }

    private static SyscallResult Requeue(in Place from, in Place to, int wake, int requeue, uint? expected)
    {
        if (wake < 0 || requeue < 0) return Errno.EINVAL;
        var error = from.FindKey(out var source);
        var target = default(FutexKey);
        if (error == Errno.None) error = to.FindKey(out target);
        if (error != Errno.None) return error;
        if (expected is not null)
        {
            if (!from.Thread.Memory.TryReadWord(from.Address, out int current)) return Errno.EFAULT;
            if ((uint)current != expected) return Errno.EAGAIN;
        }

        var futexes = from.Thread.Kernel.Futexes;
        if (futexes.Find(source) is not { } queue) return 0;
        int count = 0;
        int moved = 0;
        foreach (var waiter in queue.Waiters.Waiters)
        {
            if (waiter is not FutexWaiter { IsLock: false, IsWoken: false } candidate) continue;
            if (count < wake)
            {
                if (candidate.Take()) count++;
                continue;
            }

            if (moved == requeue) break;
            moved++;
            if (source == target) continue;
            queue.Waiters.Remove(candidate);
            futexes.FindOrAdd(target).Waiters.Add(candidate);
        }

        return count + moved;
    }

    private static SyscallResult WakeOperation(in Place first, in Place second, int count, int secondCount, uint encoded)
    {
        var error = first.FindKey(out var firstKey);
        var secondKey = default(FutexKey);
        if (error == Errno.None) error = second.FindKey(out secondKey);
        if (error != Errno.None) return error;
        int operation = (int)(encoded >> 28 & 7);
        int comparison = (int)(encoded >> 24 & 15);
        int argument = (int)(encoded << 8) >> 20;
        int compared = (int)(encoded << 20) >> 20;
        if ((encoded & 0x80000000) != 0) argument = 1 << (argument & 31);
        if (operation > 4 || comparison > 5) return Errno.ENOSYS;
        if (!first.Thread.Memory.TryGetWord(second.Address, out var word)) return Errno.EFAULT;
        int old = Volatile.Read(in word[0]);
        while (true)
        {
            int wanted = operation switch
            {
                0 => argument,
                1 => unchecked(old + argument),
                2 => old | argument,
                3 => old & ~argument,
                _ => old ^ argument,
            };
            int seen = Interlocked.CompareExchange(ref word[0], wanted, old);
            if (seen == old) break;
            old = seen;
        }

        bool holds = comparison switch
        {
            0 => old == compared,
            1 => old != compared,
            2 => old < compared,
            3 => old <= compared,
            4 => old > compared,
            _ => old >= compared,
        };
        var futexes = first.Thread.Kernel.Futexes;
        int woken = futexes.Find(firstKey)?.Wake(Math.Max(count, 1), AnyBit) ?? 0;
        if (holds) woken += futexes.Find(secondKey)?.Wake(Math.Max(secondCount, 1), AnyBit) ?? 0;
        return woken;
    }

    private static SyscallResult Lock(in Place place, UserAddress timeout, bool realTime)
    {
        var thread = place.Thread;
        if (thread is { Resuming: true, ResumeState: FutexWaiter { IsWoken: true } }) return 0;
        if (!thread.Resuming && SetDeadline(thread, timeout, absolute: true, realTime) is not Errno.None and var bad) return bad;
        var error = place.FindKey(out var key);
        if (error != Errno.None) return error;
        if (thread is { Resuming: true, TimedOut: true }) return Errno.ETIMEDOUT;
        error = FutexLocks.TryLock(thread, place.Address, markWaiting: true);
        if (error != Errno.EAGAIN) return error;
        if (thread.TimedOut) return Errno.ETIMEDOUT;
        var waiter = new FutexWaiter(thread, AnyBit, isLock: true, place.Address);
        thread.ResumeState = waiter;
        thread.WaitOn(thread.Kernel.Futexes.FindOrAdd(key).Waiters, waiter);
        // A handler runs, and the lock is tried again: FUTEX_LOCK_PI never returns EINTR.
        return thread.Block(RestartKind.ERESTARTNOINTR);
    }

    private static SyscallResult TryLock(in Place place)
    {
        var error = place.FindKey(out _);
        return error != Errno.None ? error : FutexLocks.TryLock(place.Thread, place.Address, markWaiting: false);
    }

    private static SyscallResult Unlock(in Place place)
    {
        var error = place.FindKey(out var key);
        return error != Errno.None ? error : FutexLocks.Unlock(place.Thread, place.Address, place.Thread.Kernel.Futexes.Find(key));
    }

    /// <summary>A futex as a call names it.</summary>
    internal readonly record struct Place(PosixThread Thread, ulong Address, bool IsPrivate)
    {
        public Errno FindKey(out FutexKey key) => FutexKey.Find(Thread.Memory, Address, IsPrivate, out key);
    }
}
