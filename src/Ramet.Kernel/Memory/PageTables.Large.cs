using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Memory;

/// <summary>
/// Large pages: 2 MiB of an image by one entry of the page directory, so that the host serves one fault for 512 pages. The lowest table stays, with the same translations: all that looks
/// at page tables sees small pages, and the first change to one of them puts the table back into its place.
/// </summary>
internal sealed partial class PageTables
{
    /// <summary>Bytes of a large page.</summary>
    public const ulong LargePageSize = 2 << 20;

    // Only while there are any: most address spaces have none, or a few.
    private Dictionary<ulong, ulong>? _tableOfLarge; // by address / 2 MiB
    private Dictionary<ulong, ulong>? _largeOfTable;

    /// <summary>Guest-physical addresses of the large pages.</summary>
    public IEnumerable<ulong> LargePages => _tableOfLarge?.Values.Select(table => Entries(table)[0] & PageTableEntry.AddressMask) ?? [];

    /// <summary>Addresses of the large pages.</summary>
    public IEnumerable<ulong> LargePageAddresses => _tableOfLarge?.Keys.Select(number => number * LargePageSize) ?? [];

    /// <summary>
    /// Makes 2 MiB one large page, if all of its small ones are present, read-only, and lie in an image one behind the other and on a boundary of 2 MiB. It can be executed where any of them can: what
    /// is between the parts of a program that can be is read-only as well.
    /// </summary>
    /// <param name="address">An address in it.</param>
    /// <param name="isNew">No virtual CPU has used these tables yet.</param>
    public bool TryMakeLarge(ulong address, bool isNew = false)
    {
        ulong number = address / LargePageSize;
        if (_tableOfLarge?.ContainsKey(number) == true) return true;
        ulong leaf = FindLeaf(address);
        if (leaf == 0) return false;
        var entries = Entries(leaf);
        ulong first = entries[0] & PageTableEntry.AddressMask;
        if (first < GuestMemory.ImageBase || first % LargePageSize != 0) return false;
        ulong noExecute = PageTableEntry.NoExecute;
        for (int i = 0; i < entries.Length; i++)
        {
            ulong entry = entries[i];
            if ((entry & (PageTableEntry.Present | PageTableEntry.Writable)) != PageTableEntry.Present || (entry & PageTableEntry.AddressMask) != first + ((ulong)i << 12)) return false;
            noExecute &= entry;
        }

        (_tableOfLarge ??= [])[number] = leaf;
        (_largeOfTable ??= [])[leaf] = number;
        ulong directory = FindDirectory(number, out int index);
        Volatile.Write(ref Entries(directory)[index], first | PageTableEntry.Present | PageTableEntry.User | PageTableEntry.Accessed | PageTableEntry.Dirty | PageTableEntry.Large | noExecute);
        if (!isNew) MarkStale(directory);
        return true;
    }

    /// <summary>An entry of this table is about to change: if it stands behind a large page it takes its place again.</summary>
    private void BeforeChange(ulong leaf)
    {
        if (_largeOfTable is null || !_largeOfTable.Remove(leaf, out ulong number)) return;
        _tableOfLarge!.Remove(number);
        ulong directory = FindDirectory(number, out int index);
        Volatile.Write(ref Entries(directory)[index], leaf | PageTableEntry.Table);
        MarkStale(directory);
    }

    /// <summary>The table that an entry leads to, also where a large page is in its place.</summary>
    private ulong Below(ulong entry, ulong address) =>
        (entry & PageTableEntry.Large) == 0 ? entry & PageTableEntry.AddressMask : _tableOfLarge![address / LargePageSize];

    private ulong FindDirectory(ulong number, out int index)
    {
        ulong address = number * LargePageSize;
        ulong table = Root;
        for (int shift = 39; shift > 21; shift -= 9) table = Entries(table)[Index(address, shift)] & PageTableEntry.AddressMask;
        index = Index(address, 21);
        return table;
    }
}
