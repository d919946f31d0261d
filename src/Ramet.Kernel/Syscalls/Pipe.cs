using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Pipes;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>pipe(2), pipe2(2).</summary>
internal static class PipeSyscalls
{
    [Syscall(SyscallNumber.pipe)]
    public static SyscallResult Pipe(PosixThread thread, UserAddress fds) => Pipe2(thread, fds, 0);

    [Syscall(SyscallNumber.pipe2)]
    public static SyscallResult Pipe2(PosixThread thread, UserAddress fds, OpenFlags flags)
    {
        if ((flags & ~(OpenFlags.O_CLOEXEC | OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT)) != 0) return Errno.EINVAL;
        var (reader, writer) = PipeEnd.CreatePair(thread.Kernel, flags, thread);
        return DescriptorPair.Install(thread, reader, writer, fds, (flags & OpenFlags.O_CLOEXEC) != 0);
    }
}
