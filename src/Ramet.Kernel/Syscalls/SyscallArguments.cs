using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Syscalls;

/// <summary>The six argument registers of a system call on x86-64 (syscall(2)): RDI, RSI, RDX, R10, R8, R9.</summary>
/// <param name="Argument0">RDI.</param>
/// <param name="Argument1">RSI.</param>
/// <param name="Argument2">RDX.</param>
/// <param name="Argument3">R10.</param>
/// <param name="Argument4">R8.</param>
/// <param name="Argument5">R9.</param>
public readonly record struct SyscallArguments(
    ulong Argument0, ulong Argument1 = 0, ulong Argument2 = 0, ulong Argument3 = 0, ulong Argument4 = 0, ulong Argument5 = 0)
{
    /// <summary>The arguments in the registers of a thread that makes a call.</summary>
    public SyscallArguments(in UserRegisters registers)
        : this(registers.Rdi, registers.Rsi, registers.Rdx, registers.R10, registers.R8, registers.R9)
    {
    }

    /// <summary>An argument by its index, 0 to 5.</summary>
    public ulong this[int index] => index switch
    {
        0 => Argument0,
        1 => Argument1,
        2 => Argument2,
        3 => Argument3,
        4 => Argument4,
        5 => Argument5,
        _ => throw new ArgumentOutOfRangeException(nameof(index), index, "A system call has six arguments."),
    };
}
