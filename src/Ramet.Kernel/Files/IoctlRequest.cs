using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>Requests of ioctl(2) that more than one kind of file answers (include/uapi/asm-generic/ioctls.h).</summary>
internal static class IoctlRequest
{
    public const uint TCGETS = 0x5401;
    public const uint TIOCOUTQ = 0x5411;
    public const uint FIONREAD = 0x541B;
    public const uint SIOCATMARK = 0x8905;

    /// <summary>Stores an int where the argument points.</summary>
    public static SyscallResult PutInt32(PosixThread thread, ulong argument, int value) =>
        thread.Memory.User.TryWrite(new UserAddress(argument), value) ? 0 : Errno.EFAULT;
}
