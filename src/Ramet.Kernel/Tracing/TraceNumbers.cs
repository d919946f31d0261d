namespace Ramet.Kernel.Tracing;

/// <summary>PTRACE_* requests (ptrace(2)).</summary>
internal enum TraceRequest : long
{
    PTRACE_TRACEME = 0,
    PTRACE_PEEKTEXT = 1,
    PTRACE_PEEKDATA = 2,
    PTRACE_PEEKUSER = 3,
    PTRACE_POKETEXT = 4,
    PTRACE_POKEDATA = 5,
    PTRACE_POKEUSER = 6,
    PTRACE_CONT = 7,
    PTRACE_KILL = 8,
    PTRACE_SINGLESTEP = 9,
    PTRACE_GETREGS = 12,
    PTRACE_SETREGS = 13,
    PTRACE_GETFPREGS = 14,
    PTRACE_SETFPREGS = 15,
    PTRACE_ATTACH = 16,
    PTRACE_DETACH = 17,
    PTRACE_SYSCALL = 24,
    PTRACE_SYSEMU = 31,
    PTRACE_SYSEMU_SINGLESTEP = 32,
    PTRACE_SETOPTIONS = 0x4200,
    PTRACE_GETEVENTMSG = 0x4201,
    PTRACE_GETSIGINFO = 0x4202,
    PTRACE_SETSIGINFO = 0x4203,
    PTRACE_GETREGSET = 0x4204,
    PTRACE_SETREGSET = 0x4205,
    PTRACE_SEIZE = 0x4206,
    PTRACE_INTERRUPT = 0x4207,
    PTRACE_LISTEN = 0x4208,
    PTRACE_GETSIGMASK = 0x420A,
    PTRACE_SETSIGMASK = 0x420B,
    PTRACE_GET_SYSCALL_INFO = 0x420E,
}

/// <summary>PTRACE_O_*.</summary>
[Flags]
internal enum TraceOptions : ulong
{
    None = 0,
    PTRACE_O_TRACESYSGOOD = 1,
    PTRACE_O_TRACEFORK = 1 << TraceEvent.Fork,
    PTRACE_O_TRACEVFORK = 1 << TraceEvent.Vfork,
    PTRACE_O_TRACECLONE = 1 << TraceEvent.Clone,
    PTRACE_O_TRACEEXEC = 1 << TraceEvent.Exec,
    PTRACE_O_TRACEVFORKDONE = 1 << TraceEvent.VforkDone,
    PTRACE_O_TRACEEXIT = 1 << TraceEvent.Exit,
    PTRACE_O_TRACESECCOMP = 1 << TraceEvent.Seccomp,
    PTRACE_O_EXITKILL = 1 << 20,
    All = 0xFF | PTRACE_O_EXITKILL,
}

/// <summary>PTRACE_EVENT_*.</summary>
internal static class TraceEvent
{
    public const int Fork = 1;
    public const int Vfork = 2;
    public const int Clone = 3;
    public const int Exec = 4;
    public const int VforkDone = 5;
    public const int Exit = 6;
    public const int Seccomp = 7;
    public const int Stop = 128;
}

/// <summary>Why a traced thread stands still.</summary>
internal enum TraceStop : byte
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>A signal is about to be delivered (signal-delivery-stop).</summary>
    Signal,

    /// <summary>A system call is about to be made.</summary>
    SyscallEntry,

    /// <summary>A system call has been made.</summary>
    SyscallExit,

    /// <summary>PTRACE_EVENT_*, or the trap of a single step into a signal handler.</summary>
    Event,

    /// <summary>The process was stopped by a signal (group-stop).</summary>
    Group,

    /// <summary>PTRACE_INTERRUPT, or the end of a group-stop (PTRACE_EVENT_STOP).</summary>
    Trap,
}

/// <summary>How a traced thread was told to go on.</summary>
internal enum TraceMode : byte
{
    /// <summary>PTRACE_CONT.</summary>
    Continue,

    /// <summary>PTRACE_SYSCALL.</summary>
    Syscall,

    /// <summary>PTRACE_SINGLESTEP.</summary>
    SingleStep,
}
