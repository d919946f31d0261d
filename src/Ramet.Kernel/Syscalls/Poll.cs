using System.Buffers;
using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>poll(2), ppoll(2).</summary>
internal static class PollSyscalls
{
    [Syscall(SyscallNumber.poll)]
    public static SyscallResult Poll(PosixThread thread, UserAddress fds, uint count, int timeout) =>
        Poll(thread, fds, count, PollingTimeout.FromMilliseconds(timeout), RestartKind.ERESTART_RESTARTBLOCK);

    [Syscall(SyscallNumber.ppoll)]
    public static SyscallResult Ppoll(PosixThread thread, UserAddress fds, uint count, UserAddress timeout, UserAddress mask, ulong maskSize)
    {
        // A resumed call has its deadline; the memory may hold what is left of the time by now.
        long nanoseconds = PollingTimeout.Infinite;
        if (!thread.Resuming || thread.Deadline == PosixThread.Never)
        {
            var error = PollingTimeout.Read(thread, timeout, out nanoseconds);
            if (error != Errno.None) return error;
        }

        var masked = Polling.SetMask(thread, mask, maskSize);
        if (masked != Errno.None) return masked;

        var result = Poll(thread, fds, count, nanoseconds, RestartKind.ERESTARTNOHAND);
        if (result.IsBlocked || timeout.IsNull || result.Error is Errno.EINVAL or Errno.EFAULT) return result;

        // The raw system call says how much time is left; failure to store it is no error (fs/select.c, poll_select_finish).
        long left = thread.Deadline == PosixThread.Never ? nanoseconds : PollingTimeout.Left(thread);
        thread.Memory.User.TryWrite(timeout, PollingTimeout.ToTimespec(left));
        return result;
    }

    private static SyscallResult Poll(PosixThread thread, UserAddress address, uint count, long timeout, RestartKind restart)
    {
        if (count > thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_NOFILE) || count > Polling.MaximumDescriptors) return Errno.EINVAL;
        var rented = ArrayPool<PollFd>.Shared.Rent((int)count);
        try
        {
            var fds = rented.AsSpan(0, (int)count);
            if (!thread.Memory.User.TryReadArray(address, fds)) return Errno.EFAULT;

            int ready = 0;
            foreach (ref var entry in fds)
            {
                entry.revents = (ushort)Look(thread, entry);
                if (entry.revents != 0) ready++;
            }

            if (ready == 0)
            {
                var end = Polling.End(thread, timeout, restart);
                if (end is null)
                {
                    foreach (var entry in fds)
                    {
                        if (entry.fd < 0 || thread.Files.Get(entry.fd) is not { } description) continue;
                        if (!Polling.TryWait(thread, description, (PollEvents)entry.events)) return Polling.GiveUp(thread);
                    }

                    return thread.Block(restart);
                }

                if (end.Value.Value != 0) return end.Value;
            }

            var bytes = MemoryMarshal.AsBytes(fds);
            return thread.Memory.User.Write(address, bytes) == bytes.Length ? ready : Errno.EFAULT;
        }
        finally
        {
            ArrayPool<PollFd>.Shared.Return(rented);
        }
    }

    private static PollEvents Look(PosixThread thread, PollFd entry)
    {
        if (entry.fd < 0) return PollEvents.None;
        return thread.Files.Get(entry.fd) is { } description ? Polling.Look(description, (PollEvents)entry.events) : PollEvents.POLLNVAL;
    }
}
