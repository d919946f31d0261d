using Ramet.Kernel.Signals;
using Ramet.Kernel.Tracing;

namespace Ramet.Kernel.Processes;

/// <summary>ptrace(2): a thread as tracee and as tracer. The stops are in <see cref="TraceStops"/>.</summary>
public sealed partial class PosixThread
{
    private List<PosixThread>? _tracees;
    private List<EndedTracee>? _endedTracees;

    /// <summary>How it is traced; null: it is not.</summary>
    internal ThreadTrace? Trace { get; private set; }

    /// <summary>Threads that it traces.</summary>
    internal IReadOnlyList<PosixThread> Tracees => _tracees is null ? [] : _tracees;

    /// <summary>Those that ended and were not waited for.</summary>
    internal IReadOnlyList<EndedTracee> EndedTracees => _endedTracees is null ? [] : _endedTracees;

    /// <summary>Whether its tracer may look into it.</summary>
    internal bool IsInTraceStop => Trace is { Stop: not TraceStop.None };

    /// <summary>Whether registers are as a system call left them (orig_rax is its number) and not as an exception did.</summary>
    internal bool IsInSyscallContext { get; set; }

    /// <summary>Its system call was looked at by the tracer and is yet to be made.</summary>
    internal bool SyscallHeld { get; set; }

    /// <summary>The call that is held will not be made (PTRACE_SYSEMU).</summary>
    internal bool SyscallEmulated { get; set; }

    /// <summary>The call is held because a filter wants the tracer to decide: what it left is looked at once more, and then made.</summary>
    internal bool FilterAsked { get; set; }

    /// <summary>Wait status of exit(2), while the end is held up by the tracer.</summary>
    internal int PendingExitStatus { get; set; }

    /// <summary>restart_syscall(2) goes on with the last call, with its deadline.</summary>
    internal bool MayRestartCall { get; set; }

    /// <summary>Whether nothing can keep it from ending.</summary>
    internal bool IsDying => ExitRequested || ((_pending.Mask | Process.Pending.Mask) & Signal.Bit(Signal.SIGKILL)) != 0;

    internal void BeginTrace(PosixThread tracer, bool seized, TraceOptions options)
    {
        Trace = new ThreadTrace(tracer, seized, options);
        (tracer._tracees ??= []).Add(this);
    }

    /// <summary>It is traced no more. A stopped one goes on, unless the process is stopped by a signal.</summary>
    /// <param name="signal">Signal to deliver; -1: the one that it stopped for, if so.</param>
    internal void EndTrace(int signal)
    {
        if (Trace is not { } trace) return;
        trace.Tracer._tracees?.Remove(this);
        Trace = null;
        if (State != ThreadState.Stopped) return;
        if (trace.HoldsSignal)
        {
            var info = TraceStops.Choose(trace, signal < 0 ? trace.Info.Signal : signal);
            if (info.Signal != 0) _pending.Add(info, int.MaxValue);
        }
        else if (signal > 0)
        {
            SendSignal(signal);
        }

        // In a process that is stopped it stops again before it gets anywhere.
        State = ThreadState.Runnable;
        Kernel.Scheduler.Enqueue(this);
    }

    /// <summary>The tracer let it go on, or it is killed.</summary>
    internal void LeaveTraceStop()
    {
        if (Trace is not null) Trace.Stop = TraceStop.None;
        if (State != ThreadState.Stopped) return;
        State = ThreadState.Runnable;
        Kernel.Scheduler.Enqueue(this);
    }

    /// <summary>Makes it look at what waits for it soon, also out of a call that waits.</summary>
    internal void InterruptForTrace()
    {
        if (State == ThreadState.Blocked && !_uninterruptible) Wake();
        else Kernel.Scheduler.Interrupt(this);
    }

    internal void ReapTracee(EndedTracee ended)
    {
        if (_endedTracees?.Remove(ended) != true) return;
        Kernel.Processes.RemoveUnreaped();
        if (ended.IsProcess) ended.Process.ReleaseFromTracer();
    }

    /// <summary>A thread that this one traces has ended.</summary>
    internal void AddEndedTracee(EndedTracee ended)
    {
        (_endedTracees ??= []).Add(ended);
        Kernel.Processes.AddUnreaped();
    }

    /// <summary>The thread ends: what it traces is free, and its own tracer is told.</summary>
    private void EndTracing(int status)
    {
        if (_tracees is not null)
        {
            foreach (var tracee in _tracees.ToArray())
            {
                bool kill = tracee.Trace!.Has(TraceOptions.PTRACE_O_EXITKILL);
                tracee.EndTrace(-1);
                if (kill) tracee.SendSignal(Signal.SIGKILL);
            }
        }

        if (_endedTracees is not null)
        {
            foreach (var ended in _endedTracees.ToArray()) ReapTracee(ended);
        }

        if (Trace is not { } trace) return;
        Trace = null;
        trace.Tracer._tracees?.Remove(this);
        if (Tid == Process.Pid)
        {
            // What its end was is known when the last thread has ended.
            Process.LastTracer = trace.Tracer;
            return;
        }

        if (Process.IsExiting) status = Process.GroupExitStatus;
        trace.Tracer.AddEndedTracee(new EndedTracee(Tid, Process, status, CpuTime));
        bool killed = (status & 0x7F) != 0;
        TraceStops.Notify(trace.Tracer, this, killed ? Process.CLD_KILLED : Process.CLD_EXITED, killed ? status & 0x7F : status >> 8);
    }
}
