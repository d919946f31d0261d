using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Processes as file descriptors.</summary>
internal static class PidFdCalls
{
    [Syscall(SyscallNumber.pidfd_open, Missing = "PIDFD_THREAD")]
    internal static SyscallResult PidFdOpen(PosixThread thread, int pid, OpenFlags flags)
    {
        if ((flags & ~OpenFlags.O_NONBLOCK) != 0 || pid <= 0) return Errno.EINVAL;
        var process = thread.Kernel.Processes.FindProcess(pid);
        // The id of a thread that leads no process (Linux before 6.9: EINVAL).
        if (process is null) return thread.Kernel.Processes.FindThread(pid) is null ? Errno.ESRCH : Errno.EINVAL;
        return DescriptorPair.InstallOne(thread, new PidFd(thread.Kernel, process, flags), closeOnExec: true);
    }

    [Syscall(SyscallNumber.pidfd_send_signal)]
    internal static SyscallResult PidFdSendSignal(PosixThread thread, int pidfd, int sig, UserAddress info, uint flags)
    {
        if (flags != 0) return Errno.EINVAL;
        // A directory of /proc stands for its process as well.
        var file = thread.Files.Get(pidfd);
        var process = (file as PidFd)?.Process;
        if (process is null)
        {
            if (file is not DirectoryDescription { Inode: FileSystems.Proc.ProcTaskDirectory { Task: { Tid: 0 } task } }) return Errno.EBADF;
            process = task.FindProcess(thread.Kernel);
        }

        if (process is null || process.IsReaped) return Errno.ESRCH;
        if (!info.IsNull)
        {
            // Unlike rt_sigqueueinfo, the signal has to be named twice.
            if (!thread.Memory.User.TryRead(info, out int number)) return Errno.EFAULT;
            if (number != sig) return Errno.EINVAL;
        }

        return info.IsNull
            ? SignalCalls.Kill(thread, process.Pid, sig)
            : SignalCalls.RtSigqueueinfo(thread, process.Pid, sig, info);
    }

    [Syscall(SyscallNumber.pidfd_getfd)]
    internal static SyscallResult PidFdGetFd(PosixThread thread, int pidfd, int targetfd, uint flags)
    {
        if (flags != 0) return Errno.EINVAL;
        if (thread.Files.Get(pidfd) is not PidFd description) return Errno.EBADF;
        if (description.Process.Leader is not { } leader) return Errno.ESRCH;
        if (!Permissions.MayTrace(thread, leader)) return Errno.EPERM;
        return leader.Files.Get(targetfd) is { } wanted
            ? DescriptorPair.InstallOne(thread, wanted.AddReference(), closeOnExec: true)
            : Errno.EBADF;
    }
}
