using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>
/// The virtual memory of a process (mm_struct): areas in address order, and the page tables that show what of them is present. Pages come on demand.
/// Lock: the kernel's.
/// </summary>
[Saved]
public sealed partial class AddressSpace
{
    private const ulong PageMask = GuestMemory.PageSize - 1;

    private Kernel _kernel = null!;
    private PageTables _tables = null!;
    private List<VirtualMemoryArea> _areas = [];
    private int _users = 1;
    private Files.Dentry? _executable;

    [NotSaved]
    private UserMemory? _user;

    private AddressSpace()
    {
    }

    /// <summary>An empty address space; null over the memory limit.</summary>
    public static AddressSpace? Create(Kernel kernel)
    {
        var tables = PageTables.Create(kernel);
        return tables is null ? null : new AddressSpace { _kernel = kernel, _tables = tables };
    }

    /// <summary>Copy-in and copy-out.</summary>
    public UserMemory User => _user ??= new UserMemory(this);

    /// <summary>Areas in address order.</summary>
    public IReadOnlyList<VirtualMemoryArea> Areas => _areas;

    /// <summary>Where new mappings end: they are placed below, from the top down.</summary>
    public ulong MmapTop { get; set; } = 0x7FFF_F7FF_F000;

    /// <summary>Start of the heap that brk(2) moves the end of.</summary>
    public ulong BrkStart { get; internal set; }

    /// <summary>End of the heap.</summary>
    public ulong BrkEnd { get; internal set; }

    /// <summary>Initial stack: where argv is, for /proc/pid/cmdline.</summary>
    public ulong ArgumentStart { get; internal set; }

    /// <inheritdoc cref="ArgumentStart"/>
    public ulong ArgumentEnd { get; internal set; }

    /// <summary>Initial stack: where the environment is, for /proc/pid/environ.</summary>
    public ulong EnvironmentStart { get; internal set; }

    /// <inheritdoc cref="EnvironmentStart"/>
    public ulong EnvironmentEnd { get; internal set; }

    /// <summary>The auxiliary vector as on the initial stack, for /proc/pid/auxv.</summary>
    public byte[] AuxiliaryVector { get; internal set; } = [];

    /// <summary>Where the vDSO is; its restorer returns from signal handlers that have none.</summary>
    public ulong VdsoAddress { get; internal set; }

    /// <summary>What was executed, for /proc/pid/exe.</summary>
    public Files.Dentry? Executable
    {
        get => _executable;
        internal set
        {
            _executable?.Inode.OnExecuted(begins: false);
            _executable = value;
            value?.Inode.OnExecuted(begins: true);
        }
    }

    /// <summary>RLIMIT_STACK of the process, bytes: how far mappings grow down.</summary>
    internal ulong StackLimit { get; set; } = 8 << 20;

    /// <summary>Bytes mapped.</summary>
    public ulong MappedBytes { get; private set; }

    /// <summary>Pages present (resident set), in pages.</summary>
    public long ResidentPages { get; private set; }

    /// <summary>Guest-physical address of the PML4.</summary>
    internal ulong Root => _tables.Root;

    internal PageTables Tables => _tables;

    private FrameAllocator Frames => _kernel.Frames;

    /// <summary>One more process (CLONE_VM) uses it.</summary>
    public AddressSpace AddUser()
    {
        _users++;
        return this;
    }

    /// <summary>One less; the last one's end frees it.</summary>
    public void RemoveUser()
    {
        if (--_users > 0) return;
        _kernel.Scheduler.LeaveGuest(this);
        _tables.Abandon();
        foreach (var area in _areas) DropArea(area);
        _kernel.AreaCount -= _areas.Count;
        _areas.Clear();
        _tables.Free();
        FinishRevocation();
        Executable = null;
    }

    /// <summary>The area that holds an address, or null.</summary>
    public VirtualMemoryArea? FindArea(ulong address)
    {
        int index = FirstEndingAfter(address);
        return index < _areas.Count && _areas[index].Start <= address ? _areas[index] : null;
    }

    /// <summary>Index of the first area that ends after an address.</summary>
    private int FirstEndingAfter(ulong address)
    {
        int low = 0;
        int high = _areas.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_areas[middle].End > address) high = middle;
            else low = middle + 1;
        }

        return low;
    }

    /// <summary>Whether nothing is mapped in a range.</summary>
    private bool IsFree(ulong start, ulong end)
    {
        int index = FirstEndingAfter(start);
        return index >= _areas.Count || _areas[index].Start >= end;
    }

    /// <summary>The highest free range of this length below <see cref="MmapTop"/> (and below <paramref name="top"/>); 0 when there is none.</summary>
    private ulong FindFree(ulong length, ulong top)
    {
        ulong end = top;
        int index = FirstEndingAfter(end - 1);
        if (index < _areas.Count && _areas[index].Start < end) end = _areas[index].Start;
        for (index--; ; index--)
        {
            ulong floor = index >= 0 ? _areas[index].End : LowestMapping;
            if (end >= floor && end - floor >= length && end - length >= LowestMapping) return end - length;
            if (index < 0) return 0;
            end = _areas[index].Start;
        }
    }

    /// <summary>vm.mmap_min_addr.</summary>
    internal const ulong LowestMapping = 0x10000;

    private void Insert(VirtualMemoryArea area)
    {
        int index = FirstEndingAfter(area.Start);
        MappedBytes += area.Length;
        area.Object?.Attach(area);
        _areas.Insert(index, area);
        _kernel.AreaCount++;
        TryMerge(index);
        if (index > 0) TryMerge(index - 1);
    }

    private void TryMerge(int index)
    {
        if (index + 1 >= _areas.Count || !_areas[index].CanMerge(_areas[index + 1])) return;
        var next = _areas[index + 1];
        _areas[index].End = next.End;
        _areas.RemoveAt(index + 1);
        _kernel.AreaCount--;
        next.Object?.Detach(next);
    }

    /// <summary>Makes an area boundary at an address inside an area.</summary>
    private void SplitAt(ulong address)
    {
        var area = FindArea(address);
        if (area is null || area.Start == address) return;
        var upper = area.CloneRange(this, address, area.End);
        area.End = address;
        upper.Object?.Attach(upper);
        _areas.Insert(FirstEndingAfter(address), upper);
        _kernel.AreaCount++;
    }

    private void DropArea(VirtualMemoryArea area)
    {
        Zap(area.Start, area.End);
        MappedBytes -= area.Length;
        area.Object?.Detach(area);
    }
}
