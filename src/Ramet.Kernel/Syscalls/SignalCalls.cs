using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Syscalls;

/// <summary>Signals: sending, actions, masks, stacks, waiting.</summary>
internal static class SignalCalls
{
    private const int SIG_BLOCK = 0;
    private const int SIG_UNBLOCK = 1;
    private const int SIG_SETMASK = 2;
    private const ulong MinimumStack = 2048;

    [Syscall(SyscallNumber.rt_sigaction)]
    internal static SyscallResult RtSigaction(PosixThread thread, int signum, UserAddress act, UserAddress oldact, ulong sigsetsize)
    {
        if (sigsetsize != 8 || !Signal.IsValid(signum)) return Errno.EINVAL;
        var user = thread.Memory.User;
        SignalAction action = default;
        if (!act.IsNull)
        {
            if (!user.TryRead(act, out action)) return Errno.EFAULT;
            if (signum is Signal.SIGKILL or Signal.SIGSTOP) return Errno.EINVAL;
        }

        ref var current = ref thread.Process.Handlers[signum];
        var old = current;
        if (!act.IsNull)
        {
            action.Mask &= ~Signal.Unblockable;
            current = action;
            // Setting a signal to be ignored discards those that wait (POSIX).
            if (action.Handler == SignalAction.Ignore || (action.Handler == SignalAction.Default && Signal.IsIgnoredByDefault(signum)))
            {
                thread.Process.Pending.Remove(Signal.Bit(signum));
                foreach (var each in thread.Process.Threads) each.Pending.Remove(Signal.Bit(signum));
            }
        }

        return oldact.IsNull || user.TryWrite(oldact, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.rt_sigprocmask)]
    internal static SyscallResult RtSigprocmask(PosixThread thread, int how, UserAddress set, UserAddress oldset, ulong sigsetsize)
    {
        if (sigsetsize != 8) return Errno.EINVAL;
        ulong old = thread.SignalMask;
        if (!set.IsNull)
        {
            if (!thread.Memory.User.TryRead(set, out ulong mask)) return Errno.EFAULT;
            switch (how)
            {
                case SIG_BLOCK:
                    thread.SignalMask |= mask;
                    break;
                case SIG_UNBLOCK:
                    thread.SignalMask &= ~mask;
                    break;
                case SIG_SETMASK:
                    thread.SignalMask = mask;
                    break;
                default:
                    return Errno.EINVAL;
            }
        }

        return oldset.IsNull || thread.Memory.User.TryWrite(oldset, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.rt_sigreturn)]
    internal static SyscallResult RtSigreturn(PosixThread thread) => SignalDelivery.Return(thread);

    [Syscall(SyscallNumber.rt_sigpending)]
    internal static SyscallResult RtSigpending(PosixThread thread, UserAddress set, ulong sigsetsize)
    {
        if (sigsetsize > 8) return Errno.EINVAL;
        ulong pending = (thread.Pending.Mask | thread.Process.Pending.Mask) & thread.SignalMask;
        return thread.Memory.User.TryWrite(set, pending) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.rt_sigsuspend)]
    internal static SyscallResult RtSigsuspend(PosixThread thread, UserAddress unewset, ulong sigsetsize)
    {
        if (sigsetsize != 8) return Errno.EINVAL;
        if (!thread.Resuming)
        {
            if (!thread.Memory.User.TryRead(unewset, out ulong mask)) return Errno.EFAULT;
            thread.SetTemporarySignalMask(mask);
        }

        return thread.Block(RestartKind.ERESTARTNOHAND);
    }

    [Syscall(SyscallNumber.pause)]
    internal static SyscallResult Pause(PosixThread thread) => thread.Block(RestartKind.ERESTARTNOHAND);

    [Syscall(SyscallNumber.rt_sigtimedwait)]
    internal static SyscallResult RtSigtimedwait(PosixThread thread, UserAddress uthese, UserAddress uinfo, UserAddress uts, ulong sigsetsize)
    {
        if (sigsetsize != 8) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(uthese, out ulong set)) return Errno.EFAULT;
        set &= ~Signal.Unblockable;
        thread.SignalsWaitedFor = 0;
        if (!thread.Resuming && !uts.IsNull)
        {
            Span<long> timeout = stackalloc long[2];
            if (!thread.Memory.User.TryReadArray(uts, timeout)) return Errno.EFAULT;
            if (timeout[0] < 0 || timeout[1] is < 0 or >= 1_000_000_000) return Errno.EINVAL;
            long wait = timeout[0] > 9_000_000_000 ? PosixThread.Never / 4 : (timeout[0] * 1_000_000_000) + timeout[1];
            thread.WaitUntil(thread.Kernel.MonotonicNow + wait);
        }

        if (thread.TryTakeSignal(set, out var info))
        {
            if (!uinfo.IsNull)
            {
                Span<byte> bytes = stackalloc byte[SignalFrame.SignalInfoSize];
                info.Write(bytes);
                if (thread.Memory.User.Write(uinfo, bytes) != bytes.Length) return Errno.EFAULT;
            }

            return info.Signal;
        }

        if (thread.TimedOut) return Errno.EAGAIN;
        if (thread.SignalPending) return Errno.EINTR;
        thread.SignalsWaitedFor = set;
        return thread.Block(RestartKind.ERESTARTNOHAND);
    }

    [Syscall(SyscallNumber.sigaltstack)]
    internal static SyscallResult Sigaltstack(PosixThread thread, UserAddress uss, UserAddress uoss)
    {
        bool onStack = SignalDelivery.IsOnAlternateStack(thread, thread.Registers.Rsp);
        var old = new StackDescription
        {
            Address = thread.AlternateStack,
            Flags = thread.AlternateStackFlags | (onStack ? SignalDelivery.SS_ONSTACK : 0),
            Size = thread.AlternateStackSize,
        };
        if (!uss.IsNull)
        {
            if (!thread.Memory.User.TryRead(uss, out StackDescription wanted)) return Errno.EFAULT;
            if (onStack) return Errno.EPERM;
            uint mode = wanted.Flags & ~SignalDelivery.SS_AUTODISARM;
            if (mode is not (0 or SignalDelivery.SS_ONSTACK or SignalDelivery.SS_DISABLE)) return Errno.EINVAL;
            if (mode == SignalDelivery.SS_DISABLE)
            {
                wanted = new StackDescription { Flags = SignalDelivery.SS_DISABLE };
            }
            else if (wanted.Size < MinimumStack)
            {
                return Errno.ENOMEM;
            }

            thread.AlternateStack = wanted.Address;
            thread.AlternateStackSize = wanted.Size;
            thread.AlternateStackFlags = wanted.Flags & ~SignalDelivery.SS_ONSTACK;
        }

        return uoss.IsNull || thread.Memory.User.TryWrite(uoss, old) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.kill)]
    internal static SyscallResult Kill(PosixThread thread, int pid, int sig)
    {
        if (sig != 0 && !Signal.IsValid(sig)) return Errno.EINVAL;
        var info = FromThread(thread, sig, SignalInfo.SI_USER);
        if (pid > 0)
        {
            var process = thread.Kernel.Processes.FindProcess(pid) ?? thread.Kernel.Processes.FindThread(pid)?.Process;
            return process is null ? Errno.ESRCH : Send(thread, process, info);
        }

        var targets = pid switch
        {
            0 => thread.Kernel.Processes.InGroup(thread.Process.ProcessGroup),
            -1 => thread.Kernel.Processes.All.Where(process => process.Pid > 1 && process != thread.Process && !process.IsZombie),
            _ => thread.Kernel.Processes.InGroup(-pid),
        };
        var error = Errno.ESRCH;
        foreach (var target in targets.ToArray())
        {
            var result = Send(thread, target, info);
            if (result == Errno.None || error == Errno.ESRCH) error = error == Errno.None ? Errno.None : result;
        }

        return error;
    }

    [Syscall(SyscallNumber.tgkill)]
    internal static SyscallResult Tgkill(PosixThread thread, int tgid, int tid, int sig)
    {
        if (tgid <= 0 || tid <= 0 || (sig != 0 && !Signal.IsValid(sig))) return Errno.EINVAL;
        return ToThread(thread, tgid, tid, FromThread(thread, sig, SignalInfo.SI_TKILL));
    }

    [Syscall(SyscallNumber.tkill)]
    internal static SyscallResult Tkill(PosixThread thread, int tid, int sig)
    {
        if (tid <= 0 || (sig != 0 && !Signal.IsValid(sig))) return Errno.EINVAL;
        return ToThread(thread, -1, tid, FromThread(thread, sig, SignalInfo.SI_TKILL));
    }

    [Syscall(SyscallNumber.rt_sigqueueinfo)]
    internal static SyscallResult RtSigqueueinfo(PosixThread thread, int pid, int sig, UserAddress uinfo)
    {
        var error = ReadInfo(thread, sig, uinfo, pid, out var info);
        if (error != Errno.None) return error;
        var process = thread.Kernel.Processes.FindProcess(pid);
        return process is null ? Errno.ESRCH : Send(thread, process, info);
    }

    [Syscall(SyscallNumber.rt_tgsigqueueinfo)]
    internal static SyscallResult RtTgsigqueueinfo(PosixThread thread, int tgid, int tid, int sig, UserAddress uinfo)
    {
        if (tgid <= 0 || tid <= 0) return Errno.EINVAL;
        var error = ReadInfo(thread, sig, uinfo, tgid, out var info);
        return error != Errno.None ? error : ToThread(thread, tgid, tid, info);
    }

    private static Errno ReadInfo(PosixThread thread, int sig, UserAddress uinfo, int pid, out SignalInfo info)
    {
        Span<byte> bytes = stackalloc byte[SignalFrame.SignalInfoSize];
        info = default;
        if (thread.Memory.User.Read(uinfo, bytes) != bytes.Length) return Errno.EFAULT;
        if (sig != 0 && !Signal.IsValid(sig)) return Errno.EINVAL;
        info = SignalInfo.Read(bytes, sig);
        // Nobody may pretend to be the kernel or kill(2) towards others.
        return (info.Code >= 0 || info.Code == SignalInfo.SI_TKILL) && pid != thread.Process.Pid ? Errno.EPERM : Errno.None;
    }

    private static SyscallResult ToThread(PosixThread thread, int tgid, int tid, in SignalInfo info)
    {
        var target = thread.Kernel.Processes.FindThread(tid);
        if (target is null || (tgid != -1 && target.Process.Pid != tgid))
        {
            // A zombie leader still has its id.
            var zombie = thread.Kernel.Processes.FindProcess(tid);
            return zombie is not null && (tgid == -1 || tgid == tid) ? Errno.None : Errno.ESRCH;
        }

        if (!MaySignal(thread, target.Process, info.Signal)) return Errno.EPERM;
        if (info.Signal == 0) return 0;
        return target.SendSignal(info) ? 0 : Errno.EAGAIN;
    }

    private static Errno Send(PosixThread thread, Process process, in SignalInfo info)
    {
        if (!MaySignal(thread, process, info.Signal)) return Errno.EPERM;
        if (info.Signal == 0 || process.Pid == 1) return Errno.None;
        return process.SendSignal(info) ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>kill(2): the sender's real or effective user is the target's real or saved one, or it has CAP_KILL; SIGCONT within a session.</summary>
    private static bool MaySignal(PosixThread thread, Process process, int signal)
    {
        var sender = thread.Credentials;
        if (process == thread.Process || sender.HasCapability(Capability.CAP_KILL)) return true;
        // Process 1 is the kernel's own and has no thread; it is root's.
        if (process.Leader is not { } leader) return process.Pid != 1;
        var target = leader.Credentials;
        return sender.EffectiveUid == target.Uid || sender.EffectiveUid == target.SavedUid || sender.Uid == target.Uid || sender.Uid == target.SavedUid
            || (signal == Signal.SIGCONT && process.Session == thread.Process.Session);
    }

    private static SignalInfo FromThread(PosixThread thread, int signal, int code) => new()
    {
        Signal = signal,
        Code = code,
        Pid = thread.Process.Pid,
        Uid = (int)thread.Credentials.Uid,
    };

    private struct StackDescription
    {
        public ulong Address;
        public uint Flags;
        private uint _padding;
        public ulong Size;
    }
}
