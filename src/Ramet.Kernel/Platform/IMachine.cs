namespace Ramet.Kernel.Platform;

/// <summary>The machine of one sandbox: memory and virtual CPUs. Implemented by Ramet.Kvm and, for tests, by a fake.</summary>
public interface IMachine : IDisposable
{
    /// <summary>The machine's physical memory.</summary>
    GuestMemory Memory { get; }

    /// <summary>What user code may know of the CPU.</summary>
    CpuFeatures Features { get; }

    /// <summary>
    /// The value for the last entry (511) of every PML4: it maps the stub and the platform's tables for supervisor
    /// use. An address space without it cannot be entered.
    /// </summary>
    ulong KernelPml4Entry { get; }

    /// <summary>Number of virtual CPUs that may exist.</summary>
    int MaxVcpus { get; }

    /// <summary>The virtual CPU with this index, made on first use.</summary>
    IVirtualCpu GetVcpu(int index);

    /// <summary>How user code can turn the time-stamp counter into nanoseconds; null when the counter is not usable (the vDSO then makes system calls).</summary>
    TscClock? ReadTscClock();
}

/// <summary>
/// A virtual CPU that runs code at CPL3 only. It is owned by one host thread at a time; <see cref="Kick"/> alone may
/// be called from others. What ring 0 looks like, and on which of the three paging regimes we are, stays behind this.
/// </summary>
public interface IVirtualCpu
{
    /// <summary>
    /// Registers of the user code that runs here: read after an exit, written before the next <see cref="Run"/>.
    /// RFLAGS is sanitized on entry (IF set, IOPL 0, no TF abuse of the stub).
    /// </summary>
    ref UserRegisters Registers { get; }

    /// <summary>FS base of the user code. Non-canonical values are the caller's to refuse.</summary>
    ulong FsBase { get; set; }

    /// <summary>GS base of the user code.</summary>
    ulong GsBase { get; set; }

    /// <summary>Guest-physical address of the PML4 to run on; takes effect at the next <see cref="Run"/>.</summary>
    ulong PageTableRoot { get; set; }

    /// <summary>
    /// Asks that translations that came from these page-table pages (guest-physical addresses of whole pages, of any level)
    /// are forgotten before user code runs again on this vCPU. Needed after a present entry was changed other than
    /// from not-present or from read-only to writable, and for a page-table page that was one before and is used again. Cheap to call; the
    /// work is done by the next <see cref="Run"/>.
    /// </summary>
    void Invalidate(ReadOnlySpan<ulong> pageTablePages);

    /// <summary>Runs user code until it leaves. Never throws for anything that the guest does.</summary>
    VcpuExit Run();

    /// <summary>Makes the current, or else the next, <see cref="Run"/> return <see cref="VcpuExitKind.Interrupted"/> soon. Any thread, any time, also after disposal.</summary>
    void Kick();

    /// <summary>How system calls are made without leaving the guest; null where that cannot be.</summary>
    ISyscallMailbox? Mailbox => null;

    /// <summary>Copies the extended state (x87, SSE, AVX ...) out, in the standard XSAVE format, <see cref="CpuFeatures.XStateSize"/> bytes.</summary>
    void SaveExtendedState(Span<byte> destination);

    /// <summary>
    /// Loads an extended state as saved above; an empty span loads the state of a new program (FNINIT, MXCSR=0x1F80).
    /// False when the CPU refuses it (a hostile sigframe).
    /// </summary>
    bool LoadExtendedState(ReadOnlySpan<byte> source);
}

/// <summary>What programs are told about the CPU.</summary>
/// <param name="HwCap">AT_HWCAP: CPUID leaf 1 EDX.</param>
/// <param name="HwCap2">AT_HWCAP2: bit 1 is set only when FSGSBASE instructions work at CPL3 and are saved by the platform.</param>
/// <param name="XStateSize">Bytes of the standard-format XSAVE area for <paramref name="XStateMask"/>.</param>
/// <param name="XStateMask">XCR0: the extended state components that user code can use.</param>
/// <param name="VendorId">CPUID vendor string, for /proc/cpuinfo.</param>
/// <param name="ModelName">CPUID brand string, for /proc/cpuinfo.</param>
/// <param name="Flags">Feature names for /proc/cpuinfo, separated by spaces.</param>
/// <param name="TscKilohertz">Frequency of the time-stamp counter in kHz.</param>
public sealed record CpuFeatures(
    ulong HwCap, ulong HwCap2, int XStateSize, ulong XStateMask, string VendorId, string ModelName, string Flags, long TscKilohertz);

/// <summary>
/// A reading of the guest's time-stamp counter together with the host's clocks, and the scale between them:
/// ns = base + ((tsc - Tsc) * Multiplier >> Shift).
/// </summary>
/// <param name="Tsc">The guest's counter at the reading.</param>
/// <param name="MonotonicNanoseconds">CLOCK_MONOTONIC at the reading.</param>
/// <param name="RealtimeNanoseconds">CLOCK_REALTIME at the reading, since 1970.</param>
/// <param name="Multiplier">Scale from counts to nanoseconds, shifted left by <paramref name="Shift"/>.</param>
/// <param name="Shift">Binary digits behind the point of the multiplier.</param>
public readonly record struct TscClock(
    ulong Tsc, long MonotonicNanoseconds, long RealtimeNanoseconds, uint Multiplier, int Shift);
