using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Tests.Generators;

/// <summary>Handlers from which the generator makes a table for the tests. They answer with what they were called with.</summary>
internal static class SampleHandlers
{
    [ThreadStatic]
    internal static object?[]? Last;

    private static SyscallResult Keep(params object?[] arguments)
    {
        Last = arguments;
        return arguments.Length;
    }

    [Syscall(SyscallNumber.openat)]
    internal static SyscallResult OpenAt(PosixThread thread, int dirfd, UserPath path, OpenFlags flags, InodeMode mode) => Keep(dirfd, path, flags, mode);

    [Syscall(SyscallNumber.read)]
    internal static SyscallResult Read(PosixThread thread, int fd, [Out] UserAddress buffer, ulong count) => Keep(fd, buffer, count);

    [Syscall(SyscallNumber.write, Missing = "everything | all of it")]
    internal static SyscallResult Write(PosixThread thread, int fd, [In("count")] UserAddress buffer, ulong count) => Keep(fd, buffer, count);

    [Syscall(SyscallNumber.getpid)]
    [Syscall(SyscallNumber.gettid)]
    internal static SyscallResult GetPid(PosixThread thread) => Keep();

    [Syscall(SyscallNumber.mmap)]
    internal static SyscallResult Mmap(PosixThread thread, UserAddress address, ulong length, uint protection, SampleEnum kind, long offset, SampleByte last) =>
        Keep(address, length, protection, kind, offset, last);

    [Syscall(SyscallNumber.exit_group)]
    internal static SyscallResult ExitGroup(PosixThread thread, int status) => SyscallResult.NoReturn;
}

internal enum SampleEnum : long
{
    SEEK_SET = 0,
    SEEK_CUR = 1,
    SEEK_LOW = -1,
}

[Flags]
internal enum SampleByte : byte
{
    None = 0,
    ONE = 1,
    TWO = 2,
    HIGH = 0x80,
}
