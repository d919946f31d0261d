using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Seccomp;

/// <summary>Where a confined thread's system calls are looked at before they are served.</summary>
internal static class SeccompGate
{
    /// <summary>SECCOMP_MODE_STRICT.</summary>
    public const int Strict = 1;

    /// <summary>SECCOMP_MODE_FILTER.</summary>
    public const int Filter = 2;

    /// <summary>AUDIT_ARCH_X86_64.</summary>
    private const uint Architecture = 0xC000003E;

    private const int SYS_SECCOMP = 1;

    /// <summary>Whether the call may be made. If not, what the program sees instead has been arranged.</summary>
    public static bool Admit(PosixThread thread)
    {
        int number = thread.SyscallNumber;
        bool asked = thread.FilterAsked;
        thread.FilterAsked = false;
        if (thread.SeccompMode == Strict)
        {
            if ((SyscallNumber)number is SyscallNumber.read or SyscallNumber.write or SyscallNumber.exit or SyscallNumber.rt_sigreturn) return true;
            Kill(thread, Signal.SIGKILL, wholeProcess: false);
            return false;
        }

        Span<byte> data = stackalloc byte[64];
        BitConverter.TryWriteBytes(data, number);
        BitConverter.TryWriteBytes(data[4..], Architecture);
        BitConverter.TryWriteBytes(data[8..], thread.Registers.Rip);
        BitConverter.TryWriteBytes(data[16..], thread.Registers.Rdi);
        BitConverter.TryWriteBytes(data[24..], thread.Registers.Rsi);
        BitConverter.TryWriteBytes(data[32..], thread.Registers.Rdx);
        BitConverter.TryWriteBytes(data[40..], thread.Registers.R10);
        BitConverter.TryWriteBytes(data[48..], thread.Registers.R8);
        BitConverter.TryWriteBytes(data[56..], thread.Registers.R9);
        uint verdict = SeccompFilter.Evaluate(thread.SeccompFilter!, data);
        uint detail = verdict & 0xFFFF;
        switch (verdict & SeccompAction.Mask)
        {
            case SeccompAction.Allow or SeccompAction.Log:
                return true;
            case SeccompAction.Error:
                // MAX_ERRNO.
                thread.Registers.Rax = (ulong)-(long)Math.Min(detail, 4095);
                return false;
            case SeccompAction.Trace when asked:
                return true;
            case SeccompAction.Trace when Tracing.TraceStops.HoldForFilter(thread, detail):
                return false;
            case SeccompAction.Trace or SeccompAction.UserNotification:
                // Nobody traces or listens.
                thread.Registers.Rax = unchecked((ulong)-(long)Errno.ENOSYS);
                return false;
            case SeccompAction.Trap:
                // The number stays in RAX: the call has not been made.
                thread.ForceSignal(new SignalInfo
                {
                    Signal = Signal.SIGSYS,
                    Error = (int)detail,
                    Code = SYS_SECCOMP,
                    Address = thread.Registers.Rip,
                    Value = (uint)number | ((ulong)Architecture << 32),
                });
                return false;
            default:
                Kill(thread, Signal.SIGSYS, wholeProcess: (verdict & SeccompAction.Mask) != SeccompAction.KillThread);
                return false;
        }
    }

    private static void Kill(PosixThread thread, int signal, bool wholeProcess)
    {
        if (wholeProcess || thread.Process.Threads.Count == 1) thread.Process.ExitGroup(Process.KilledStatus(signal));
        else thread.Exit(Process.KilledStatus(signal));
    }
}
