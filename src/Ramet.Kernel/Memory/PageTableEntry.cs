namespace Ramet.Kernel.Memory;

/// <summary>Bits of an x86-64 page-table entry (AMD64 Architecture Programmer's Manual vol. 2, 5.3).</summary>
internal static class PageTableEntry
{
    public const ulong Present = 1UL << 0;
    public const ulong Writable = 1UL << 1;
    public const ulong User = 1UL << 2;
    public const ulong Accessed = 1UL << 5;
    public const ulong Dirty = 1UL << 6;
    public const ulong Large = 1UL << 7;
    public const ulong NoExecute = 1UL << 63;

    /// <summary>Software bit of an entry that is not present: it holds the frame of a PROT_NONE page.</summary>
    public const ulong Hidden = 1UL << 9;

    public const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>An entry that leads to a lower table. Accessed is preset: the CPU then has nothing to write back (a write costs a fault under shadow paging).</summary>
    public const ulong Table = Present | Writable | User | Accessed | Dirty;

    /// <summary>An entry for a page with this protection; 0 (not present) for PROT_NONE.</summary>
    public static ulong ForPage(ulong frame, MemoryProtection protection, bool writable)
    {
        if ((protection & (MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE | MemoryProtection.PROT_EXEC)) == 0) return 0;
        ulong entry = frame | Present | User | Accessed | Dirty;
        if (writable && (protection & MemoryProtection.PROT_WRITE) != 0) entry |= Writable;
        if ((protection & MemoryProtection.PROT_EXEC) == 0) entry |= NoExecute;
        return entry;
    }
}
