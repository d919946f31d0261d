using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>process_vm_readv(2), process_vm_writev(2), and calls about what is not there: quotactl(2), ustat(2).</summary>
internal static class ProcessMemoryCalls
{
    private const ulong MaxVectors = 1024;
    private const int Chunk = 16384;

    [Syscall(SyscallNumber.process_vm_readv)]
    internal static SyscallResult ProcessVmReadV(
        PosixThread thread, int pid, UserAddress local, ulong localCount, UserAddress remote, ulong remoteCount, ulong flags) =>
        Transfer(thread, pid, local, localCount, remote, remoteCount, flags, write: false);

    [Syscall(SyscallNumber.process_vm_writev)]
    internal static SyscallResult ProcessVmWriteV(
        PosixThread thread, int pid, UserAddress local, ulong localCount, UserAddress remote, ulong remoteCount, ulong flags) =>
        Transfer(thread, pid, local, localCount, remote, remoteCount, flags, write: true);

    [Syscall(SyscallNumber.quotactl, Missing = "there are no quotas: ESRCH")]
    internal static SyscallResult QuotaCtl(PosixThread thread, uint command, UserAddress special, int id, UserAddress address) =>
        thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN) ? Errno.ESRCH : Errno.EPERM;

    [Syscall(SyscallNumber.quotactl_fd, Missing = "there are no quotas: ESRCH")]
    internal static SyscallResult QuotaCtlFd(PosixThread thread, int fd, uint command, int id, UserAddress address)
    {
        if (thread.Files.Get(fd) is null) return Errno.EBADF;
        return thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN) ? Errno.ESRCH : Errno.EPERM;
    }

    [Syscall(SyscallNumber.ustat)]
    internal static SyscallResult UStat(PosixThread thread, uint device, UserAddress buffer)
    {
        // Only mounted file systems count; the root's and the working directory's are looked at, which is all that this obsolete call is used for.
        var found = ((FileSystem[])[thread.FileSystem.Root.Inode.FileSystem, thread.FileSystem.WorkingDirectory.Inode.FileSystem])
            .FirstOrDefault(each => (uint)each.DeviceId == device);
        if (found is null) return Errno.EINVAL;
        var statistics = found.GetStatistics();
        Span<byte> bytes = stackalloc byte[32];
        bytes.Clear();
        BitConverter.TryWriteBytes(bytes, (int)Math.Min(statistics.f_bfree, int.MaxValue));
        BitConverter.TryWriteBytes(bytes[8..], statistics.f_ffree);
        return thread.Memory.User.Write(buffer, bytes) == bytes.Length ? 0 : Errno.EFAULT;
    }

    private static SyscallResult Transfer(
        PosixThread thread, int pid, UserAddress local, ulong localCount, UserAddress remote, ulong remoteCount, ulong flags, bool write)
    {
        if (flags != 0 || localCount > MaxVectors || remoteCount > MaxVectors) return Errno.EINVAL;
        var mine = new IoVector[localCount];
        var theirs = new IoVector[remoteCount];
        var error = ReadWrite.ReadVectors(thread, local, mine);
        if (error == Errno.None) error = ReadWrite.ReadVectors(thread, remote, theirs);
        if (error != Errno.None) return error;
        var near = new IoBuffer(thread.Memory.User, mine);
        if (near.Remaining == 0) return 0;
        var target = thread.Kernel.Processes.FindThread(pid) ?? thread.Kernel.Processes.FindProcess(pid)?.Leader;
        if (target is null) return Errno.ESRCH;
        if (!Permissions.MayTrace(thread, target)) return Errno.EPERM;
        var far = new IoBuffer(target.Memory.User, theirs);

        // The kernel's lock is held meanwhile; programs call again for the rest, as partial transfers are allowed.
        const long MaxPerCall = 64 << 20;
        byte[] bytes = new byte[Chunk];
        long done = 0;
        while (done < MaxPerCall && near.Remaining > 0 && far.Remaining > 0)
        {
            int wanted = (int)Math.Min(Math.Min(near.Remaining, far.Remaining), Chunk);
            int got = write ? near.CopyTo(bytes.AsSpan(0, wanted)) : far.CopyTo(bytes.AsSpan(0, wanted));
            int put = got == 0 ? 0 : write ? far.CopyFrom(bytes.AsSpan(0, got)) : near.CopyFrom(bytes.AsSpan(0, got));
            done += put;
            if (put < wanted) break;
        }

        return done > 0 || far.Length == 0 ? done : Errno.EFAULT;
    }
}
