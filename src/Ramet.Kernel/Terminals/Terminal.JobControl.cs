using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>Sessions, controlling terminals and the foreground group (credentials(7), "Sessions and process groups"; tty_ioctl(4)).</summary>
public sealed partial class Terminal
{
    /// <summary>
    /// Whether a process may do this to its controlling terminal. One in the background gets <paramref name="signal"/> for its whole group; when that would
    /// lead nowhere the answer is EIO for reads, and writes go through.
    /// </summary>
    internal SyscallResult CheckForeground(PosixThread thread, int signal)
    {
        var process = thread.Process;
        if (process.ControllingTerminal != this || ForegroundGroup == 0 || process.ProcessGroup == ForegroundGroup) return 0;
        bool ignored = (thread.SignalMask & Signal.Bit(signal)) != 0 || process.Handlers[signal].Handler == SignalAction.Ignore;
        if (ignored) return signal == Signal.SIGTTIN ? Errno.EIO : Errno.None;
        if (process.IsInOrphanedGroup()) return Errno.EIO;
        SignalGroup(Kernel, process.ProcessGroup, signal);
        return SyscallResult.Restart(RestartKind.ERESTARTSYS);
    }

    /// <summary>open(2) without O_NOCTTY: a session leader that has none takes a terminal that is nobody's.</summary>
    internal void AcquireOnOpen(Process process)
    {
        if (process.Session == process.Pid && process.ControllingTerminal is null && Session == 0) Acquire(process);
    }

    /// <summary>TIOCSCTTY.</summary>
    internal Errno Acquire(PosixThread thread, bool canRead, bool steal)
    {
        var process = thread.Process;
        bool isLeader = process.Session == process.Pid;
        if (isLeader && Session == process.Session) return Errno.None;
        if (!isLeader || process.ControllingTerminal is not null) return Errno.EPERM;
        bool privileged = thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN);
        if (Session != 0 && !(steal && privileged)) return Errno.EPERM;
        if (!canRead && !privileged) return Errno.EPERM;
        if (Session != 0) LeaveSession(Session);
        Acquire(process);
        return Errno.None;
    }

    /// <summary>TIOCNOTTY: a process gives its controlling terminal up; if it leads the session, all do, and the foreground group is told.</summary>
    internal static void GiveUp(Process process)
    {
        if (process.ControllingTerminal is { } terminal && process.Session == process.Pid) terminal.Disassociate(process, onExit: false);
        process.ControllingTerminal = null;
    }

    /// <summary>A process has ended. That of a session leader ends the session's hold on the terminal.</summary>
    internal static void OnProcessEnded(Process process)
    {
        if (process.Session == process.Pid)
        {
            if (process.ControllingTerminal is { } terminal)
            {
                terminal.Disassociate(process, onExit: true);
            }
            else if (process.LostForegroundGroup != 0)
            {
                SignalGroup(process.Kernel, process.LostForegroundGroup, Signal.SIGHUP);
                SignalGroup(process.Kernel, process.LostForegroundGroup, Signal.SIGCONT);
            }
        }

        process.ControllingTerminal = null;
    }

    /// <summary>A signal of the kernel's to all of a group.</summary>
    internal static void SignalGroup(Kernel kernel, int group, int signal)
    {
        foreach (var process in kernel.Processes.InGroup(group).ToArray()) process.SendSignal(signal);
    }

    /// <summary>TIOCSPGRP.</summary>
    internal SyscallResult SetForeground(PosixThread thread, int group)
    {
        var process = thread.Process;
        if (group < 0) return Errno.EINVAL;
        if (process.ControllingTerminal != this || Session != process.Session) return Errno.ENOTTY;
        var member = Kernel.Processes.InGroup(group).FirstOrDefault();
        if (member is null) return Errno.ESRCH;
        if (member.Session != process.Session) return Errno.EPERM;
        ForegroundGroup = group;
        return 0;
    }

    internal void SignalForeground(int signal)
    {
        if (ForegroundGroup != 0) SignalGroup(Kernel, ForegroundGroup, signal);
    }

    private void Acquire(Process process)
    {
        Session = process.Session;
        ForegroundGroup = process.ProcessGroup;
        process.ControllingTerminal = this;
        process.LostForegroundGroup = 0;
    }

    private void Disassociate(Process leader, bool onExit)
    {
        int group = ForegroundGroup;
        if (group != 0)
        {
            SignalGroup(Kernel, group, Signal.SIGHUP);
            if (!onExit) SignalGroup(Kernel, group, Signal.SIGCONT);
        }

        Session = ForegroundGroup = 0;
        leader.ControllingTerminal = null;
        leader.LostForegroundGroup = 0;
        LeaveSession(leader.Session);
    }

    private void LeaveSession(int session)
    {
        foreach (var member in Kernel.Processes.All)
        {
            if (member.Session == session && member.ControllingTerminal == this) member.ControllingTerminal = null;
        }
    }
}
