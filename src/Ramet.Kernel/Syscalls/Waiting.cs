using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Syscalls;

/// <summary>wait4(2) and waitid(2).</summary>
internal static class Waiting
{
    [Flags]
    internal enum WaitOptions : uint
    {
        WNOHANG = 1,
        WSTOPPED = 2,
        WEXITED = 4,
        WCONTINUED = 8,
        WNOWAIT = 0x0100_0000,
        __WNOTHREAD = 0x2000_0000,
        __WALL = 0x4000_0000,
        __WCLONE = 0x8000_0000,
    }

    private const int P_ALL = 0;
    private const int P_PID = 1;
    private const int P_PGID = 2;
    private const int P_PIDFD = 3;

    [Syscall(SyscallNumber.wait4)]
    internal static SyscallResult Wait4(PosixThread thread, int pid, UserAddress wstatus, WaitOptions options, UserAddress rusage)
    {
        const WaitOptions Known = WaitOptions.WNOHANG | WaitOptions.WSTOPPED | WaitOptions.WCONTINUED | WaitOptions.__WNOTHREAD | WaitOptions.__WALL | WaitOptions.__WCLONE;
        if ((options & ~Known) != 0) return Errno.EINVAL;
        if (pid == int.MinValue) return Errno.ESRCH;
        Predicate<Process> selects = pid switch
        {
            -1 => static _ => true,
            0 => child => child.ProcessGroup == thread.Process.ProcessGroup,
            < 0 => child => child.ProcessGroup == -pid,
            _ => child => child.Pid == pid,
        };
        var result = Wait(thread, selects, options | WaitOptions.WEXITED, out var found, out int status, out long time);
        if (found is null) return result;
        var user = thread.Memory.User;
        if (!wstatus.IsNull && !user.TryWrite(wstatus, status)) return Errno.EFAULT;
        if (!rusage.IsNull && !ResourceUsage.TryWrite(user, rusage, time, Peak(found))) return Errno.EFAULT;
        return found.Pid;
    }

    [Syscall(SyscallNumber.waitid)]
    internal static SyscallResult Waitid(PosixThread thread, int which, int pid, UserAddress infop, WaitOptions options, UserAddress rusage)
    {
        const WaitOptions Events = WaitOptions.WEXITED | WaitOptions.WSTOPPED | WaitOptions.WCONTINUED;
        const WaitOptions Known = Events | WaitOptions.WNOHANG | WaitOptions.WNOWAIT | WaitOptions.__WNOTHREAD | WaitOptions.__WALL | WaitOptions.__WCLONE;
        if ((options & ~Known) != 0 || (options & Events) == 0) return Errno.EINVAL;
        Predicate<Process> selects;
        bool refusesToWait = false;
        switch (which)
        {
            case P_ALL:
                selects = static _ => true;
                break;
            case P_PID when pid > 0:
                selects = child => child.Pid == pid;
                break;
            case P_PGID when pid >= 0:
                selects = child => child.ProcessGroup == (pid == 0 ? thread.Process.ProcessGroup : pid);
                break;
            case P_PIDFD when pid < 0:
                return Errno.EINVAL;
            case P_PIDFD:
                if (thread.Files.Get(pid) is not PidFd description) return Errno.EBADF;
                selects = child => child == description.Process;
                refusesToWait = description.NonBlocking && (options & WaitOptions.WNOHANG) == 0;
                if (refusesToWait) options |= WaitOptions.WNOHANG;
                break;
            default:
                return Errno.EINVAL;
        }

        var result = Wait(thread, selects, options, out var found, out int status, out long time);
        if (result.IsBlocked || (found is null && result.Value != 0)) return result;
        if (found is null && refusesToWait) return Errno.EAGAIN;
        Span<byte> bytes = stackalloc byte[SignalFrame.SignalInfoSize];
        bytes.Clear();
        if (found is not null) Describe(found, status).Write(bytes);
        if (!infop.IsNull && thread.Memory.User.Write(infop, bytes) != bytes.Length) return Errno.EFAULT;
        if (found is not null && !rusage.IsNull && !ResourceUsage.TryWrite(thread.Memory.User, rusage, time, Peak(found))) return Errno.EFAULT;
        return 0;
    }

    private static long Peak(Process child) => Math.Max(child.PeakResidentKilobytes, child.ChildrenPeakKilobytes);

    private static SignalInfo Describe(Process child, int status)
    {
        var (code, value) = (status & 0xFF) switch
        {
            0x7F => (Process.CLD_STOPPED, status >> 8),
            _ when status == 0xFFFF => (Process.CLD_CONTINUED, Signal.SIGCONT),
            0 => (Process.CLD_EXITED, status >> 8),
            _ => (Process.CLD_KILLED, status & 0x7F),
        };
        return new SignalInfo { Signal = Signal.SIGCHLD, Code = code, Pid = child.Pid, Uid = (int)child.Uid, Value = (uint)value };
    }

    private static SyscallResult Wait(
        PosixThread thread, Predicate<Process> selects, WaitOptions options, out Process? found, out int status, out long time)
    {
        found = null;
        status = 0;
        time = 0;
        bool any = false;
        bool keep = (options & WaitOptions.WNOWAIT) != 0;
        foreach (var child in thread.Process.Children)
        {
            if (!selects(child)) continue;
            bool isClone = child.ExitSignal != Signal.SIGCHLD;
            if ((options & WaitOptions.__WALL) == 0 && isClone != ((options & WaitOptions.__WCLONE) != 0)) continue;
            any = true;
            if (child.IsZombie && (options & WaitOptions.WEXITED) != 0)
            {
                (found, status) = (child, child.ExitStatus);
                break;
            }

            if (child.HasUnreportedStop && (options & WaitOptions.WSTOPPED) != 0)
            {
                (found, status) = (child, (child.StopSignal << 8) | 0x7F);
                if (!keep) child.ReportStop();
                break;
            }

            if (child.HasUnreportedContinue && (options & WaitOptions.WCONTINUED) != 0)
            {
                (found, status) = (child, 0xFFFF);
                if (!keep) child.ReportContinue();
                break;
            }
        }

        if (found is not null)
        {
            time = found.CpuTime + found.ChildrenTime;
            if (found.IsZombie && !keep && status != 0xFFFF && (status & 0xFF) != 0x7F) thread.Kernel.Processes.Reap(found);
            return 0;
        }

        if (!any) return Errno.ECHILD;
        return (options & WaitOptions.WNOHANG) != 0 ? 0 : thread.BlockOn(thread.Process.ChildEvents);
    }
}

/// <summary>struct rusage (getrusage(2)): times only.</summary>
internal static class ResourceUsage
{
    /// <summary>Writes it; false: EFAULT.</summary>
    public static bool TryWrite(UserMemory user, UserAddress address, long cpuTime, long maximumResidentKilobytes = 0)
    {
        Span<long> words = stackalloc long[18];
        words.Clear();
        words[0] = cpuTime / 1_000_000_000;
        words[1] = cpuTime / 1000 % 1_000_000;
        words[4] = maximumResidentKilobytes;
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(words);
        return user.Write(address, bytes) == bytes.Length;
    }
}
