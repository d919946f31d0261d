using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Tracing;

/// <summary>PTRACE_GET_SYSCALL_INFO: struct ptrace_syscall_info (linux/ptrace.h).</summary>
internal static class TraceSyscallInfo
{
    private const uint AUDIT_ARCH_X86_64 = 0xC000_003E;
    private const int HeaderSize = 24;
    private const int EntrySize = HeaderSize + 56;
    private const int ExitSize = HeaderSize + 9;

    /// <summary>Writes as much of it as there is room for; returns how long it is.</summary>
    public static SyscallResult Write(PosixThread thread, PosixThread target, ThreadTrace trace, ulong room, UserAddress destination)
    {
        Span<byte> info = stackalloc byte[EntrySize];
        info.Clear();
        ref readonly var registers = ref target.Registers;
        // Without PTRACE_O_TRACESYSGOOD a stop does not say that it is one of a system call.
        bool isSyscall = trace.Has(TraceOptions.PTRACE_O_TRACESYSGOOD);
        int size = HeaderSize;
        if (isSyscall && trace.Stop == TraceStop.SyscallEntry)
        {
            size = EntrySize;
            info[0] = 1;
            ReadOnlySpan<ulong> call = [(ulong)target.SyscallNumber, registers.Rdi, registers.Rsi, registers.Rdx, registers.R10, registers.R8, registers.R9];
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(call).CopyTo(info[HeaderSize..]);
        }
        else if (isSyscall && trace.Stop == TraceStop.SyscallExit)
        {
            size = ExitSize;
            info[0] = 2;
            BitConverter.TryWriteBytes(info[HeaderSize..], registers.Rax);
            info[HeaderSize + 8] = (long)registers.Rax is < 0 and >= -4095 ? (byte)1 : (byte)0;
        }

        BitConverter.TryWriteBytes(info[4..], AUDIT_ARCH_X86_64);
        BitConverter.TryWriteBytes(info[8..], registers.Rip);
        BitConverter.TryWriteBytes(info[16..], registers.Rsp);
        int length = (int)Math.Min(room, (ulong)size);
        return thread.Memory.User.Write(destination, info[..length]) == length ? size : Errno.EFAULT;
    }
}
