using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>The virtual memory of a process (mm_struct). (Being written.)</summary>
[Saved]
public sealed partial class AddressSpace
{
    [NotSaved]
    private UserMemory? _user;

    /// <summary>Copy-in and copy-out.</summary>
    public UserMemory User => _user ??= new UserMemory(this);

    internal int CopyIn(ulong address, Span<byte> destination) => throw new NotImplementedException();

    internal int CopyOut(ulong address, ReadOnlySpan<byte> source) => throw new NotImplementedException();

    internal void UnmapObjectPages(VirtualMemoryArea area, long firstIndex, long count, bool evenCopies) => throw new NotImplementedException();
}

/// <summary>A contiguous range of an address space with one protection and one backing (vm_area_struct). (Being written.)</summary>
[Saved]
public sealed partial class VirtualMemoryArea
{
    /// <summary>The address space that it is part of.</summary>
    public AddressSpace AddressSpace { get; internal set; } = null!;
}
