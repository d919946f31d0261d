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
    private const int CLD_TRAPPED = 4;

    /// <summary>Whether a wait is for this id (a process's, or that of a traced thread) of this process.</summary>
    private delegate bool Selector(int id, Process process);

    /// <summary>What a wait has found; id 0: nothing.</summary>
    private readonly record struct Waited(int Id, uint Uid, int Status, long Time, long Peak, bool IsTraceStop = false);

    [Syscall(SyscallNumber.wait4)]
    internal static SyscallResult Wait4(PosixThread thread, int pid, UserAddress wstatus, WaitOptions options, UserAddress rusage)
    {
        const WaitOptions Known = WaitOptions.WNOHANG | WaitOptions.WSTOPPED | WaitOptions.WCONTINUED | WaitOptions.__WNOTHREAD | WaitOptions.__WALL | WaitOptions.__WCLONE;
        if ((options & ~Known) != 0) return Errno.EINVAL;
        if (pid == int.MinValue) return Errno.ESRCH;
        Selector selects = pid switch
        {
            -1 => static (_, _) => true,
            0 => (_, child) => child.ProcessGroup == thread.Process.ProcessGroup,
            < 0 => (_, child) => child.ProcessGroup == -pid,
            _ => (id, _) => id == pid,
        };
        var result = Wait(thread, selects, options | WaitOptions.WEXITED, out var found);
        if (found.Id == 0) return result;
        var user = thread.Memory.User;
        if (!wstatus.IsNull && !user.TryWrite(wstatus, found.Status)) return Errno.EFAULT;
        if (!rusage.IsNull && !ResourceUsage.TryWrite(user, rusage, found.Time, found.Peak)) return Errno.EFAULT;
        return found.Id;
    }

    [Syscall(SyscallNumber.waitid)]
    internal static SyscallResult Waitid(PosixThread thread, int which, int pid, UserAddress infop, WaitOptions options, UserAddress rusage)
    {
        const WaitOptions Events = WaitOptions.WEXITED | WaitOptions.WSTOPPED | WaitOptions.WCONTINUED;
        const WaitOptions Known = Events | WaitOptions.WNOHANG | WaitOptions.WNOWAIT | WaitOptions.__WNOTHREAD | WaitOptions.__WALL | WaitOptions.__WCLONE;
        if ((options & ~Known) != 0 || (options & Events) == 0) return Errno.EINVAL;
        Selector selects;
        bool refusesToWait = false;
        switch (which)
        {
            case P_ALL:
                selects = static (_, _) => true;
                break;
            case P_PID when pid > 0:
                selects = (id, _) => id == pid;
                break;
            case P_PGID when pid >= 0:
                selects = (_, child) => child.ProcessGroup == (pid == 0 ? thread.Process.ProcessGroup : pid);
                break;
            case P_PIDFD when pid < 0:
                return Errno.EINVAL;
            case P_PIDFD:
                if (thread.Files.Get(pid) is not PidFd description) return Errno.EBADF;
                selects = (id, child) => child == description.Process && id == child.Pid;
                refusesToWait = description.NonBlocking && (options & WaitOptions.WNOHANG) == 0;
                if (refusesToWait) options |= WaitOptions.WNOHANG;
                break;
            default:
                return Errno.EINVAL;
        }

        var result = Wait(thread, selects, options, out var found);
        if (result.IsBlocked || (found.Id == 0 && result.Value != 0)) return result;
        if (found.Id == 0 && refusesToWait) return Errno.EAGAIN;
        Span<byte> bytes = stackalloc byte[SignalFrame.SignalInfoSize];
        bytes.Clear();
        if (found.Id != 0) Describe(found).Write(bytes);
        if (!infop.IsNull && thread.Memory.User.Write(infop, bytes) != bytes.Length) return Errno.EFAULT;
        if (found.Id != 0 && !rusage.IsNull && !ResourceUsage.TryWrite(thread.Memory.User, rusage, found.Time, found.Peak)) return Errno.EFAULT;
        return 0;
    }

    private static SignalInfo Describe(in Waited found)
    {
        int status = found.Status;
        var (code, value) = (status & 0xFF) switch
        {
            0x7F => (found.IsTraceStop ? CLD_TRAPPED : Process.CLD_STOPPED, status >> 8),
            _ when status == 0xFFFF => (Process.CLD_CONTINUED, Signal.SIGCONT),
            0 => (Process.CLD_EXITED, status >> 8),
            _ => (Process.CLD_KILLED, status & 0x7F),
        };
        return new SignalInfo { Signal = Signal.SIGCHLD, Code = code, Pid = found.Id, Uid = (int)found.Uid, Value = (uint)value };
    }

    private static SyscallResult Wait(PosixThread thread, Selector selects, WaitOptions options, out Waited found)
    {
        bool any = false;
        bool keep = (options & WaitOptions.WNOWAIT) != 0;
        if (TryFindChild(thread, selects, options, keep, ref any, out found)) return 0;
        foreach (var tracer in thread.Process.Threads)
        {
            if (tracer != thread && (options & WaitOptions.__WNOTHREAD) != 0) continue;
            if (TryFindTracee(tracer, selects, options, keep, ref any, out found)) return 0;
        }

        if (!any) return Errno.ECHILD;
        return (options & WaitOptions.WNOHANG) != 0 ? 0 : thread.BlockOn(thread.Process.ChildEvents);
    }

    private static bool TryFindChild(PosixThread thread, Selector selects, WaitOptions options, bool keep, ref bool any, out Waited found)
    {
        foreach (var child in thread.Process.Children)
        {
            if (!selects(child.Pid, child)) continue;
            // Who traces its child sees all of it.
            bool traced = child.Leader?.Trace is { } trace && trace.Tracer.Process == thread.Process;
            bool isClone = child.ExitSignal != Signal.SIGCHLD;
            if (!traced && (options & WaitOptions.__WALL) == 0 && isClone != ((options & WaitOptions.__WCLONE) != 0)) continue;
            any = true;
            if (child.IsZombie && !child.IsHeldByTracer && (options & WaitOptions.WEXITED) != 0)
            {
                found = Describe(child, child.ExitStatus);
                if (!keep) thread.Kernel.Processes.Reap(child);
                return true;
            }

            if (traced) continue;
            if (child.HasUnreportedStop && (options & WaitOptions.WSTOPPED) != 0)
            {
                found = Describe(child, (child.StopSignal << 8) | 0x7F);
                if (!keep) child.ReportStop();
                return true;
            }

            if (child.HasUnreportedContinue && (options & WaitOptions.WCONTINUED) != 0)
            {
                found = Describe(child, 0xFFFF);
                if (!keep) child.ReportContinue();
                return true;
            }
        }

        found = default;
        return false;
    }

    private static bool TryFindTracee(PosixThread tracer, Selector selects, WaitOptions options, bool keep, ref bool any, out Waited found)
    {
        foreach (var tracee in tracer.Tracees)
        {
            if (!selects(tracee.Tid, tracee.Process)) continue;
            any = true;
            var trace = tracee.Trace!;
            if (trace.Stop == Tracing.TraceStop.None || trace.IsReported) continue;
            if (!keep) trace.IsReported = true;
            found = new Waited(tracee.Tid, tracee.Credentials.Uid, (trace.StopCode << 8) | 0x7F, tracee.CpuTime, 0, IsTraceStop: true);
            return true;
        }

        foreach (var ended in tracer.EndedTracees)
        {
            if (!selects(ended.Tid, ended.Process)) continue;
            any = true;
            if ((options & WaitOptions.WEXITED) == 0) continue;
            found = new Waited(ended.Tid, ended.Process.Uid, ended.Status, ended.CpuTime, 0);
            if (!keep) tracer.ReapTracee(ended);
            return true;
        }

        found = default;
        return false;
    }

    private static Waited Describe(Process child, int status) =>
        new(child.Pid, child.Uid, status, child.CpuTime + child.ChildrenTime, Math.Max(child.PeakResidentKilobytes, child.ChildrenPeakKilobytes));
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
