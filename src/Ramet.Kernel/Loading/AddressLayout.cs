using System.Buffers.Binary;
using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Loading;

/// <summary>
/// Where the parts of a new program go. The shape is that of Linux on x86-64 (stack below 0x7fff..., mappings below it, position-independent programs at 0x55..., heap behind
/// the program), with as many random bits, so that programs and debuggers that know it find what they expect.
/// </summary>
public sealed class AddressLayout
{
    /// <summary>Bytes of a page.</summary>
    public const ulong PageSize = 4096;

    /// <summary>Offset bits within a page.</summary>
    public const ulong PageMask = PageSize - 1;

    /// <summary>End of user addresses: 2^47 without its last page (a syscall instruction there would return to a non-canonical address).</summary>
    public const ulong TaskSize = (1UL << 47) - PageSize;

    /// <summary>Lowest address that may be mapped (vm.mmap_min_addr).</summary>
    public const ulong LowestAddress = 0x10000;

    /// <summary>Largest segment alignment that is honoured.</summary>
    public const ulong MaxAlignment = 1UL << 30;

    /// <summary>Two thirds of user memory: where position-independent programs go (ELF_ET_DYN_BASE).</summary>
    private const ulong ProgramBase = 0x555555554000;
    private const ulong StackGuardGap = 256 * PageSize;
    private const ulong StackRandomPages = 1UL << 22;
    private const ulong MmapRandomPages = 1UL << 28;
    private const ulong BreakRandomPages = 1UL << 18;
    private const ulong VdsoReserve = 1UL << 21;
    private const ulong MinGap = 128UL << 20;
    private const ulong MaxStack = 1UL << 30;
    private const ulong MinStack = 256UL << 10;

    private readonly ulong _programRandom;
    private readonly ulong _breakRandom;

    /// <summary>Draws a layout.</summary>
    /// <param name="random">Randomness; null for fixed addresses (ADDR_NO_RANDOMIZE).</param>
    /// <param name="stackLimit">The soft RLIMIT_STACK, bytes.</param>
    public AddressLayout(IHostRandom? random, ulong stackLimit)
    {
        Span<byte> bytes = stackalloc byte[40];
        random?.Fill(bytes);
        StackSize = PageDown(Math.Clamp(stackLimit, MinStack, MaxStack));
        StackTop = TaskSize - VdsoReserve - (Pages(bytes, StackRandomPages) * PageSize);
        ulong gap = Math.Max(StackSize, MinGap) + StackGuardGap + VdsoReserve + (random is null ? 0 : StackRandomPages * PageSize);
        MmapBase = TaskSize - gap - (Pages(bytes[8..], MmapRandomPages) * PageSize);
        _programRandom = Pages(bytes[16..], MmapRandomPages) * PageSize;
        _breakRandom = Pages(bytes[24..], BreakRandomPages) * PageSize;

        // As on Linux, the vDSO is a little above the stack, in the same page-table page where that is possible.
        ulong room = ((StackTop + VdsoReserve - 1) & ~(VdsoReserve - 1)) - StackTop;
        ulong slots = room < 64 * PageSize ? 0 : (room - (32 * PageSize)) / PageSize;
        VdsoAddress = StackTop + (2 * PageSize) + (slots == 0 ? 0 : Pages(bytes[32..], slots) * PageSize);
    }

    /// <summary>End of the stack.</summary>
    public ulong StackTop { get; }

    /// <summary>Bytes of the stack.</summary>
    public ulong StackSize { get; }

    /// <summary>Below which mmap(2) chooses addresses.</summary>
    public ulong MmapBase { get; }

    /// <summary>Where the vDSO's data page goes; its code follows.</summary>
    public ulong VdsoAddress { get; }

    /// <summary>Load bias for a position-independent program that has an interpreter.</summary>
    public ulong ProgramBias(ElfImage image) => ((ProgramBase + _programRandom + image.Alignment - 1) & ~(image.Alignment - 1)) - (image.Start & ~(image.Alignment - 1));

    /// <summary>Load bias for an interpreter, or a position-independent program without one: at the top of the mappings.</summary>
    public ulong MappingBias(ElfImage image)
    {
        // Room for the alignment is part of the subtraction, so that the end never passes the base.
        ulong start = (MmapBase - image.Span - (image.Alignment - PageSize)) & ~(image.Alignment - 1);
        return start - (image.Start & ~(image.Alignment - 1));
    }

    /// <summary>Where the heap starts, behind a program that ends here.</summary>
    public ulong BreakStart(ulong programEnd) => PageUp(programEnd) + _breakRandom;

    /// <summary>Where the heap starts for a position-independent program without an interpreter: not in the midst of the mappings.</summary>
    public ulong BreakStartWithoutInterpreter => ProgramBase + _programRandom + _breakRandom;

    /// <summary>Rounds down to a page.</summary>
    public static ulong PageDown(ulong address) => address & ~PageMask;

    /// <summary>Rounds up to a page.</summary>
    public static ulong PageUp(ulong address) => (address + PageMask) & ~PageMask;

    private static ulong Pages(ReadOnlySpan<byte> random, ulong limit) => BinaryPrimitives.ReadUInt64LittleEndian(random) % limit;
}
