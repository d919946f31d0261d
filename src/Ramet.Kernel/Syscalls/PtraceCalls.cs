using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Tracing;

namespace Ramet.Kernel.Syscalls;

/// <summary>ptrace(2).</summary>
internal static class PtraceCalls
{
    private const ulong NT_PRSTATUS = 1;
    private const ulong NT_PRFPREG = 2;
    private const ulong NT_X86_XSTATE = 0x202;
    private const int Words = TraceRegisters.Size / 8;

    // struct user (sys/user.h): its size, and where the debug registers are in it.
    private const ulong UserSize = 912;
    private const ulong DebugRegisters = 848;

    [Syscall(SyscallNumber.ptrace, Missing = "hardware watchpoints (debuggers watch by single steps)")]
    internal static SyscallResult Ptrace(PosixThread thread, TraceRequest request, int pid, UserAddress addr, ulong data)
    {
        if (request == TraceRequest.PTRACE_TRACEME) return TraceMe(thread);
        if (thread.Kernel.Processes.FindThread(pid) is not { } target) return Errno.ESRCH;
        if (request is TraceRequest.PTRACE_ATTACH or TraceRequest.PTRACE_SEIZE) return Attach(thread, target, request, addr.Value, data);
        if (target.Trace is not { } trace || trace.Tracer != thread) return Errno.ESRCH;
        if (request == TraceRequest.PTRACE_KILL)
        {
            target.Process.SendSignal(Signal.SIGKILL);
            return 0;
        }

        if (request == TraceRequest.PTRACE_INTERRUPT)
        {
            if (!trace.IsSeized) return Errno.EIO;
            // A thread that listens is in its stop already, and reports it anew.
            trace.TrapRequested = true;
            if (trace.IsListening) target.LeaveTraceStop();
            else if (!target.IsInTraceStop) target.InterruptForTrace();
            return 0;
        }

        return target.IsInTraceStop ? Serve(thread, target, trace, request, addr, data) : Errno.ESRCH;
    }

    private static SyscallResult TraceMe(PosixThread thread)
    {
        if (thread.Trace is not null) return Errno.EPERM;
        var parent = thread.Process.Parent;
        if ((thread.Process.ParentThread ?? parent?.Leader) is not { State: not ThreadState.Dead } tracer || tracer.Process != parent) return Errno.EPERM;
        thread.BeginTrace(tracer, seized: false, TraceOptions.None);
        return 0;
    }

    private static SyscallResult Attach(PosixThread thread, PosixThread target, TraceRequest request, ulong addr, ulong data)
    {
        bool seize = request == TraceRequest.PTRACE_SEIZE;
        var options = seize ? (TraceOptions)data : TraceOptions.None;
        if (seize && (addr != 0 || !IsPossible(options))) return Errno.EIO;
        if (target.Process == thread.Process || !Permissions.MayTrace(thread, target)) return Errno.EPERM;
        if (target.Trace is not null || target.IsDying) return Errno.EPERM;
        target.BeginTrace(thread, seize, options);
        if (target.State == ThreadState.Stopped && target.Process.IsStopped)
        {
            // Stopped by job control: it reports that stop to its tracer.
            if (!seize) target.Pending.Add(new SignalInfo { Signal = Signal.SIGSTOP, Code = SignalInfo.SI_KERNEL }, int.MaxValue);
            target.LeaveTraceStop();
        }
        else if (!seize)
        {
            target.SendSignal(Signal.SIGSTOP);
        }

        return 0;
    }

    private static bool IsPossible(TraceOptions options) => (options & ~TraceOptions.All) == 0;

    /// <summary>Requests that a stopped thread serves.</summary>
    private static SyscallResult Serve(PosixThread thread, PosixThread target, ThreadTrace trace, TraceRequest request, UserAddress addr, ulong data)
    {
        var user = thread.Memory.User;
        var address = new UserAddress(data);
        switch (request)
        {
            case TraceRequest.PTRACE_PEEKTEXT or TraceRequest.PTRACE_PEEKDATA:
                return Peek(thread, target, addr, address);
            case TraceRequest.PTRACE_POKETEXT or TraceRequest.PTRACE_POKEDATA:
                return target.Memory.WriteForced(addr.Value, BitConverter.GetBytes(data)) == sizeof(ulong) ? 0 : Errno.EIO;
            case TraceRequest.PTRACE_PEEKUSER:
                return PeekUser(thread, target, addr.Value, address);
            case TraceRequest.PTRACE_POKEUSER:
                return PokeUser(target, addr.Value, data);
            case TraceRequest.PTRACE_CONT or TraceRequest.PTRACE_SYSCALL or TraceRequest.PTRACE_SINGLESTEP or TraceRequest.PTRACE_SYSEMU or TraceRequest.PTRACE_SYSEMU_SINGLESTEP:
                return Resume(target, request, data);
            case TraceRequest.PTRACE_DETACH:
                if (data > Signal.SIGRTMAX) return Errno.EIO;
                target.EndTrace((int)data);
                return 0;
            case TraceRequest.PTRACE_LISTEN:
                if (!trace.IsSeized || trace.StopCode >> 8 != TraceEvent.Stop) return Errno.EIO;
                // The stop is over for the tracer; the thread stays where it is while its process is stopped.
                if (target.Process.IsStopped) (trace.Stop, trace.IsListening) = (TraceStop.None, true);
                else target.LeaveTraceStop();
                return 0;
            case TraceRequest.PTRACE_SETOPTIONS:
                if (!IsPossible((TraceOptions)data)) return Errno.EINVAL;
                trace.Options = (TraceOptions)data;
                return 0;
            case TraceRequest.PTRACE_GETEVENTMSG:
                return user.TryWrite(address, trace.Message) ? 0 : Errno.EFAULT;
            case TraceRequest.PTRACE_GETSIGINFO:
                return GetSignalInfo(thread, trace, address);
            case TraceRequest.PTRACE_SETSIGINFO:
                return SetSignalInfo(thread, trace, address);
            case TraceRequest.PTRACE_GETSIGMASK:
                return addr.Value != 8 ? Errno.EINVAL : user.TryWrite(address, target.SignalMask) ? 0 : Errno.EFAULT;
            case TraceRequest.PTRACE_SETSIGMASK:
                if (addr.Value != 8) return Errno.EINVAL;
                if (!user.TryRead(address, out ulong mask)) return Errno.EFAULT;
                target.SignalMask = mask;
                return 0;
            case TraceRequest.PTRACE_GETREGS:
                return GetSet(thread, target, NT_PRSTATUS, address, TraceRegisters.Size, out _);
            case TraceRequest.PTRACE_SETREGS:
                return PutSet(thread, target, NT_PRSTATUS, address, TraceRegisters.Size, out _);
            case TraceRequest.PTRACE_GETFPREGS:
                return GetSet(thread, target, NT_PRFPREG, address, TraceRegisters.LegacySize, out _);
            case TraceRequest.PTRACE_SETFPREGS:
                return PutSet(thread, target, NT_PRFPREG, address, TraceRegisters.LegacySize, out _);
            case TraceRequest.PTRACE_GETREGSET or TraceRequest.PTRACE_SETREGSET:
                return RegisterSet(thread, target, request, addr.Value, address);
            case TraceRequest.PTRACE_GET_SYSCALL_INFO:
                return TraceSyscallInfo.Write(thread, target, trace, addr.Value, address);
            default:
                return Errno.EIO;
        }
    }

    private static SyscallResult Resume(PosixThread target, TraceRequest request, ulong signal)
    {
        if (signal > Signal.SIGRTMAX) return Errno.EIO;
        var mode = request switch
        {
            TraceRequest.PTRACE_SYSCALL => TraceMode.Syscall,
            TraceRequest.PTRACE_SINGLESTEP or TraceRequest.PTRACE_SYSEMU_SINGLESTEP => TraceMode.SingleStep,
            _ => TraceMode.Continue,
        };
        TraceStops.Resume(target, mode, (int)signal, request is TraceRequest.PTRACE_SYSEMU or TraceRequest.PTRACE_SYSEMU_SINGLESTEP);
        return 0;
    }

    private static SyscallResult Peek(PosixThread thread, PosixThread target, UserAddress addr, UserAddress destination)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        if (target.Memory.ReadForced(addr.Value, word) != word.Length) return Errno.EIO;
        return thread.Memory.User.Write(destination, word) == word.Length ? 0 : Errno.EFAULT;
    }

    private static SyscallResult PeekUser(PosixThread thread, PosixThread target, ulong offset, UserAddress destination)
    {
        if (offset % 8 != 0 || offset >= UserSize) return Errno.EIO;
        ulong value = 0;
        if (offset < TraceRegisters.Size)
        {
            Span<ulong> words = stackalloc ulong[Words];
            TraceRegisters.Read(target, words);
            value = words[(int)(offset / 8)];
        }

        return thread.Memory.User.TryWrite(destination, value) ? 0 : Errno.EFAULT;
    }

    private static SyscallResult PokeUser(PosixThread target, ulong offset, ulong value)
    {
        if (offset % 8 != 0 || offset >= UserSize) return Errno.EIO;
        // Debug registers are there, and none can be used.
        if (offset >= DebugRegisters) return value == 0 ? 0 : Errno.ENOSPC;
        if (offset >= TraceRegisters.Size) return 0;
        Span<ulong> words = stackalloc ulong[Words];
        TraceRegisters.Read(target, words);
        words[(int)(offset / 8)] = value;
        return TraceRegisters.Write(target, words);
    }

    private static SyscallResult GetSignalInfo(PosixThread thread, ThreadTrace trace, UserAddress destination)
    {
        // How tracers tell a stop of the process by a signal.
        if (trace.Stop == TraceStop.Group) return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[SignalFrame.SignalInfoSize];
        trace.Info.Write(bytes);
        return thread.Memory.User.Write(destination, bytes) == bytes.Length ? 0 : Errno.EFAULT;
    }

    private static SyscallResult SetSignalInfo(PosixThread thread, ThreadTrace trace, UserAddress source)
    {
        if (trace.Stop == TraceStop.Group) return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[SignalFrame.SignalInfoSize];
        if (thread.Memory.User.Read(source, bytes) != bytes.Length) return Errno.EFAULT;
        int signal = BitConverter.ToInt32(bytes);
        var info = SignalInfo.Read(bytes, signal);
        if (Signal.IsValid(signal) && (Signal.Synchronous & Signal.Bit(signal)) != 0 && info.Code is > 0 and < SignalInfo.SI_KERNEL) info.Address = BitConverter.ToUInt64(bytes[16..]);
        trace.Info = info;
        return 0;
    }

    private static SyscallResult RegisterSet(PosixThread thread, PosixThread target, TraceRequest request, ulong type, UserAddress vector)
    {
        if (!thread.Memory.User.TryRead(vector, out ulong start) || !thread.Memory.User.TryRead(vector + 8, out ulong length)) return Errno.EFAULT;
        var place = new UserAddress(start);
        int wanted = (int)Math.Min(length, 1 << 16);
        var result = request == TraceRequest.PTRACE_GETREGSET
            ? GetSet(thread, target, type, place, wanted, out int done)
            : PutSet(thread, target, type, place, wanted, out done);
        if (result.IsError) return result;
        return thread.Memory.User.TryWrite(vector + 8, (ulong)done) ? result : Errno.EFAULT;
    }

    private static SyscallResult GetSet(PosixThread thread, PosixThread target, ulong type, UserAddress destination, int wanted, out int done)
    {
        done = 0;
        byte[] state;
        switch (type)
        {
            case NT_PRSTATUS:
                state = new byte[TraceRegisters.Size];
                TraceRegisters.Read(target, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(state.AsSpan()));
                break;
            case NT_PRFPREG:
                state = TraceRegisters.ReadExtended(target)[..TraceRegisters.LegacySize];
                break;
            case NT_X86_XSTATE:
                state = TraceRegisters.ReadExtended(target);
                break;
            default:
                return Errno.EINVAL;
        }

        if (wanted % 8 != 0) return Errno.EINVAL;
        done = Math.Min(wanted, state.Length);
        return thread.Memory.User.Write(destination, state.AsSpan(0, done)) == done ? 0 : Errno.EFAULT;
    }

    private static SyscallResult PutSet(PosixThread thread, PosixThread target, ulong type, UserAddress source, int wanted, out int done)
    {
        done = 0;
        if (type is not (NT_PRSTATUS or NT_PRFPREG or NT_X86_XSTATE) || wanted % 8 != 0) return Errno.EINVAL;
        int size = type switch
        {
            NT_PRSTATUS => TraceRegisters.Size,
            NT_PRFPREG => TraceRegisters.LegacySize,
            _ => thread.Kernel.Machine.Features.XStateSize,
        };
        done = Math.Min(wanted, size);
        if (type == NT_PRSTATUS)
        {
            Span<ulong> words = stackalloc ulong[Words];
            TraceRegisters.Read(target, words);
            return thread.Memory.User.Read(source, TraceRegisters.Bytes(words)[..done]) != done ? Errno.EFAULT : TraceRegisters.Write(target, words);
        }

        if (done < size) return Errno.EFAULT;
        byte[] state = new byte[size];
        return thread.Memory.User.Read(source, state) != size ? Errno.EFAULT : TraceRegisters.WriteExtended(target, state);
    }
}
