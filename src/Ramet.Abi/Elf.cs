using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>Elf64_Ehdr (elf(5)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Elf64Header
{
    /// <summary>Bytes 0 to 7 of e_ident: magic, class, data encoding, version, OS ABI.</summary>
    public ulong Ident;

    /// <summary>Bytes 8 to 15 of e_ident.</summary>
    public ulong IdentRest;

    public ushort Type;
    public ushort Machine;
    public uint Version;
    public ulong Entry;
    public ulong ProgramHeaderOffset;
    public ulong SectionHeaderOffset;
    public uint Flags;
    public ushort HeaderSize;
    public ushort ProgramHeaderSize;
    public ushort ProgramHeaderCount;
    public ushort SectionHeaderSize;
    public ushort SectionHeaderCount;
    public ushort SectionNameIndex;
}

/// <summary>Elf64_Phdr (elf(5)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Elf64ProgramHeader
{
    public ElfSegmentType Type;
    public ElfSegmentFlags Flags;
    public ulong Offset;
    public ulong VirtualAddress;
    public ulong PhysicalAddress;
    public ulong FileSize;
    public ulong MemorySize;
    public ulong Alignment;
}

/// <summary>Values of p_type (elf(5)).</summary>
public enum ElfSegmentType : uint
{
    PT_NULL = 0,
    PT_LOAD = 1,
    PT_DYNAMIC = 2,
    PT_INTERP = 3,
    PT_NOTE = 4,
    PT_SHLIB = 5,
    PT_PHDR = 6,
    PT_TLS = 7,
    PT_GNU_EH_FRAME = 0x6474e550,
    PT_GNU_STACK = 0x6474e551,
    PT_GNU_RELRO = 0x6474e552,
}

/// <summary>Bits of p_flags (elf(5)).</summary>
[Flags]
public enum ElfSegmentFlags : uint
{
    PF_X = 1,
    PF_W = 2,
    PF_R = 4,
}

/// <summary>Values of e_type (elf(5)).</summary>
public enum ElfType : ushort
{
    ET_NONE = 0,
    ET_REL = 1,
    ET_EXEC = 2,
    ET_DYN = 3,
    ET_CORE = 4,
}

/// <summary>Entries of the auxiliary vector (getauxval(3)).</summary>
public enum AuxvType : ulong
{
    AT_NULL = 0,
    AT_IGNORE = 1,
    AT_EXECFD = 2,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_NOTELF = 10,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_BASE_PLATFORM = 24,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
    AT_MINSIGSTKSZ = 51,
}
