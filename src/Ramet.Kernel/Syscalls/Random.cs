using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>getrandom(2).</summary>
internal static class RandomCalls
{
    private const int Piece = 256;
    private const ulong MaxCount = 0x7FFFF000;

    [Syscall(SyscallNumber.getrandom)]
    internal static SyscallResult Getrandom(PosixThread thread, [Out] UserAddress buf, ulong buflen, RandomFlags flags)
    {
        const RandomFlags Exclusive = RandomFlags.GRND_RANDOM | RandomFlags.GRND_INSECURE;
        if ((flags & ~(RandomFlags.GRND_NONBLOCK | Exclusive)) != 0 || (flags & Exclusive) == Exclusive) return Errno.EINVAL;
        buflen = Math.Min(buflen, MaxCount);
        Span<byte> bytes = stackalloc byte[Piece];
        ulong done = 0;
        while (done < buflen)
        {
            var piece = bytes[..(int)Math.Min(buflen - done, Piece)];
            thread.Kernel.Random.Fill(piece);
            int written = thread.Memory.User.Write(buf + (long)done, piece);
            done += (ulong)written;
            if (written < piece.Length) return done == 0 ? Errno.EFAULT : (long)done;
            // A request for gigabytes must not hold the sandbox's lock: like an interrupted one it comes back short.
            if (done >= 1 << 20) break;
        }

        return (long)done;
    }
}
