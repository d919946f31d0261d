using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>futex_waitv(2).</summary>
internal static class FutexVectorCalls
{
    private const int MaxFutexes = 128;
    private const uint FUTEX_32 = 2;
    private const uint FUTEX_PRIVATE = 128;

    [Syscall(SyscallNumber.futex_waitv)]
    internal static SyscallResult FutexWaitv(PosixThread thread, UserAddress waiters, uint nr_futexes, uint flags, UserAddress timeout, ClockId clockid)
    {
        if (flags != 0 || nr_futexes is 0 or > MaxFutexes || waiters.IsNull) return Errno.EINVAL;
        if (!timeout.IsNull && clockid is not (ClockId.CLOCK_MONOTONIC or ClockId.CLOCK_REALTIME)) return Errno.EINVAL;
        if (thread is { Resuming: true, ResumeState: FutexWaiterSet earlier })
        {
            int woken = earlier.Waiters.FindIndex(waiter => waiter.IsWoken);
            if (woken >= 0) return woken;
        }
        else if (FutexCalls.SetDeadline(thread, timeout, absolute: true, clockid == ClockId.CLOCK_REALTIME) is not Errno.None and var bad)
        {
            return bad;
        }

        var vector = new FutexWaitV[nr_futexes];
        if (!thread.Memory.User.TryReadArray(waiters, vector.AsSpan())) return Errno.EFAULT;
        var keys = new FutexKey[nr_futexes];
        for (int i = 0; i < vector.Length; i++)
        {
            var wait = vector[i];
            if ((wait.flags & ~FUTEX_PRIVATE) != FUTEX_32 || wait.__reserved != 0) return Errno.EINVAL;
            var error = FutexKey.Find(thread.Memory, wait.uaddr, (wait.flags & FUTEX_PRIVATE) != 0, out keys[i]);
            if (error != Errno.None) return error;
            if (!thread.Memory.TryReadWord(wait.uaddr, out int current)) return Errno.EFAULT;
            if ((uint)current != wait.val) return Errno.EAGAIN;
        }

        if (thread.TimedOut) return Errno.ETIMEDOUT;
        var set = new FutexWaiterSet();
        thread.ResumeState = set;
        foreach (var key in keys)
        {
            var waiter = new FutexWaiter(thread, uint.MaxValue);
            set.Waiters.Add(waiter);
            thread.WaitOn(thread.Kernel.Futexes.FindOrAdd(key).Waiters, waiter);
        }

        return thread.Block(RestartKind.ERESTARTSYS);
    }
}
