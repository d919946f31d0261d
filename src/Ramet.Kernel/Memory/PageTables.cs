using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>
/// The four-level page tables of one address space, in guest RAM. The guest cannot reach them at CPL3, but nothing read from them is trusted: every address is checked
/// by <see cref="GuestMemory"/>. Tables whose present entries were taken back or replaced are noted for each virtual CPU
/// (see docs/ARCHITECTURE.md, "Taking a mapping back").
/// </summary>
[Saved]
internal sealed partial class PageTables
{
    /// <summary>Entries of one table.</summary>
    public const int EntryCount = 512;

    /// <summary>First address that is not the program's: the lower canonical half less one page, as on Linux (TASK_SIZE).</summary>
    public const ulong UserEnd = 0x7FFF_FFFF_F000;

    private Kernel _kernel = null!;

    [NotSaved]
    private StaleTables[] _stale = [];

    [NotSaved]
    private bool _isAbandoned;

    private PageTables()
    {
    }

    private PageTables(Kernel kernel, ulong root)
    {
        _kernel = kernel;
        Root = root;
    }

    /// <summary>Guest-physical address of the PML4.</summary>
    public ulong Root { get; private set; }

    /// <summary>Frames that the tables themselves use.</summary>
    public int TableCount { get; private set; } = 1;

    private GuestMemory Memory => _kernel.Machine.Memory;

    /// <summary>New tables that map nothing of the program's; null over the memory limit.</summary>
    public static PageTables? Create(Kernel kernel)
    {
        if (!kernel.Frames.TryAllocatePageTable(out ulong root, out bool reused)) return null;
        var tables = new PageTables(kernel, root);
        tables.Entries(root)[EntryCount - 1] = kernel.Machine.KernelPml4Entry;
        if (reused) tables.MarkStale(root);
        return tables;
    }

    /// <summary>The 512 entries of a table.</summary>
    public Span<ulong> Entries(ulong table) => MemoryMarshal.Cast<byte, ulong>(Memory.GetSpan(table, GuestMemory.PageSize));

    /// <summary>The lowest table for an address, or 0 when there is none.</summary>
    public ulong FindLeaf(ulong address)
    {
        ulong table = Root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong entry = Entries(table)[Index(address, shift)];
            if ((entry & PageTableEntry.Present) == 0) return 0;
            table = Below(entry, address);
        }

        return table;
    }

    /// <summary>
    /// The lowest table for an address, or 0; <paramref name="next"/> is then the first address behind the tables that are missing. For walks along ranges that may be as large as the
    /// address space and hold next to nothing.
    /// </summary>
    public ulong FindLeaf(ulong address, out ulong next)
    {
        ulong table = Root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            next = (address | ((1UL << shift) - 1)) + 1;
            ulong entry = Entries(table)[Index(address, shift)];
            if ((entry & PageTableEntry.Present) == 0) return 0;
            table = Below(entry, address);
        }

        next = (address | 0x1F_FFFF) + 1;
        return table;
    }

    /// <summary>The lowest table for an address, made if there is none; 0 over the memory limit.</summary>
    public ulong MakeLeaf(ulong address)
    {
        ulong table = Root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ref ulong entry = ref Entries(table)[Index(address, shift)];
            if ((entry & PageTableEntry.Present) == 0)
            {
                if (!_kernel.Frames.TryAllocatePageTable(out ulong frame, out bool reused)) return 0;
                if (reused) MarkStale(frame);
                TableCount++;
                Volatile.Write(ref entry, frame | PageTableEntry.Table);
            }

            table = Below(entry, address);
        }

        return table;
    }

    /// <summary>The entry for an address; 0 when there is none.</summary>
    public ulong Get(ulong address)
    {
        ulong leaf = FindLeaf(address);
        return leaf == 0 ? 0 : Entries(leaf)[LeafIndex(address)];
    }

    /// <summary>
    /// Sets the entry for an address; false when a table was needed and the memory limit is reached. A present entry that changes
    /// otherwise than to writable is noted as stale.
    /// </summary>
    public bool TrySet(ulong address, ulong entry)
    {
        ulong leaf = MakeLeaf(address);
        if (leaf == 0) return false;
        SetInLeaf(leaf, LeafIndex(address), entry);
        return true;
    }

    /// <summary>Sets an entry of a lowest table.</summary>
    public void SetInLeaf(ulong leaf, int index, ulong entry)
    {
        ref ulong slot = ref Entries(leaf)[index];
        ulong old = slot;
        if (old == entry) return;
        BeforeChange(leaf);
        Volatile.Write(ref slot, entry);
        if ((old & PageTableEntry.Present) != 0 && (old | PageTableEntry.Writable) != entry) MarkStale(leaf);
    }

    /// <summary>Frees the lowest tables that lie wholly inside a range in which nothing is mapped any more, and tables above that became empty.</summary>
    public void FreeTables(ulong start, ulong end) => FreeTables(Root, 39, 0, start, end);

    /// <summary>Frees all tables. The address space must not be entered again.</summary>
    public void Free()
    {
        FreeTables(Root, 39, 0, 0, UserEnd + GuestMemory.PageSize);
        _kernel.Frames.Release(Root);
        Root = 0;
    }

    /// <summary>Tables whose translations a virtual CPU has to forget before it runs on these tables.</summary>
    public StaleTables TakeStale(int vcpu)
    {
        EnsureStale();
        return _stale[vcpu];
    }

    /// <summary>Whether translations were taken back that another virtual CPU may still use.</summary>
    public bool HasStale(int vcpu) => _stale.Length > vcpu && _stale[vcpu].Count > 0;

    /// <summary>The table has to be forgotten by every virtual CPU.</summary>
    public void MarkStale(ulong table)
    {
        if (_isAbandoned) return;
        EnsureStale();
        foreach (var tables in _stale) tables.Add(table);
    }

    /// <summary>No virtual CPU runs on these tables any more, and none ever will: what changes from now on is nothing to forget.</summary>
    public void Abandon() => _isAbandoned = true;

    /// <summary>Index of an address in a table of the level that starts at this bit.</summary>
    public static int Index(ulong address, int shift) => (int)(address >> shift) & (EntryCount - 1);

    /// <summary>Index of an address in its lowest table.</summary>
    public static int LeafIndex(ulong address) => Index(address, 12);

    private bool FreeTables(ulong table, int shift, ulong tableStart, ulong start, ulong end)
    {
        // Returns whether the table is empty afterwards.
        var entries = Entries(table);
        int count = shift == 39 ? EntryCount / 2 : EntryCount;
        ulong span = 1UL << shift;
        bool empty = true;
        for (int i = 0; i < count; i++)
        {
            ulong entry = entries[i];
            if ((entry & PageTableEntry.Present) == 0) continue;
            ulong first = tableStart + ((ulong)i * span);
            if (shift == 12 || first >= end || first + span <= start || (entry & PageTableEntry.Large) != 0)
            {
                empty = false;
                if (shift == 12) return false;
                continue;
            }

            ulong child = entry & PageTableEntry.AddressMask;
            bool childEmpty = shift == 21 ? IsEmpty(child) : FreeTables(child, shift - 9, first, start, end);
            if (!childEmpty)
            {
                empty = false;
                continue;
            }

            Volatile.Write(ref entries[i], 0);
            MarkStale(table);
            _kernel.Frames.Release(child);
            TableCount--;
        }

        return empty;
    }

    private bool IsEmpty(ulong leaf)
    {
        foreach (ulong entry in Entries(leaf))
        {
            if (entry != 0) return false;
        }

        return true;
    }

    private void EnsureStale()
    {
        if (_stale.Length != 0) return;
        _stale = new StaleTables[Math.Max(1, _kernel.Limits.VirtualCpus)];
        for (int i = 0; i < _stale.Length; i++) _stale[i] = new StaleTables();
    }
}
