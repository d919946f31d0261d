namespace Ramet.Kvm;

/// <summary>
/// What lies in the reserved first pages of guest RAM, and where the guest's ring 0 sees it. The same in every
/// machine and every template, so that a fork finds it in its template and writes nothing.
/// </summary>
internal static class GuestLayout
{
    // Guest-physical addresses.
    internal const ulong KernelPdpt = 0x1000;       // behind PML4[511]
    internal const ulong WindowDirectory = 0x2000;  // behind PDPT[510]
    internal const ulong WindowTable = 0x3000;      // 4 KiB pages of the reserved area, and the doorbells
    internal const ulong Descriptors = 0x4000;      // GDT at 0, IDT at IdtOffset; read-only
    internal const ulong SyscallPage = 0x5000;      // LSTAR: the one page that user code may execute
    internal const ulong FaultPage = 0x6000;        // exception entries and the invalidation stub: supervisor only
    internal const ulong VcpuPages = 0x10000;       // one per vCPU: TSS, emergency stack, ring-0 stack
    internal const ulong DirectMapDirectories = 0x50000; // 64 page directories of 2 MiB pages: RAM up to 64 GiB
    internal const ulong Mailboxes = 0x90000;       // one page per vCPU, written by user code on paravirtual KVM
    internal const ulong ReservedSize = 0x100000;

    internal const int MaxVcpus = 64;
    internal const ulong MaxRam = 64UL << 30;
    internal const int IdtOffset = 0x800;
    internal const int Vectors = 32;

    // Linear addresses. Window + x is guest-physical x (x < ReservedSize); DirectMap + x is RAM at x, writable.
    internal const ulong Window = 0xFFFF_FFFF_8000_0000;
    internal const ulong DirectMap = 0xFFFF_FF80_0000_0000;

    // Selectors are Linux's, so that programs which look at CS see what they expect.
    internal const ushort KernelCs = 0x10, KernelSs = 0x18, UserSs = 0x2B, UserCs = 0x33, TaskSelector = 0x40;

    // Exits: ports 0-31 are exception vectors; only the system call's port is open to CPL3 (the TSS bitmap says so).
    internal const ushort SyscallPort = 0x20, DonePort = 0x21;

    internal const ulong SyscallOut = Window + SyscallPage;
    internal const ulong SyscallReturn = SyscallOut + 2;

    // The system-call page once more for each vCPU, its mailbox behind it: the stub finds the one by its own address.
    internal const ulong DoorbellWindow = Window + ReservedSize;
    internal const int DoorbellOffset = 0x40, DoorbellOutOffset = 0xD5, DoorbellAnsweredOffset = 0xDA, DoorbellEnd = 0x10E;
    internal const ulong FaultEntries = Window + FaultPage;
    internal const int FaultEntrySize = 4;
    internal const int InvalidateOffset = 0x100, DoneOffset = 0x140;
    internal const ulong InvalidateEntry = FaultEntries + InvalidateOffset;
    internal const ulong DoneEntry = FaultEntries + DoneOffset;
    internal const ulong InvalidateEnd = FaultEntries + DoneOffset;

    // Inside a vCPU's page.
    internal const int TssIoBitmap = 0x68;
    internal const int TssLimit = 0x6D;
    internal const int EmergencyStackTop = 0x900;
    internal const int StackTop = 0x1000;
    internal const int MaxInvalidationsPerEntry = 128;

    internal static ulong VcpuPage(int index) => VcpuPages + ((ulong)index << 12);

    internal static ulong Mailbox(int index) => Mailboxes + ((ulong)index << 12);

    /// <summary>Linear address of the system-call page next to a vCPU's mailbox.</summary>
    internal static ulong DoorbellPage(int index) => DoorbellWindow + ((ulong)index << 13);

    internal static ulong VcpuStackTop(int index) => Window + VcpuPage(index) + StackTop;
}
