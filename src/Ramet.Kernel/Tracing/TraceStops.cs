using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Tracing;

/// <summary>Where traced threads stop, and how they go on (ptrace(2), "Stopped states").</summary>
internal static class TraceStops
{
    private const int CLD_TRAPPED = 4;
    private const int SyscallGood = 0x80;
    private const int TRAP_BRKPT = 1;

    /// <summary>The thread stands still until its tracer lets it go on. False when it is about to die and does not stop.</summary>
    public static bool Enter(PosixThread thread, TraceStop kind, int code, in SignalInfo info, ulong message = 0)
    {
        var trace = thread.Trace!;
        if (thread.IsDying && code != (Signal.SIGTRAP | (TraceEvent.Exit << 8))) return false;
        trace.Stop = kind;
        trace.StopCode = code;
        trace.Info = info;
        trace.IsReported = false;
        trace.IsListening = false;
        if (kind != TraceStop.Signal && kind != TraceStop.Group) trace.Message = message;
        thread.State = ThreadState.Stopped;
        Notify(trace.Tracer, thread, CLD_TRAPPED, code & 0x7F);
        return true;
    }

    /// <summary>Tells a tracer that a thread has stopped or ended.</summary>
    public static void Notify(PosixThread tracer, PosixThread thread, int code, int status)
    {
        var process = tracer.Process;
        if (code != CLD_TRAPPED || (process.Handlers[Signal.SIGCHLD].Flags & SignalActionFlags.SA_NOCLDSTOP) == 0)
        {
            process.SendSignal(new SignalInfo { Signal = Signal.SIGCHLD, Code = code, Pid = thread.Tid, Uid = (int)thread.Credentials.Uid, Value = (uint)status });
        }

        process.ChildEvents.Wake(exclusive: int.MaxValue);
    }

    /// <summary>Before a traced thread runs user code: the stops that are due. False when it stopped.</summary>
    public static bool Settle(PosixThread thread, ThreadTrace trace)
    {
        if (thread.IsDying) return true;
        if (trace.Queue.Count > 0)
        {
            EnterQueued(thread, trace);
            return false;
        }

        if (thread.Process.IsStopped)
        {
            if (trace.GroupStopSeen && !trace.TrapRequested) return true;
            trace.GroupStopSeen = true;
            trace.TrapRequested = false;
            int signal = thread.Process.StopSignal;
            return !Enter(thread, TraceStop.Group, trace.IsSeized ? signal | (TraceEvent.Stop << 8) : signal, default);
        }

        if (!trace.TrapRequested) return true;
        trace.TrapRequested = false;
        int code = Signal.SIGTRAP | (TraceEvent.Stop << 8);
        return !Enter(thread, TraceStop.Trap, code, Trap(thread, code));
    }

    /// <summary>A signal is about to be delivered. False when the thread stopped for it.</summary>
    public static bool MayDeliver(PosixThread thread, in SignalInfo info)
    {
        if (info.Signal == Signal.SIGKILL || thread.IsDying || !Enter(thread, TraceStop.Signal, info.Signal, info)) return true;
        thread.Trace!.HoldsSignal = true;
        thread.Trace.Injected = 0;
        return false;
    }

    /// <summary>After a stop for a signal: the signal that the tracer wants delivered, if it is not blocked meanwhile.</summary>
    public static bool TryTakeHeld(PosixThread thread, ThreadTrace trace, out SignalInfo info)
    {
        info = default;
        if (!trace.HoldsSignal) return false;
        trace.HoldsSignal = false;
        info = Choose(trace, trace.Injected);
        if (info.Signal == 0) return false;
        if ((thread.SignalMask & Signal.Bit(info.Signal)) == 0) return true;
        thread.Pending.Add(info, int.MaxValue);
        return false;
    }

    /// <summary>The signal that a thread stopped for, or another in its place.</summary>
    public static SignalInfo Choose(ThreadTrace trace, int signal) => signal == trace.Info.Signal
        ? trace.Info
        : new SignalInfo { Signal = signal, Code = SignalInfo.SI_USER, Pid = trace.Tracer.Process.Pid, Uid = (int)trace.Tracer.Credentials.Uid };

    /// <summary>A system call is about to be made. False when the thread stopped.</summary>
    public static bool MayBegin(PosixThread thread)
    {
        var trace = thread.Trace!;
        if (trace.Mode != TraceMode.Syscall && !trace.Emulates) return true;
        // As programs see it: the number is in orig_rax only.
        ulong number = thread.Registers.Rax;
        thread.Registers.Rax = unchecked((ulong)-(long)Errno.ENOSYS);
        if (EnterSyscall(thread, TraceStop.SyscallEntry, 1))
        {
            thread.SyscallHeld = true;
            thread.SyscallEmulated = trace.Emulates;
            return false;
        }

        thread.Registers.Rax = number;
        return true;
    }

    /// <summary>A filter says that the tracer decides on the call (SECCOMP_RET_TRACE). False when nobody does; else the thread has stopped, and the call is held.</summary>
    public static bool HoldForFilter(PosixThread thread, uint detail)
    {
        if (thread.Trace is not { } trace || !trace.Has(TraceOptions.PTRACE_O_TRACESECCOMP)) return false;
        thread.Registers.Rax = unchecked((ulong)-(long)Errno.ENOSYS);
        int code = Signal.SIGTRAP | (TraceEvent.Seccomp << 8);
        if (!Enter(thread, TraceStop.Event, code, Trap(thread, code), detail)) return false;
        thread.SyscallHeld = true;
        thread.FilterAsked = true;
        return true;
    }

    /// <summary>A system call has been made.</summary>
    public static void OnSyscallEnd(PosixThread thread, ThreadTrace trace)
    {
        if (trace.Mode == TraceMode.Syscall) trace.Queue.Add(new QueuedStop(Signal.SIGTRAP | (trace.Has(TraceOptions.PTRACE_O_TRACESYSGOOD) ? SyscallGood : 0), 2));
        else if (trace.Mode == TraceMode.SingleStep) thread.ForceSignal(SignalInfo.Fault(Signal.SIGTRAP, TRAP_BRKPT, thread.Registers.Rip));
    }

    /// <summary>A single step led into a signal handler: the step ends at its first instruction.</summary>
    public static void OnHandlerEntered(PosixThread thread)
    {
        if (thread.Trace is { Mode: TraceMode.SingleStep } trace) trace.Queue.Add(new QueuedStop(Signal.SIGTRAP, 0));
    }

    /// <summary>A thread or process was made by a traced thread: the tracer is told, and traces it as well if it wants to.</summary>
    public static void OnClone(PosixThread parent, PosixThread child, in CloneRequest request)
    {
        if (parent.Trace is not { } trace || (request.Flags & CloneFlags.CLONE_UNTRACED) != 0) return;
        int kind = (request.Flags & CloneFlags.CLONE_VFORK) != 0 ? TraceEvent.Vfork : request.ExitSignal != Signal.SIGCHLD ? TraceEvent.Clone : TraceEvent.Fork;
        bool tells = trace.Has((TraceOptions)(1UL << kind));
        if (!tells && (request.Flags & CloneFlags.CLONE_PTRACE) == 0) return;
        if (tells) trace.Queue.Add(new QueuedStop(Signal.SIGTRAP | (kind << 8), (ulong)child.Tid));
        child.BeginTrace(trace.Tracer, trace.IsSeized, trace.Options);
        if (trace.IsSeized) child.Trace!.TrapRequested = true;
        else child.Pending.Add(new SignalInfo { Signal = Signal.SIGSTOP, Code = SignalInfo.SI_USER }, int.MaxValue);
    }

    /// <summary>The child of a vfork has let its parent go on.</summary>
    public static void OnVforkDone(PosixThread parent, int child)
    {
        if (parent.Trace is { } trace && trace.Has(TraceOptions.PTRACE_O_TRACEVFORKDONE)) trace.Queue.Add(new QueuedStop(Signal.SIGTRAP | (TraceEvent.VforkDone << 8), (ulong)child));
    }

    /// <summary>A call has to wait, and the tracer is to know of an event before: the thread stops, and the handler runs again afterwards. False when there is none.</summary>
    public static bool StopInCall(PosixThread thread)
    {
        if (thread.Trace is not { Queue.Count: > 0 } trace || thread.IsDying) return false;
        EnterQueued(thread, trace);
        return true;
    }

    /// <summary>A traced thread's process has a new program.</summary>
    public static void OnExec(PosixThread thread, int formerTid)
    {
        if (thread.Trace is not { } trace) return;
        if (trace.Has(TraceOptions.PTRACE_O_TRACEEXEC)) trace.Queue.Add(new QueuedStop(Signal.SIGTRAP | (TraceEvent.Exec << 8), (ulong)formerTid));
        else if (!trace.IsSeized) thread.SendSignal(new SignalInfo { Signal = Signal.SIGTRAP, Code = SignalInfo.SI_USER, Pid = thread.Tid, Uid = (int)thread.Credentials.Uid });
    }

    /// <summary>exit(2) of a thread whose tracer wants to know before. False when it ends at once.</summary>
    public static bool DelaysExit(PosixThread thread, int status)
    {
        if (thread.Trace is not { ExitReported: false } trace || !trace.Has(TraceOptions.PTRACE_O_TRACEEXIT)) return false;
        thread.PendingExitStatus = status;
        return true;
    }

    /// <summary>The thread is about to end: true when it stops before.</summary>
    public static bool StopsBeforeExit(PosixThread thread)
    {
        if (thread.Trace is not { ExitReported: false } trace || !trace.Has(TraceOptions.PTRACE_O_TRACEEXIT)) return false;
        trace.ExitReported = true;
        int code = Signal.SIGTRAP | (TraceEvent.Exit << 8);
        int status = thread.Process.IsExiting ? thread.Process.GroupExitStatus : thread.PendingExitStatus;
        return Enter(thread, TraceStop.Event, code, Trap(thread, code), (ulong)status);
    }

    /// <summary>The tracer lets the thread go on.</summary>
    public static void Resume(PosixThread thread, TraceMode mode, int signal, bool emulates = false)
    {
        var trace = thread.Trace!;
        trace.Mode = mode;
        trace.Emulates = emulates;
        if (trace.HoldsSignal) trace.Injected = signal;
        else if (signal != 0 && trace.Stop is TraceStop.SyscallEntry or TraceStop.SyscallExit) thread.SendSignal(Choose(trace, signal));
        thread.LeaveTraceStop();
    }

    private static void EnterQueued(PosixThread thread, ThreadTrace trace)
    {
        var (code, message) = trace.Queue[0];
        trace.Queue.RemoveAt(0);
        var kind = (code & ~SyscallGood) == Signal.SIGTRAP && message == 2 ? TraceStop.SyscallExit : TraceStop.Event;
        Enter(thread, kind, code, Trap(thread, code), message);
    }

    private static bool EnterSyscall(PosixThread thread, TraceStop kind, ulong message)
    {
        int code = Signal.SIGTRAP | (thread.Trace!.Has(TraceOptions.PTRACE_O_TRACESYSGOOD) ? SyscallGood : 0);
        return Enter(thread, kind, code, Trap(thread, code), message);
    }

    private static SignalInfo Trap(PosixThread thread, int code) =>
        new() { Signal = Signal.SIGTRAP, Code = code, Pid = thread.Tid, Uid = (int)thread.Credentials.Uid };
}
