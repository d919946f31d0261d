using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>Request numbers and constants of linux/kvm.h for x86-64 (Documentation/virt/kvm/api.rst).</summary>
internal static class KvmAbi
{
    internal const nuint KVM_GET_API_VERSION = 0xAE00, KVM_CREATE_VM = 0xAE01, KVM_CHECK_EXTENSION = 0xAE03, KVM_GET_VCPU_MMAP_SIZE = 0xAE04;
    internal const nuint KVM_GET_SUPPORTED_CPUID = 0xC008AE05, KVM_CREATE_VCPU = 0xAE41, KVM_SET_USER_MEMORY_REGION = 0x4020AE46;
    internal const nuint KVM_RUN = 0xAE80, KVM_GET_SREGS = 0x8138AE83, KVM_SET_SREGS = 0x4138AE84;
    internal const nuint KVM_GET_MSRS = 0xC008AE88, KVM_SET_MSRS = 0x4008AE89, KVM_SET_SIGNAL_MASK = 0x4004AE8B, KVM_SET_CPUID2 = 0x4008AE90;
    internal const nuint KVM_GET_VCPU_EVENTS = 0x8040AE9F, KVM_SET_VCPU_EVENTS = 0x4040AEA0, KVM_GET_TSC_KHZ = 0xAEA3;
    internal const nuint KVM_GET_XSAVE = 0x9000AEA4, KVM_SET_XSAVE = 0x5000AEA5, KVM_GET_XSAVE2 = 0x9000AECF;
    internal const nuint KVM_SET_XCRS = 0x4188AEA7, KVM_GET_DEVICE_ATTR = 0x4018AEE2, KVM_GET_STATS_FD = 0xAECE;

    // What the baseline of the fork benchmark needs besides: an interrupt controller and a timer, as for a Linux guest.
    internal const nuint KVM_CREATE_IRQCHIP = 0xAE60, KVM_CREATE_PIT2 = 0x4040AE77, KVM_GET_REGS = 0x8090AE81, KVM_SET_REGS = 0x4090AE82;
    internal const nuint KVM_GET_LAPIC = 0x8400AE8E, KVM_SET_LAPIC = 0x4400AE8F, KVM_GET_MP_STATE = 0x8004AE98, KVM_SET_MP_STATE = 0x4004AE99;
    internal const nuint KVM_GET_XCRS = 0x8188AEA6, KVM_GET_DEBUGREGS = 0x8080AEA1, KVM_SET_DEBUGREGS = 0x4080AEA2;

    internal const int KVM_API_VERSION = 12;
    internal const int KVM_CAP_NR_MEMSLOTS = 10, KVM_CAP_SYNC_MMU = 16, KVM_CAP_VCPU_EVENTS = 41, KVM_CAP_XSAVE = 55, KVM_CAP_XCRS = 56,
        KVM_CAP_GET_TSC_KHZ = 61, KVM_CAP_MAX_VCPUS = 66, KVM_CAP_SYNC_REGS = 74, KVM_CAP_READONLY_MEM = 81, KVM_CAP_IMMEDIATE_EXIT = 136,
        KVM_CAP_XSAVE2 = 208;

    internal const uint KVM_MEM_READONLY = 2;
    internal const ulong KVM_SYNC_X86_REGS = 1, KVM_SYNC_X86_SREGS = 2;

    internal const uint KVM_EXIT_IO = 2, KVM_EXIT_HLT = 5, KVM_EXIT_MMIO = 6, KVM_EXIT_SHUTDOWN = 8, KVM_EXIT_FAIL_ENTRY = 9, KVM_EXIT_INTERNAL_ERROR = 17;
    internal const byte KVM_EXIT_IO_OUT = 1;

    internal const uint MSR_TSC = 0x10, MSR_STAR = 0xC0000081, MSR_LSTAR = 0xC0000082, MSR_SYSCALL_MASK = 0xC0000084, MSR_TSC_AUX = 0xC0000103;
}

/// <summary>struct kvm_userspace_memory_region.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMemoryRegion
{
    internal uint Slot;
    internal uint Flags;
    internal ulong GuestAddress;
    internal ulong Size;
    internal ulong HostAddress;
}

/// <summary>struct kvm_segment.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSegment
{
    internal ulong Base;
    internal uint Limit;
    internal ushort Selector;
    internal byte Type;
    internal byte Present;
    internal byte Dpl;
    internal byte Db;
    internal byte S;
    internal byte L;
    internal byte G;
    internal byte Avl;
    internal byte Unusable;
    internal byte Padding;
}

/// <summary>struct kvm_dtable.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmTable
{
    internal ulong Base;
    internal ushort Limit;
    private readonly ushort _p0, _p1, _p2;
}

/// <summary>struct kvm_sregs.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KvmSregs
{
    internal KvmSegment Cs, Ds, Es, Fs, Gs, Ss, Tr, Ldt;
    internal KvmTable Gdt, Idt;
    internal ulong Cr0, Cr2, Cr3, Cr4, Cr8, Efer, ApicBase;
    internal fixed ulong InterruptBitmap[4];
}

/// <summary>The parts that Ramet uses of struct kvm_run, the page shared with the kernel.</summary>
[StructLayout(LayoutKind.Explicit)]
internal struct KvmRun
{
    [FieldOffset(1)] internal byte ImmediateExit;
    [FieldOffset(8)] internal uint ExitReason;
    [FieldOffset(32)] internal byte IoDirection;
    [FieldOffset(33)] internal byte IoSize;
    [FieldOffset(34)] internal ushort IoPort;
    [FieldOffset(36)] internal uint IoCount;
    [FieldOffset(32)] internal ulong MmioAddress;
    [FieldOffset(52)] internal byte MmioIsWrite;
    [FieldOffset(32)] internal uint InternalSuberror;
    [FieldOffset(32)] internal ulong FailEntryReason;
    [FieldOffset(288)] internal ulong ValidRegs;
    [FieldOffset(296)] internal ulong DirtyRegs;
    [FieldOffset(304)] internal UserRegisters Regs;
    [FieldOffset(448)] internal KvmSregs Sregs;
}

/// <summary>struct kvm_debugregs.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct KvmDebugRegisters
{
    internal ulong Dr0, Dr1, Dr2, Dr3, Dr6, Dr7, Flags;
}

/// <summary>struct kvm_vcpu_events: the exception fields; the rest is carried along.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct KvmVcpuEvents
{
    [FieldOffset(0)] internal byte ExceptionInjected;
    [FieldOffset(1)] internal byte ExceptionNumber;
    [FieldOffset(2)] internal byte ExceptionHasErrorCode;
    [FieldOffset(3)] internal byte ExceptionPending;
    [FieldOffset(4)] internal uint ExceptionErrorCode;
    [FieldOffset(8)] internal byte InterruptInjected;
}

/// <summary>struct kvm_cpuid_entry2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KvmCpuidEntry
{
    internal uint Function, Index, Flags, Eax, Ebx, Ecx, Edx;
    private fixed uint _padding[3];
}

/// <summary>struct kvm_msr_entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsr
{
    internal uint Index;
    private readonly uint _reserved;
    internal ulong Data;

    internal KvmMsr(uint index, ulong data) => (Index, Data) = (index, data);
}

/// <summary>struct kvm_device_attr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDeviceAttribute
{
    internal uint Flags;
    internal uint Group;
    internal ulong Attribute;
    internal ulong Address;
}
