using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Signals;

/// <summary>CPU exceptions: page faults are served or become signals; the others become the signals that Linux makes of them.</summary>
internal static class FaultDelivery
{
    private const int SEGV_MAPERR = 1;
    private const int SEGV_ACCERR = 2;
    private const int BUS_ADRALN = 1;
    private const int BUS_ADRERR = 2;
    private const int FPE_INTDIV = 1;
    private const int TRAP_TRACE = 2;
    private const int ILL_ILLOPN = 2;

    /// <summary>#PF.</summary>
    public static void OnPageFault(PosixThread thread, in VcpuExit exit)
    {
        // Error code (Intel SDM vol. 3, 4.7): bit 1 write, bit 4 instruction fetch, bit 3 a reserved bit in an entry.
        var access = (exit.ErrorCode & 2) != 0 ? AccessKind.Write : (exit.ErrorCode & 16) != 0 ? AccessKind.Execute : AccessKind.Read;
        ulong stackLimit = thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_STACK);
        var outcome = (exit.ErrorCode & 8) != 0 || thread.Memory.IsBelowStackLimit(exit.Address, stackLimit)
            ? FaultOutcome.NotMapped
            : thread.Memory.HandleFault(exit.Address, access);
        switch (outcome)
        {
            case FaultOutcome.Resolved:
                return;
            case FaultOutcome.OutOfMemory:
                thread.Kernel.OnOutOfMemory(thread.Process);
                return;
            case FaultOutcome.BeyondEnd:
                Force(thread, exit, Signal.SIGBUS, BUS_ADRERR, exit.Address);
                return;
            default:
                Force(thread, exit, Signal.SIGSEGV, outcome == FaultOutcome.NotAllowed ? SEGV_ACCERR : SEGV_MAPERR, exit.Address);
                return;
        }
    }

    /// <summary>Any other exception (Intel SDM vol. 3, 6.15).</summary>
    public static void OnException(PosixThread thread, in VcpuExit exit)
    {
        ulong rip = thread.Registers.Rip;
        switch (exit.Vector)
        {
            case 0: // #DE
                Force(thread, exit, Signal.SIGFPE, FPE_INTDIV, rip);
                break;
            case 1: // #DB
                Force(thread, exit, Signal.SIGTRAP, TRAP_TRACE, rip);
                break;
            case 3: // #BP: Linux says SI_KERNEL; TRAP_BRKPT is for breakpoints of ptrace.
                Force(thread, exit, Signal.SIGTRAP, SignalInfo.SI_KERNEL, 0);
                break;
            case 16 or 19: // #MF, #XM
                Force(thread, exit, Signal.SIGFPE, FloatingPointCode(thread, exit.Vector), rip);
                break;
            case 6: // #UD
                Force(thread, exit, Signal.SIGILL, ILL_ILLOPN, rip);
                break;
            case 17: // #AC
                Force(thread, exit, Signal.SIGBUS, BUS_ADRALN, 0);
                break;
            default: // #GP, #SS, #NP, #OF, #BR ...
                Force(thread, exit, Signal.SIGSEGV, SignalInfo.SI_KERNEL, 0);
                break;
        }
    }

    /// <summary>FPE_* from MXCSR or the x87 status word: the unmasked exception that is flagged.</summary>
    private static int FloatingPointCode(PosixThread thread, byte vector)
    {
        thread.Kernel.UnloadThread(thread);
        byte[]? state = thread.ExtendedState;
        if (state is null) return 0;
        int status = vector == 19
            ? BitConverter.ToInt32(state, 24) & ~(BitConverter.ToInt32(state, 24) >> 7)
            : BitConverter.ToUInt16(state, 2) & ~BitConverter.ToUInt16(state, 0);
        const int FpeFltdiv = 3, FpeFltovf = 4, FpeFltund = 5, FpeFltres = 6, FpeFltinv = 7;
        return (status & 1) != 0 ? FpeFltinv
            : (status & 4) != 0 ? FpeFltdiv
            : (status & 8) != 0 ? FpeFltovf
            : (status & 0x12) != 0 ? FpeFltund
            : (status & 0x20) != 0 ? FpeFltres : 0;
    }

    private static void Force(PosixThread thread, in VcpuExit exit, int signal, int code, ulong address)
    {
        thread.LastFaultVector = exit.Vector;
        thread.LastFaultError = exit.ErrorCode;
        thread.LastFaultAddress = exit.Kind == VcpuExitKind.PageFault ? exit.Address : 0;
        thread.ForceSignal(SignalInfo.Fault(signal, code, address));
    }
}
