using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel;

/// <summary>The life of a system call: begin, perhaps block and run again, end.</summary>
public sealed partial class Kernel
{
    private void BeginSyscall(PosixThread thread)
    {
        Statistics.Syscalls++;
        if (thread.MayRestartCall)
        {
            thread.MayRestartCall = false;
            if (thread.Registers.Rax == (ulong)SyscallNumber.restart_syscall)
            {
                if (thread.Trace is null || Tracing.TraceStops.MayBegin(thread)) ResumeSyscall(thread);
                return;
            }
        }

        thread.BeginSyscall();
        thread.SyscallNumber = (int)thread.Registers.Rax;
        if (thread.Trace is not null && !Tracing.TraceStops.MayBegin(thread)) return;
        AdmitSyscall(thread);
    }

    /// <summary>The tracer has looked at the call, and maybe changed it: -1 is none.</summary>
    private void BeginHeldSyscall(PosixThread thread)
    {
        thread.SyscallHeld = false;
        bool emulated = thread.SyscallEmulated;
        thread.SyscallEmulated = false;
        if (thread.IsDying) return;
        if (emulated)
        {
            // The step over an emulated call ends at the next instruction (kernel/entry/common.c, report_single_step).
            if (thread.Trace is { Mode: not Tracing.TraceMode.SingleStep } emulator) Tracing.TraceStops.OnSyscallEnd(thread, emulator);
        }
        else if (thread.Deadline != PosixThread.Never) ResumeSyscall(thread);
        else if (thread.IsInSyscallContext && thread.SyscallNumber >= 0) AdmitSyscall(thread);
        else if (thread.Trace is { } trace) Tracing.TraceStops.OnSyscallEnd(thread, trace);
    }

    private void AdmitSyscall(PosixThread thread)
    {
        if (thread.SeccompMode != 0 && !Seccomp.SeccompGate.Admit(thread))
        {
            if (thread.SyscallHeld) return;
            if (thread.Trace is { } trace && thread.State == ThreadState.Runnable) Tracing.TraceStops.OnSyscallEnd(thread, trace);
            return;
        }

        RunHandler(thread);
    }

    private void ResumeSyscall(PosixThread thread)
    {
        thread.StopWaiting();
        thread.Resuming = true;
        RunHandler(thread);
    }

    private void RunHandler(PosixThread thread)
    {
        int number = thread.SyscallNumber;
        var arguments = new SyscallArguments(thread.Registers);
        thread.InSyscall = true;
        string? call = Tracer is null ? null : SyscallTable.FormatCall(thread, number, arguments);
        if (!SyscallTable.IsPresent(number)) CountAbsent(number);
        var result = SyscallTable.Dispatch(thread, number, arguments);
        if (result.IsBlocked) return;
        thread.InSyscall = false;
        if (call is not null) Tracer!.OnSyscall(thread.Tid, SyscallTable.FormatResult(thread, number, arguments, call, result));
        if (thread.State == ThreadState.Dead) return;
        if (result.IsNoReturn)
        {
            thread.RestoreSignalMask();
            if (thread.Trace is not null) Tracing.TraceStops.OnSyscallEnd(thread, thread.Trace);
            return;
        }

        // Restart codes stay in RAX until SignalDelivery has seen whether a handler runs.
        thread.Registers.Rax = (ulong)result.Value;
        thread.RestartCode = result.Value is <= -(long)RestartKind.ERESTARTSYS and >= -(long)RestartKind.ERESTART_RESTARTBLOCK ? (int)-result.Value : 0;
        if (thread.RestartCode == 0 && !thread.SignalPending) thread.RestoreSignalMask();
        if (thread.Trace is not null) Tracing.TraceStops.OnSyscallEnd(thread, thread.Trace);
    }

    /// <summary>Makes an interrupted call again. One that keeps its deadline goes on as if it had only been woken.</summary>
    internal void RestartSyscall(PosixThread thread, bool keepsDeadline)
    {
        thread.Registers.Rax = (ulong)thread.SyscallNumber;
        if (!keepsDeadline) thread.BeginSyscall();
        thread.Resuming = keepsDeadline;
        RunHandler(thread);
    }

    private void CountAbsent(int number)
    {
        // Programs may call any number: those that no table will ever have are counted together.
        if (number is < 0 or >= KernelStatistics.CountedNumbers) number = -1;
        Statistics.Absent[number] = Statistics.Absent.GetValueOrDefault(number) + 1;
    }
}
