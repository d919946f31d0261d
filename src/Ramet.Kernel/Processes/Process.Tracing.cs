using Ramet.Kernel.Tracing;

namespace Ramet.Kernel.Processes;

/// <summary>The end of a traced process: a tracer that is not its parent learns of it first.</summary>
public sealed partial class Process
{
    /// <summary>Who traced the main thread when that ended.</summary>
    internal PosixThread? LastTracer { get; set; }

    /// <summary>It has ended, and its parent is to be told once the tracer has waited for it.</summary>
    internal bool IsHeldByTracer { get; private set; }

    /// <summary>Wait status of <see cref="ExitGroup"/>.</summary>
    internal int GroupExitStatus => _groupExitStatus;

    /// <summary>The tracer has seen the end, or is gone.</summary>
    internal void ReleaseFromTracer()
    {
        if (!IsHeldByTracer) return;
        IsHeldByTracer = false;
        NotifyParent(ExitStatus);
    }

    private bool HoldForTracer()
    {
        var tracer = LastTracer;
        LastTracer = null;
        if (tracer is null || tracer.State == ThreadState.Dead || tracer.Process == Parent || tracer.Process == this) return false;
        if (tracer.Process.Handlers[Signals.Signal.SIGCHLD].Handler == Signals.SignalAction.Ignore) return false;
        IsHeldByTracer = true;
        tracer.AddEndedTracee(new EndedTracee(Pid, this, ExitStatus, CpuTime));
        int signal = ExitStatus & 0x7F;
        var info = ChildInfo(signal == 0 ? CLD_EXITED : CLD_KILLED, signal == 0 ? ExitStatus >> 8 : signal);
        tracer.Process.SendSignal(info);
        tracer.Process.ChildEvents.Wake(exclusive: int.MaxValue);
        return true;
    }
}
