using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>select(2), pselect6(2).</summary>
internal static class SelectSyscalls
{
    // What each of the three sets asks for (fs/select.c).
    private const PollEvents ReadSet = Readiness.In | PollEvents.POLLRDBAND | PollEvents.POLLHUP | PollEvents.POLLERR;
    private const PollEvents WriteSet = Readiness.Out | PollEvents.POLLWRBAND | PollEvents.POLLERR;
    private const PollEvents ExceptSet = PollEvents.POLLPRI;

    [Syscall(SyscallNumber.select)]
    public static SyscallResult Select(PosixThread thread, int count, UserAddress reads, UserAddress writes, UserAddress excepts, UserAddress timeout)
    {
        long nanoseconds = PollingTimeout.Infinite;
        if (!timeout.IsNull && thread.Deadline == PosixThread.Never)
        {
            if (!thread.Memory.User.TryRead(timeout, out Timeval time)) return Errno.EFAULT;
            if (!PollingTimeout.TryConvert(time, out nanoseconds)) return Errno.EINVAL;
        }

        var result = Select(thread, count, reads, writes, excepts, nanoseconds);
        if (Finished(result, timeout)) thread.Memory.User.TryWrite(timeout, PollingTimeout.ToTimeval(Left(thread, nanoseconds)));
        return result;
    }

    [Syscall(SyscallNumber.pselect6)]
    public static SyscallResult Pselect6(
        PosixThread thread, int count, UserAddress reads, UserAddress writes, UserAddress excepts, UserAddress timeout, UserAddress mask)
    {
        long nanoseconds = PollingTimeout.Infinite;
        if (thread.Deadline == PosixThread.Never)
        {
            var error = PollingTimeout.Read(thread, timeout, out nanoseconds);
            if (error != Errno.None) return error;
        }

        if (!mask.IsNull)
        {
            if (!thread.Memory.User.TryRead(mask, out PselectMask argument)) return Errno.EFAULT;
            var masked = Polling.SetMask(thread, new UserAddress(argument.ss), argument.ss_len);
            if (masked != Errno.None) return masked;
        }

        var result = Select(thread, count, reads, writes, excepts, nanoseconds);
        if (Finished(result, timeout)) thread.Memory.User.TryWrite(timeout, PollingTimeout.ToTimespec(Left(thread, nanoseconds)));
        return result;
    }

    private static bool Finished(SyscallResult result, UserAddress timeout) =>
        !result.IsBlocked && !timeout.IsNull && result.Error is not (Errno.EINVAL or Errno.EFAULT or Errno.EBADF);

    private static long Left(PosixThread thread, long timeout) => thread.Deadline == PosixThread.Never ? timeout : PollingTimeout.Left(thread);

    private static SyscallResult Select(PosixThread thread, int count, UserAddress reads, UserAddress writes, UserAddress excepts, long timeout)
    {
        if (count < 0) return Errno.EINVAL;
        int words = (Math.Min(count, Polling.MaximumDescriptors) + 63) / 64;
        count = Math.Min(count, Polling.MaximumDescriptors);
        var rented = ArrayPool<ulong>.Shared.Rent(words * 6);
        try
        {
            // Three sets asked for, then three sets of answers.
            var sets = rented.AsSpan(0, words * 6);
            sets.Clear();
            if (!ReadSetFrom(thread, reads, sets[..words], count) || !ReadSetFrom(thread, writes, sets[words..(words * 2)], count)
                || !ReadSetFrom(thread, excepts, sets[(words * 2)..(words * 3)], count))
            {
                return Errno.EFAULT;
            }

            int ready = Look(thread, sets, words);
            if (ready < 0) return Errno.EBADF;
            if (ready == 0)
            {
                var end = Polling.End(thread, timeout, RestartKind.ERESTARTNOHAND);
                if (end is null)
                {
                    if (!TryWait(thread, sets, words)) return Polling.GiveUp(thread);
                    return thread.Block(RestartKind.ERESTARTNOHAND);
                }

                if (end.Value.Value != 0) return end.Value;
            }

            return WriteSetTo(thread, reads, sets[(words * 3)..(words * 4)]) && WriteSetTo(thread, writes, sets[(words * 4)..(words * 5)])
                && WriteSetTo(thread, excepts, sets[(words * 5)..]) ? ready : Errno.EFAULT;
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(rented);
        }
    }

    private static bool ReadSetFrom(PosixThread thread, UserAddress address, Span<ulong> set, int count)
    {
        if (address.IsNull || set.IsEmpty) return true;
        if (!thread.Memory.User.TryReadArray(address, set)) return false;
        if (count % 64 != 0) set[^1] &= (1UL << (count % 64)) - 1;
        return true;
    }

    private static bool WriteSetTo(PosixThread thread, UserAddress address, Span<ulong> set)
    {
        var bytes = MemoryMarshal.AsBytes(set);
        return address.IsNull || thread.Memory.User.Write(address, bytes) == bytes.Length;
    }

    private static PollEvents Wanted(Span<ulong> sets, int words, int word, int bit) =>
        ((sets[word] >> bit & 1) != 0 ? ReadSet : 0)
        | ((sets[words + word] >> bit & 1) != 0 ? WriteSet : 0)
        | ((sets[words * 2 + word] >> bit & 1) != 0 ? ExceptSet : 0);

    /// <summary>Fills the answers. Returns how many bits are set in them, or -1 when a descriptor is not open.</summary>
    private static int Look(PosixThread thread, Span<ulong> sets, int words)
    {
        int ready = 0;
        for (int word = 0; word < words; word++)
        {
            for (ulong any = sets[word] | sets[words + word] | sets[words * 2 + word]; any != 0; any &= any - 1)
            {
                int bit = BitOperations.TrailingZeroCount(any);
                if (thread.Files.Get(word * 64 + bit) is not { } description) return -1;
                var wanted = Wanted(sets, words, word, bit);
                var events = description.Poll();
                for (int set = 0; set < 3; set++)
                {
                    var mask = set switch { 0 => ReadSet, 1 => WriteSet, _ => ExceptSet };
                    if ((wanted & mask) == 0 || (sets[words * set + word] >> bit & 1) == 0 || (events & mask) == 0) continue;
                    sets[words * (3 + set) + word] |= 1UL << bit;
                    ready++;
                }
            }
        }

        return ready;
    }

    private static bool TryWait(PosixThread thread, Span<ulong> sets, int words)
    {
        for (int word = 0; word < words; word++)
        {
            for (ulong any = sets[word] | sets[words + word] | sets[words * 2 + word]; any != 0; any &= any - 1)
            {
                int bit = BitOperations.TrailingZeroCount(any);
                if (thread.Files.Get(word * 64 + bit) is not { } description) continue;
                if (!Polling.TryWait(thread, description, Wanted(sets, words, word, bit))) return false;
            }
        }

        return true;
    }
}
