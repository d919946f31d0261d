using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Process, group and session ids.</summary>
internal static class ProcessIds
{
    [Syscall(SyscallNumber.getpid)]
    internal static SyscallResult Getpid(PosixThread thread) => thread.Process.Pid;

    [Syscall(SyscallNumber.gettid)]
    internal static SyscallResult Gettid(PosixThread thread) => thread.Tid;

    [Syscall(SyscallNumber.getppid)]
    internal static SyscallResult Getppid(PosixThread thread) => thread.Process.Parent?.Pid ?? 0;

    [Syscall(SyscallNumber.getpgrp)]
    internal static SyscallResult Getpgrp(PosixThread thread) => thread.Process.ProcessGroup;

    [Syscall(SyscallNumber.getpgid)]
    internal static SyscallResult Getpgid(PosixThread thread, int pid)
    {
        var process = pid == 0 ? thread.Process : thread.Kernel.Processes.FindProcess(pid);
        return process is null ? Errno.ESRCH : process.ProcessGroup;
    }

    [Syscall(SyscallNumber.getsid)]
    internal static SyscallResult Getsid(PosixThread thread, int pid)
    {
        var process = pid == 0 ? thread.Process : thread.Kernel.Processes.FindProcess(pid);
        return process is null ? Errno.ESRCH : process.Session;
    }

    [Syscall(SyscallNumber.setpgid)]
    internal static SyscallResult Setpgid(PosixThread thread, int pid, int pgid)
    {
        var self = thread.Process;
        if (pgid < 0) return Errno.EINVAL;
        var process = pid == 0 ? self : thread.Kernel.Processes.FindProcess(pid);
        if (process is null || (process != self && process.Parent != self)) return Errno.ESRCH;
        if (process.Session == process.Pid) return Errno.EPERM;
        if (process != self && process.Session != self.Session) return Errno.EPERM;
        if (process != self && process.HasExecuted) return Errno.EACCES;
        int group = pgid == 0 ? process.Pid : pgid;
        if (group != process.Pid && !thread.Kernel.Processes.InGroup(group).Any(member => member.Session == self.Session)) return Errno.EPERM;
        process.ProcessGroup = group;
        return 0;
    }

    [Syscall(SyscallNumber.setsid)]
    internal static SyscallResult Setsid(PosixThread thread)
    {
        var self = thread.Process;
        if (thread.Kernel.Processes.InGroup(self.Pid).Any()) return Errno.EPERM;
        self.ControllingTerminal = null;
        self.LostForegroundGroup = 0;
        self.Session = self.ProcessGroup = self.Pid;
        return self.Pid;
    }

    [Syscall(SyscallNumber.vhangup)]
    internal static SyscallResult Vhangup(PosixThread thread)
    {
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_TTY_CONFIG)) return Errno.EPERM;
        thread.Process.ControllingTerminal?.HangUp();
        return 0;
    }
}
