using Ramet.Kernel.Files;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>What a range does on fork(2) and when the sandbox is forked (madvise(2)).</summary>
[Flags]
public enum AreaFlags
{
    None = 0,

    /// <summary>MADV_DONTFORK.</summary>
    DontFork = 1,

    /// <summary>MADV_WIPEONFORK: zero in the child, and in forks of the sandbox.</summary>
    WipeOnFork = 2,

    /// <summary>Locked (mlock(2)); RAM is never swapped, so this only counts.</summary>
    Locked = 4,

    /// <summary>Belongs to the kernel (vDSO): not to be unmapped by MAP_FIXED tricks of the loader, shown with a name.</summary>
    Special = 8,

    /// <summary>MAP_NORESERVE.</summary>
    NoReserve = 16,

    /// <summary>MAP_GROWSDOWN or the main stack.</summary>
    GrowsDown = 32,
}

/// <summary>A contiguous range of an address space with one protection and one backing (vm_area_struct).</summary>
[Saved]
public sealed partial class VirtualMemoryArea
{
    private VirtualMemoryArea()
    {
    }

    internal VirtualMemoryArea(AddressSpace space, ulong start, ulong end, MemoryProtection protection, bool shared)
    {
        AddressSpace = space;
        Start = start;
        End = end;
        Protection = protection;
        IsShared = shared;
    }

    /// <summary>The address space that it is part of.</summary>
    public AddressSpace AddressSpace { get; internal set; } = null!;

    /// <summary>First address; a multiple of 4096.</summary>
    public ulong Start { get; internal set; }

    /// <summary>First address after it.</summary>
    public ulong End { get; internal set; }

    /// <summary>Bytes.</summary>
    public ulong Length => End - Start;

    /// <summary>PROT_READ, PROT_WRITE, PROT_EXEC.</summary>
    public MemoryProtection Protection { get; internal set; }

    /// <summary>Whether writes go to the object itself (MAP_SHARED).</summary>
    public bool IsShared { get; private set; }

    /// <summary>Whether mprotect(2) may make a shared mapping writable (its file was opened for writing).</summary>
    public bool MayWrite { get; internal set; } = true;

    /// <summary>What fork and madvise know of it.</summary>
    public AreaFlags Flags { get; internal set; }

    /// <summary>What is mapped; null for private anonymous memory.</summary>
    public MemoryObject? Object { get; internal set; }

    /// <summary>Its place among <see cref="MemoryObject.Areas"/>.</summary>
    internal int ObjectIndex { get; set; }

    /// <summary>Page of the object that <see cref="Start"/> shows.</summary>
    public long FirstPage { get; internal set; }

    /// <summary>The name it was mapped by, for /proc/pid/maps; null for anonymous memory.</summary>
    public Dentry? Dentry { get; internal set; }

    /// <summary>Name in brackets for /proc/pid/maps ([heap], [stack], [vdso]), or null.</summary>
    public string? Label { get; internal set; }

    /// <summary>PR_SET_VMA_ANON_NAME; null: none.</summary>
    public string? AnonymousName { get; internal set; }

    /// <summary>Where the last fault of a sequence ended, to see streams coming.</summary>
    [NotSaved]
    internal ulong NextFault { get; set; }

    /// <summary>Pages to map at the next fault of the stream.</summary>
    [NotSaved]
    internal int Window { get; set; }

    /// <summary>Page of the object that an address shows.</summary>
    public long PageOf(ulong address) => FirstPage + (long)((address - Start) >> 12);

    /// <summary>An area with the same attributes for another range of it.</summary>
    internal VirtualMemoryArea CloneRange(AddressSpace space, ulong start, ulong end) => new(space, start, end, Protection, IsShared)
    {
        MayWrite = MayWrite,
        Flags = Flags,
        Object = Object,
        FirstPage = Object is null ? 0 : PageOf(start),
        Dentry = Dentry,
        Label = Label,
        AnonymousName = AnonymousName,
    };

    /// <summary>Whether the next area continues this one so that both can be one.</summary>
    internal bool CanMerge(VirtualMemoryArea next) =>
        End == next.Start && Protection == next.Protection && IsShared == next.IsShared && Flags == next.Flags && MayWrite == next.MayWrite
        && Object == next.Object && Label == next.Label && AnonymousName == next.AnonymousName && Dentry == next.Dentry && (Object is null || PageOf(End) == next.FirstPage);
}
