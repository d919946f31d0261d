using System.Runtime.InteropServices;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tracing;

namespace Ramet.Kernel.Signals;

/// <summary>What happens before a thread runs user code: it ends, stops, restarts its call, or enters a signal handler.</summary>
internal static class SignalDelivery
{
    /// <summary>SS_DISABLE of sigaltstack(2).</summary>
    public const uint SS_DISABLE = 2;

    /// <summary>SS_ONSTACK.</summary>
    public const uint SS_ONSTACK = 1;

    /// <summary>SS_AUTODISARM.</summary>
    public const uint SS_AUTODISARM = 1u << 31;

    private const int MostRounds = 256;
    private const ulong RedZone = 128;
    private const uint XStateMagic1 = 0x46505853;
    private const uint XStateMagic2 = 0x46505845;
    private const int SoftwareReservedOffset = 464;

    // Flags that a program can set itself: CF PF AF ZF SF TF DF OF AC RF ID, and nothing that matters to ring 0.
    private const ulong UserRflags = 0x0001 | 0x0004 | 0x0010 | 0x0040 | 0x0080 | 0x0100 | 0x0400 | 0x0800 | 0x4_0000 | 0x1_0000 | 0x20_0000;

    /// <summary>Settles everything that waits for a thread. False when it does not run now (ended, stopped, blocked again).</summary>
    public static bool PrepareToRun(PosixThread thread, Kernel kernel)
    {
        // A call that is restarted again and again makes way for others in between.
        for (int rounds = 0; rounds < MostRounds; rounds++)
        {
            if (thread.ExitRequested)
            {
                if (!TraceStops.StopsBeforeExit(thread)) thread.Exit(thread.PendingExitStatus);
                return false;
            }

            if (thread.Trace is { } trace)
            {
                if (!TraceStops.Settle(thread, trace)) return false;
                if (TraceStops.TryTakeHeld(thread, trace, out var held))
                {
                    if (!Deliver(thread, held, kernel)) return false;
                    continue;
                }
            }
            else if (thread.Process.IsStopped)
            {
                thread.State = ThreadState.Stopped;
                return false;
            }

            if (!thread.TryTakeSignal(~thread.SignalMask, out var info))
            {
                if (thread.RestartCode == 0)
                {
                    thread.RestoreSignalMask();
                    return true;
                }

                if (!RestartSyscall(thread, kernel)) return false;
                continue;
            }

            kernel.Statistics.Signals++;
            if (thread.Trace is not null && !TraceStops.MayDeliver(thread, info)) return false;
            if (!Deliver(thread, info, kernel)) return false;
        }

        return false;
    }

    /// <summary>No handler runs: the interrupted call is made again.</summary>
    private static bool RestartSyscall(PosixThread thread, Kernel kernel)
    {
        bool keepsDeadline = thread.RestartCode == (int)RestartKind.ERESTART_RESTARTBLOCK;
        thread.RestartCode = 0;
        if (thread.Trace is { Mode: TraceMode.Syscall })
        {
            // The tracer is to see that the call is made again.
            thread.Registers.Rip -= 2;
            thread.Registers.Rax = keepsDeadline ? (ulong)SyscallNumber.restart_syscall : (ulong)thread.SyscallNumber;
            thread.MayRestartCall = keepsDeadline;
            return true;
        }

        kernel.RestartSyscall(thread, keepsDeadline);
        return thread.State == ThreadState.Runnable;
    }

    private static bool Deliver(PosixThread thread, in SignalInfo info, Kernel kernel)
    {
        var process = thread.Process;
        ref var action = ref process.Handlers[info.Signal];
        if (action.Handler == SignalAction.Ignore) return true;
        if (action.Handler != SignalAction.Default)
        {
            var chosen = action;
            if ((chosen.Flags & SignalActionFlags.SA_RESETHAND) != 0) action.Handler = SignalAction.Default;
            SettleInterruptedCall(thread, chosen);
            if (TryEnterHandler(thread, info, chosen, kernel)) return true;
            // The stack is not there: SIGSEGV, and if that is what could not be delivered, the end.
            if (info.Signal == Signal.SIGSEGV)
            {
                process.ExitGroup(Process.KilledStatus(Signal.SIGSEGV));
                return true;
            }

            thread.ForceSignal(SignalInfo.FromKernel(Signal.SIGSEGV));
            return true;
        }

        if (Signal.IsIgnoredByDefault(info.Signal)) return true;
        if (Signal.IsStopping(info.Signal))
        {
            // Nobody could continue it: job control does not stop members of an orphaned group.
            if (info.Signal != Signal.SIGSTOP && process.IsInOrphanedGroup()) return true;
            if (!process.IsStopped) process.Stop(info.Signal);
            else if (thread.Trace is not null) thread.Trace.GroupStopSeen = false;
            return true;
        }

        process.ExitGroup(Process.KilledStatus(info.Signal));
        return true;
    }

    /// <summary>A handler runs: the call that the signal interrupted is restarted after it, or fails with EINTR.</summary>
    private static void SettleInterruptedCall(PosixThread thread, in SignalAction action)
    {
        if (thread.RestartCode == 0) return;
        bool restart = thread.RestartCode == (int)RestartKind.ERESTARTNOINTR
            || (thread.RestartCode == (int)RestartKind.ERESTARTSYS && (action.Flags & SignalActionFlags.SA_RESTART) != 0);
        thread.RestartCode = 0;
        if (restart)
        {
            thread.Registers.Rax = (ulong)thread.SyscallNumber;
            thread.Registers.Rip -= 2;
        }
        else
        {
            thread.Registers.Rax = unchecked((ulong)-(long)Errno.EINTR);
        }
    }

    private static bool TryEnterHandler(PosixThread thread, in SignalInfo info, in SignalAction action, Kernel kernel)
    {
        ref var registers = ref thread.Registers;
        int stateSize = kernel.Machine.Features.XStateSize;
        bool onStack = IsOnAlternateStack(thread, registers.Rsp);
        ulong stack = registers.Rsp - RedZone;
        if ((action.Flags & SignalActionFlags.SA_ONSTACK) != 0 && (thread.AlternateStackFlags & SS_DISABLE) == 0 && !onStack)
        {
            stack = thread.AlternateStack + thread.AlternateStackSize;
        }

        ulong state = (stack - (ulong)stateSize - sizeof(uint)) & ~63UL;
        int frameSize = Marshal.SizeOf<SignalFrame>();
        ulong frameAddress = ((state - (ulong)frameSize - SignalFrame.SignalInfoSize) & ~15UL) - 8;
        if ((thread.AlternateStackFlags & SS_DISABLE) == 0 && (onStack || stack != registers.Rsp - RedZone)
            && frameAddress < thread.AlternateStack && stack > thread.AlternateStack)
        {
            return false;
        }

        var frame = new SignalFrame
        {
            ReturnAddress = action.Restorer,
            Flags = SignalFrame.ContextFlags,
            StackAddress = thread.AlternateStack,
            StackFlags = (int)(thread.AlternateStackFlags & SS_DISABLE) | (onStack ? (int)SS_ONSTACK : 0),
            StackSize = thread.AlternateStackSize,
            Mask = thread.TakeSignalMaskToRestore(),
            Context = new SignalContext
            {
                R8 = registers.R8,
                R9 = registers.R9,
                R10 = registers.R10,
                R11 = registers.R11,
                R12 = registers.R12,
                R13 = registers.R13,
                R14 = registers.R14,
                R15 = registers.R15,
                Rdi = registers.Rdi,
                Rsi = registers.Rsi,
                Rbp = registers.Rbp,
                Rbx = registers.Rbx,
                Rdx = registers.Rdx,
                Rax = registers.Rax,
                Rcx = registers.Rcx,
                Rsp = registers.Rsp,
                Rip = registers.Rip,
                Rflags = registers.Rflags,
                Cs = 0x33,
                Ss = 0x2b,
                Error = thread.LastFaultError,
                TrapNumber = thread.LastFaultVector,
                OldMask = thread.SignalMask,
                Cr2 = thread.LastFaultAddress,
                FloatingPointState = state,
            },
        };
        Span<byte> signalInfo = stackalloc byte[SignalFrame.SignalInfoSize];
        info.Write(signalInfo);
        var user = thread.Memory.User;
        if (!TryWriteExtendedState(thread, kernel, state, stateSize)
            || !user.TryWrite(new UserAddress(frameAddress), frame)
            || user.Write(new UserAddress(frameAddress + (ulong)frameSize), signalInfo) != signalInfo.Length)
        {
            return false;
        }

        if ((thread.AlternateStackFlags & SS_AUTODISARM) != 0)
        {
            thread.AlternateStackFlags = SS_DISABLE;
            thread.AlternateStack = thread.AlternateStackSize = 0;
        }

        thread.SignalMask |= action.Mask | ((action.Flags & SignalActionFlags.SA_NODEFER) != 0 ? 0 : Signal.Bit(info.Signal));
        registers.Rdi = (ulong)info.Signal;
        registers.Rsi = frameAddress + (ulong)frameSize;
        registers.Rdx = frameAddress + 8;
        registers.Rax = 0;
        registers.Rsp = frameAddress;
        registers.Rip = action.Handler;
        // The handler starts with direction and trap flags clear (the ABI asks for it).
        registers.Rflags &= ~(0x100UL | 0x400UL | 0x1_0000UL);
        if (thread.Trace is not null) TraceStops.OnHandlerEntered(thread);
        return true;
    }

    private static bool TryWriteExtendedState(PosixThread thread, Kernel kernel, ulong address, int size)
    {
        kernel.UnloadThread(thread);
        byte[] state = new byte[size + sizeof(uint)];
        (thread.ExtendedState ??= new byte[size]).AsSpan(0, size).CopyTo(state);
        // struct _fpx_sw_bytes: tells the program that the area is an XSAVE area and how large.
        var software = state.AsSpan(SoftwareReservedOffset, 48);
        software.Clear();
        BitConverter.TryWriteBytes(software, XStateMagic1);
        BitConverter.TryWriteBytes(software[4..], size + sizeof(uint));
        BitConverter.TryWriteBytes(software[8..], kernel.Machine.Features.XStateMask);
        BitConverter.TryWriteBytes(software[16..], size);
        BitConverter.TryWriteBytes(state.AsSpan(size), XStateMagic2);
        return thread.Memory.User.Write(new UserAddress(address), state) == state.Length;
    }

    /// <summary>rt_sigreturn(2): goes back to where the signal came.</summary>
    public static SyscallResult Return(PosixThread thread)
    {
        var kernel = thread.Kernel;
        var user = thread.Memory.User;
        if (!user.TryRead(new UserAddress(thread.Registers.Rsp - 8), out SignalFrame frame) || !TryReadExtendedState(thread, frame.Context.FloatingPointState))
        {
            thread.ForceSignal(SignalInfo.FromKernel(Signal.SIGSEGV));
            return SyscallResult.NoReturn;
        }

        kernel.UnloadThread(thread);
        thread.SignalMask = frame.Mask;
        var context = frame.Context;
        ref var registers = ref thread.Registers;
        registers.R8 = context.R8;
        registers.R9 = context.R9;
        registers.R10 = context.R10;
        registers.R11 = context.R11;
        registers.R12 = context.R12;
        registers.R13 = context.R13;
        registers.R14 = context.R14;
        registers.R15 = context.R15;
        registers.Rdi = context.Rdi;
        registers.Rsi = context.Rsi;
        registers.Rbp = context.Rbp;
        registers.Rbx = context.Rbx;
        registers.Rdx = context.Rdx;
        registers.Rax = context.Rax;
        registers.Rcx = context.Rcx;
        registers.Rsp = context.Rsp;
        registers.Rip = context.Rip;
        registers.Rflags = (registers.Rflags & ~UserRflags) | (context.Rflags & UserRflags);
        if ((frame.StackFlags & ~(int)SS_ONSTACK) is 0 or unchecked((int)SS_AUTODISARM) && frame.StackSize > 0)
        {
            thread.AlternateStack = frame.StackAddress;
            thread.AlternateStackSize = frame.StackSize;
            thread.AlternateStackFlags = (uint)frame.StackFlags & SS_AUTODISARM;
        }

        return SyscallResult.NoReturn;
    }

    private static bool TryReadExtendedState(PosixThread thread, ulong address)
    {
        if (address == 0)
        {
            thread.Kernel.UnloadThread(thread);
            thread.ExtendedState = null;
            return true;
        }

        int size = thread.Kernel.Machine.Features.XStateSize;
        byte[] state = new byte[size];
        const int LegacySize = 512;
        var user = thread.Memory.User;
        if (user.Read(new UserAddress(address), state.AsSpan(0, LegacySize)) != LegacySize) return false;
        bool extended = BitConverter.ToUInt32(state, SoftwareReservedOffset) == XStateMagic1;
        if (extended && user.Read(new UserAddress(address + LegacySize), state.AsSpan(LegacySize)) != size - LegacySize) return false;
        state.AsSpan(SoftwareReservedOffset, 48).Clear();
        // A program must not be able to load what XRSTOR would refuse: only known components, no compaction, no reserved bits in MXCSR.
        ulong components = extended ? BitConverter.ToUInt64(state, LegacySize) & thread.Kernel.Machine.Features.XStateMask : 3;
        state.AsSpan(LegacySize, 64).Clear();
        BitConverter.TryWriteBytes(state.AsSpan(LegacySize), components);
        BitConverter.TryWriteBytes(state.AsSpan(24), BitConverter.ToUInt32(state, 24) & 0xFFFF);
        thread.Kernel.UnloadThread(thread);
        thread.ExtendedState = state;
        return true;
    }

    /// <summary>Whether a stack pointer is on the thread's alternate signal stack.</summary>
    public static bool IsOnAlternateStack(PosixThread thread, ulong rsp) =>
        (thread.AlternateStackFlags & (SS_DISABLE | SS_AUTODISARM)) == 0 && rsp > thread.AlternateStack && rsp - thread.AlternateStack <= thread.AlternateStackSize;
}
