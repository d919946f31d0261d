using System.Runtime.InteropServices;

namespace Ramet.Kernel.Platform;

/// <summary>
/// The general-purpose registers of a thread at CPL3, in the order of <c>struct kvm_regs</c>
/// (Documentation/virt/kvm/api.rst, 4.11), so that a platform can move them as one block.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct UserRegisters
{
    public ulong Rax;
    public ulong Rbx;
    public ulong Rcx;
    public ulong Rdx;
    public ulong Rsi;
    public ulong Rdi;
    public ulong Rsp;
    public ulong Rbp;
    public ulong R8;
    public ulong R9;
    public ulong R10;
    public ulong R11;
    public ulong R12;
    public ulong R13;
    public ulong R14;
    public ulong R15;
    public ulong Rip;
    public ulong Rflags;
}
