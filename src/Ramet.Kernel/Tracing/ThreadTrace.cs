using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Tracing;

/// <summary>That a thread is traced (ptrace(2)): by whom, how, and where it stands still.</summary>
[Saved]
internal sealed partial class ThreadTrace
{
    private ThreadTrace()
    {
    }

    public ThreadTrace(PosixThread tracer, bool isSeized, TraceOptions options)
    {
        Tracer = tracer;
        IsSeized = isSeized;
        Options = options;
    }

    /// <summary>The thread that traces it: the only one that may make requests.</summary>
    public PosixThread Tracer { get; private set; } = null!;

    /// <summary>PTRACE_SEIZE, not PTRACE_ATTACH or PTRACE_TRACEME.</summary>
    public bool IsSeized { get; private set; }

    public TraceOptions Options { get; set; }

    public TraceMode Mode { get; set; }

    /// <summary>PTRACE_SYSEMU: the next system call stops the thread and is not made.</summary>
    public bool Emulates { get; set; }

    public TraceStop Stop { get; set; }

    /// <summary>The wait status of the stop without its low byte: a signal, or SIGTRAP with an event.</summary>
    public int StopCode { get; set; }

    /// <summary>Whether a wait has seen the stop.</summary>
    public bool IsReported { get; set; }

    /// <summary>PTRACE_GETSIGINFO.</summary>
    public SignalInfo Info { get; set; }

    /// <summary>PTRACE_GETEVENTMSG.</summary>
    public ulong Message { get; set; }

    /// <summary>The stop was that of a signal: what becomes of it when the thread goes on.</summary>
    public bool HoldsSignal { get; set; }

    /// <summary>The signal to be delivered then; 0: none.</summary>
    public int Injected { get; set; }

    /// <summary>The thread is to stop as soon as it can (PTRACE_INTERRUPT).</summary>
    public bool TrapRequested { get; set; }

    /// <summary>The stop of the process by a signal has been reported, and the tracer let the thread go on nevertheless.</summary>
    public bool GroupStopSeen { get; set; }

    /// <summary>PTRACE_LISTEN: stays in the group-stop, and reports its end.</summary>
    public bool IsListening { get; set; }

    /// <summary>The stop before the end (PTRACE_EVENT_EXIT) has been.</summary>
    public bool ExitReported { get; set; }

    /// <summary>Stops to be made before the thread runs on.</summary>
    public List<QueuedStop> Queue { get; private set; } = [];

    public bool Has(TraceOptions option) => (Options & option) != 0;

    /// <summary>Whether a call must not wait because the thread is to stop.</summary>
    public bool WantsStop(Process process) => TrapRequested || (process.IsStopped && !GroupStopSeen);
}

/// <summary>A stop that is to be made.</summary>
/// <param name="Code">Its <see cref="ThreadTrace.StopCode"/>.</param>
/// <param name="Message">What PTRACE_GETEVENTMSG gives.</param>
internal readonly record struct QueuedStop(int Code, ulong Message);

/// <summary>A traced thread that has ended and that its tracer has not waited for.</summary>
[Saved]
internal sealed partial class EndedTracee
{
    private EndedTracee()
    {
    }

    public EndedTracee(int tid, Process process, int status, long cpuTime)
    {
        Tid = tid;
        Process = process;
        Status = status;
        CpuTime = cpuTime;
    }

    public int Tid { get; private set; }

    public Process Process { get; private set; } = null!;

    public int Status { get; private set; }

    public long CpuTime { get; private set; }

    /// <summary>The whole process has ended, and its parent learns of it after the tracer.</summary>
    public bool IsProcess => Tid == Process.Pid;
}
