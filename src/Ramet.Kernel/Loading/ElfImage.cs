using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Ramet.Kernel.Loading;

/// <summary>
/// The headers of an ELF executable or interpreter, validated: nothing in here can make later arithmetic overflow or leave user addresses. Input is hostile.
/// Sources: elf(5), the System V ABI's AMD64 supplement, and what Linux's fs/binfmt_elf.c is known to accept.
/// </summary>
public sealed class ElfImage
{
    /// <summary>Most program headers that Linux reads: 64 KiB of them.</summary>
    private const int MaxProgramHeaders = 65536 / ProgramHeaderSize;
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int PathMax = 4096;

    private ElfImage(Elf64Header header, IReadOnlyList<ElfSegment> segments, IProgramFile file)
    {
        Type = (ElfType)header.Type;
        Entry = header.Entry;
        ProgramHeaderCount = header.ProgramHeaderCount;
        Segments = segments;
        File = file;
    }

    /// <summary>ET_EXEC (fixed addresses) or ET_DYN (any base).</summary>
    public ElfType Type { get; }

    /// <summary>Entry point, without the load bias.</summary>
    public ulong Entry { get; }

    /// <summary>Number of program headers (AT_PHNUM).</summary>
    public int ProgramHeaderCount { get; }

    /// <summary>Address of the program headers in memory without the load bias (AT_PHDR), or 0 when no segment has them.</summary>
    public ulong ProgramHeaderAddress { get; private set; }

    /// <summary>The PT_LOAD segments, in the order of the file; at least one.</summary>
    public IReadOnlyList<ElfSegment> Segments { get; }

    /// <summary>Path of the interpreter (PT_INTERP), or null.</summary>
    public string? Interpreter { get; private set; }

    /// <summary>Whether PT_GNU_STACK asks for an executable stack.</summary>
    public bool ExecutableStack { get; private set; }

    /// <summary>The file.</summary>
    public IProgramFile File { get; }

    /// <summary>Lowest page of any segment.</summary>
    public ulong Start { get; private set; }

    /// <summary>End of the last page of any segment.</summary>
    public ulong End { get; private set; }

    /// <summary>Bytes from <see cref="Start"/> to <see cref="End"/>.</summary>
    public ulong Span => End - Start;

    /// <summary>Largest alignment that a segment asks for: a power of two, at least a page.</summary>
    public ulong Alignment { get; private set; } = AddressLayout.PageSize;

    /// <summary>Where bss ends, without the load bias: the heap starts behind it.</summary>
    public ulong BreakStart { get; private set; }

    /// <summary>Reads and validates the headers.</summary>
    /// <param name="file">The file.</param>
    /// <param name="image">The image, or null.</param>
    /// <param name="reason">When refused: why, as a phrase that follows the file's name and a colon.</param>
    /// <returns>ENOEXEC, EINVAL or EIO when it cannot be run.</returns>
    public static Errno Parse(IProgramFile file, out ElfImage? image, out string reason)
    {
        image = null;
        Span<byte> bytes = stackalloc byte[HeaderSize];
        int got = file.ReadBytes(0, bytes);
        if (RefuseHeader(bytes[..got]) is { } refusal)
        {
            reason = refusal;
            return Errno.ENOEXEC;
        }

        var header = MemoryMarshal.Read<Elf64Header>(bytes);
        if (header.ProgramHeaderSize != ProgramHeaderSize || header.ProgramHeaderCount is 0 or > MaxProgramHeaders)
        {
            reason = $"ELF with {header.ProgramHeaderCount} program headers of {header.ProgramHeaderSize} bytes (expected 1 to {MaxProgramHeaders} of {ProgramHeaderSize})";
            return Errno.ENOEXEC;
        }

        var table = new Elf64ProgramHeader[header.ProgramHeaderCount];
        var tableBytes = MemoryMarshal.AsBytes(table.AsSpan());
        if (!Fits(file, header.ProgramHeaderOffset, (ulong)tableBytes.Length)
            || file.ReadBytes((long)header.ProgramHeaderOffset, tableBytes) != tableBytes.Length)
        {
            reason = "truncated ELF: the program headers are beyond the end of the file";
            return Errno.ENOEXEC;
        }

        var segments = new List<ElfSegment>();
        var candidate = new ElfImage(header, segments, file);
        foreach (ref readonly var entry in table.AsSpan())
        {
            if ((candidate.ReadEntry(entry, segments) ?? "") is { Length: > 0 } problem)
            {
                reason = problem;
                return Errno.ENOEXEC;
            }
        }

        if (segments.Count == 0)
        {
            reason = "ELF without a PT_LOAD segment: nothing to run";
            return Errno.ENOEXEC;
        }

        candidate.Start = segments.Min(segment => segment.PageStart);
        candidate.End = segments.Max(segment => segment.PageEnd);
        candidate.BreakStart = AddressLayout.PageUp(segments.Max(segment => segment.Address + segment.MemorySize));
        candidate.ProgramHeaderAddress = LocateProgramHeaders(header, table, segments);
        if (candidate.Type == ElfType.ET_EXEC && candidate.Start < AddressLayout.LowestAddress)
        {
            reason = $"ELF with a segment at 0x{candidate.Start:x}, below the lowest address that may be mapped (0x{AddressLayout.LowestAddress:x})";
            return Errno.ENOEXEC;
        }

        if (candidate.Entry >= AddressLayout.TaskSize)
        {
            reason = $"ELF with an entry point outside user memory (0x{candidate.Entry:x})";
            return Errno.ENOEXEC;
        }

        image = candidate;
        reason = "";
        return Errno.None;
    }

    /// <summary>Why these first bytes are not those of a 64-bit x86-64 ELF executable; null when they are.</summary>
    internal static string? RefuseHeader(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4 || !bytes[..4].SequenceEqual("\u007fELF"u8)) return "not an ELF executable and not a script that starts with #!";
        if (bytes.Length < HeaderSize) return "truncated ELF: the file ends within the header";
        if (bytes[5] == 2) return $"big-endian ELF for {MachineName(BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]))}; this is an x86-64 machine";
        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(bytes[18..]);
        if (bytes[4] == 1) return $"32-bit ELF for {MachineName(machine)}; only 64-bit x86-64 programs run";
        if (bytes[4] != 2 || bytes[5] != 1) return "damaged ELF: unknown class or byte order";
        if (machine != 62) return $"ELF for {MachineName(machine)}; this is an x86-64 machine";
        return (ElfType)BinaryPrimitives.ReadUInt16LittleEndian(bytes[16..]) switch
        {
            ElfType.ET_EXEC or ElfType.ET_DYN => null,
            ElfType.ET_REL => "ELF object file: link it first",
            ElfType.ET_CORE => "ELF core dump, not a program",
            _ => "ELF that is neither an executable nor a shared object",
        };
    }

    private static string MachineName(ushort machine) => machine switch
    {
        2 => "SPARC",
        3 => "x86 (i386)",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "PowerPC64",
        22 => "S/390",
        40 => "ARM",
        43 => "SPARC V9",
        62 => "x86-64",
        183 => "AArch64",
        243 => "RISC-V",
        247 => "BPF",
        258 => "LoongArch",
        _ => $"machine {machine}",
    };

    private static bool Fits(IProgramFile file, ulong offset, ulong length) =>
        file.Size >= 0 && offset <= (ulong)file.Size && length <= (ulong)file.Size - offset;

    /// <summary>Takes one program header; returns what is wrong with it, or null.</summary>
    private string? ReadEntry(in Elf64ProgramHeader entry, List<ElfSegment> segments)
    {
        switch (entry.Type)
        {
            case ElfSegmentType.PT_LOAD:
                return ReadLoad(entry, segments);
            case ElfSegmentType.PT_INTERP when Interpreter is null:
                return ReadInterpreter(entry);
            case ElfSegmentType.PT_GNU_STACK:
                ExecutableStack = (entry.Flags & ElfSegmentFlags.PF_X) != 0;
                return null;
            default:
                return null;
        }
    }

    private string? ReadLoad(in Elf64ProgramHeader entry, List<ElfSegment> segments)
    {
        if (entry.FileSize > entry.MemorySize) return "damaged ELF: a segment is larger in the file than in memory";
        if (entry.MemorySize == 0) return null;
        if (entry.VirtualAddress >= AddressLayout.TaskSize || entry.MemorySize > AddressLayout.TaskSize - entry.VirtualAddress)
            return $"damaged ELF: a segment at 0x{entry.VirtualAddress:x} of 0x{entry.MemorySize:x} bytes is outside user memory";
        if (entry.FileSize > 0 && !Fits(File, entry.Offset, entry.FileSize))
            return $"truncated ELF: a segment needs bytes up to 0x{entry.Offset + entry.FileSize:x}, the file has 0x{File.Size:x}";
        if (entry.FileSize > 0 && ((entry.VirtualAddress - entry.Offset) & AddressLayout.PageMask) != 0)
            return "damaged ELF: a segment's address and file offset differ within the page";
        if (ulong.IsPow2(entry.Alignment) && entry.Alignment > Alignment && entry.Alignment <= AddressLayout.MaxAlignment) Alignment = entry.Alignment;
        segments.Add(new ElfSegment(
            entry.VirtualAddress, entry.MemorySize, entry.FileSize, (long)(entry.FileSize > 0 ? entry.Offset : 0), Protection(entry.Flags)));
        return null;
    }

    private string? ReadInterpreter(in Elf64ProgramHeader entry)
    {
        if (entry.FileSize is < 2 or > PathMax) return "damaged ELF: the interpreter's path is empty or too long";
        if (!Fits(File, entry.Offset, entry.FileSize)) return "truncated ELF: the interpreter's path is beyond the end of the file";
        Span<byte> path = new byte[(int)entry.FileSize];
        if (File.ReadBytes((long)entry.Offset, path) != path.Length) return "truncated ELF: the interpreter's path cannot be read";
        if (path[^1] != 0 || path[0] == 0) return "damaged ELF: the interpreter's path does not end with a NUL";
        Interpreter = System.Text.Encoding.Latin1.GetString(path[..path.IndexOf((byte)0)]);
        return null;
    }

    private static ulong LocateProgramHeaders(in Elf64Header header, Elf64ProgramHeader[] table, List<ElfSegment> segments)
    {
        foreach (var entry in table)
        {
            if (entry.Type == ElfSegmentType.PT_PHDR && entry.VirtualAddress < AddressLayout.TaskSize) return entry.VirtualAddress;
        }

        foreach (var segment in segments)
        {
            ulong start = (ulong)segment.Offset;
            if (header.ProgramHeaderOffset >= start && header.ProgramHeaderOffset - start < segment.FileSize)
                return segment.Address + (header.ProgramHeaderOffset - start);
        }

        return 0;
    }

    private static SegmentProtection Protection(ElfSegmentFlags flags)
    {
        var protection = SegmentProtection.None;
        if ((flags & ElfSegmentFlags.PF_R) != 0) protection |= SegmentProtection.Read;
        if ((flags & ElfSegmentFlags.PF_W) != 0) protection |= SegmentProtection.Write;
        if ((flags & ElfSegmentFlags.PF_X) != 0) protection |= SegmentProtection.Execute;
        return protection;
    }
}

/// <summary>A PT_LOAD segment.</summary>
/// <param name="Address">Where it starts in memory, without the load bias.</param>
/// <param name="MemorySize">Bytes in memory; never 0.</param>
/// <param name="FileSize">Bytes from the file; the rest is zero.</param>
/// <param name="Offset">Where they are in the file.</param>
/// <param name="Protection">Protection of its pages.</param>
public sealed record ElfSegment(ulong Address, ulong MemorySize, ulong FileSize, long Offset, SegmentProtection Protection)
{
    /// <summary>Its first page.</summary>
    public ulong PageStart => AddressLayout.PageDown(Address);

    /// <summary>End of its last page.</summary>
    public ulong PageEnd => AddressLayout.PageUp(Address + MemorySize);

    /// <summary>End of the last page that comes from the file; <see cref="PageStart"/> when there is none.</summary>
    public ulong FilePageEnd => FileSize == 0 ? PageStart : AddressLayout.PageUp(Address + FileSize);
}
