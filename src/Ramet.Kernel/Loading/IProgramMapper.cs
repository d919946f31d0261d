namespace Ramet.Kernel.Loading;

/// <summary>A file that is executed, or named as an interpreter.</summary>
public interface IProgramFile
{
    /// <summary>Size in bytes.</summary>
    long Size { get; }

    /// <summary>Reads bytes; returns how many there were.</summary>
    int ReadBytes(long offset, Span<byte> destination);
}

/// <summary>Opens what a program names as its interpreter.</summary>
public interface IProgramOpener
{
    /// <summary>
    /// Opens a file for execution: walks the path as the calling thread does, and checks that it is a regular file with execute permission
    /// (ENOENT, ENOTDIR, ELOOP, EACCES ...). The path's bytes are Latin-1 characters.
    /// </summary>
    Errno OpenExecutable(string path, out IProgramFile? file);
}

/// <summary>Protection of a segment; values are those of PROT_* (mmap(2)).</summary>
[Flags]
public enum SegmentProtection
{
    None = 0,
    Read = 1,
    Write = 2,
    Execute = 4,
}

/// <summary>
/// What the loader needs of a new, empty address space. All addresses and lengths of mappings are whole pages. Ranges of one file may overlap: later ones replace earlier ones
/// (MAP_FIXED); ranges of different files, the stack and the vDSO never do. The loader stops at the first error, and the address space is then thrown away.
/// </summary>
public interface IProgramMapper
{
    /// <summary>Maps pages of a file, private.</summary>
    Errno MapFile(ulong address, ulong length, SegmentProtection protection, IProgramFile file, long offset);

    /// <summary>Maps zeroed memory, private (bss).</summary>
    Errno MapAnonymous(ulong address, ulong length, SegmentProtection protection);

    /// <summary>Maps the stack, private and zeroed; it ends at <paramref name="top"/>. /proc/self/maps names it [stack].</summary>
    Errno MapStack(ulong top, ulong length, SegmentProtection protection);

    /// <summary>Maps the data page at <paramref name="address"/> (VM_PVCLOCK-like, [vvar]) and the vDSO's code right behind it ([vdso]), both read-only.</summary>
    Errno MapVdso(ulong address);

    /// <summary>Writes bytes, whatever the protection of the page (a private page is copied first).</summary>
    Errno Write(ulong address, ReadOnlySpan<byte> bytes);

    /// <summary>Where the heap starts (brk(2)); page-aligned.</summary>
    void SetBreak(ulong start);

    /// <summary>Below which address mmap(2) chooses addresses, going down.</summary>
    void SetMmapBase(ulong address);
}
