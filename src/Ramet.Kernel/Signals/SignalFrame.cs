using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ramet.Kernel.Signals;

/// <summary>struct sigcontext of x86-64 (arch/x86/include/uapi/asm/sigcontext.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SignalContext
{
    public ulong R8, R9, R10, R11, R12, R13, R14, R15, Rdi, Rsi, Rbp, Rbx, Rdx, Rax, Rcx, Rsp, Rip, Rflags;
    public ushort Cs, Gs, Fs, Ss;
    public ulong Error, TrapNumber, OldMask, Cr2, FloatingPointState;
    public ReservedWords Reserved;

    /// <summary>Eight reserved words.</summary>
    [InlineArray(8)]
    public struct ReservedWords
    {
        private ulong _first;
    }
}

/// <summary>struct rt_sigframe of x86-64 without the siginfo that follows it: what a signal handler finds on its stack.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SignalFrame
{
    public ulong ReturnAddress;
    public ulong Flags;
    public ulong Link;
    public ulong StackAddress;
    public int StackFlags;
    private int _padding;
    public ulong StackSize;
    public SignalContext Context;
    public ulong Mask;

    /// <summary>UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS.</summary>
    public const ulong ContextFlags = 7;

    /// <summary>Bytes of siginfo_t.</summary>
    public const int SignalInfoSize = 128;
}
