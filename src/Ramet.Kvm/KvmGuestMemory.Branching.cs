using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>Copies of a machine's memory at one moment, for machines that go on from there.</summary>
public sealed unsafe partial class KvmGuestMemory
{
    /// <summary>A machine that starts from a delta needs one host mapping a range; more ranges than this are joined over the gaps between them.</summary>
    private const int MaxDeltaRanges = 256;

    private const ulong LeastSlack = 256 << 10, MostSlack = 16 << 20;

    private MemoryDelta? _delta;

    /// <summary>
    /// How many bytes a copy of what differs from the template will take, and a little more, since the guest may run and go on writing: for <see cref="BeginCapture"/>.
    /// </summary>
    /// <param name="isUsed">Whether anybody needs what a page (by guest-physical address) holds.</param>
    public ulong EstimateCapture(Func<ulong, bool> isUsed)
    {
        var (ranges, _) = FindRangesToCapture(whole: false, isUsed);
        var now = ranges.Length == 0 ? 0 : ranges[^1].Offset + ranges[^1].Length;
        return now + Math.Min(now / 4, MostSlack) + LeastSlack;
    }

    /// <summary>
    /// Begins a copy of all pages that differ, or may differ, from the template: makes room for it. The guest may run. How long it has to stand still afterwards depends on what it has written, whatever
    /// the size of RAM.
    /// </summary>
    /// <param name="expected">Bytes that it will take; 0: no room is made in advance.</param>
    /// <param name="isUsed">Whether anybody needs what a page (by guest-physical address) holds; asked while no vCPU runs. Other pages are left out, and read as anything afterwards.</param>
    /// <param name="whole">All pages that are not zero, the template's too.</param>
    /// <exception cref="HostException">The host has no memory for the copy.</exception>
    public MemoryCapture BeginCapture(ulong expected, Func<ulong, bool> isUsed, bool whole = false) => new(this, whole, expected, isUsed);

    /// <summary>What a copy has to hold, and the size of RAM. The guest may run: then it is an estimate.</summary>
    internal (DeltaRange[] Ranges, ulong Size) FindRangesToCapture(bool whole, Func<ulong, bool> isUsed)
    {
        var size = Size;
        var pages = whole ? FindUsedPages(size) : FindPrivatePages(size);
        if (_delta is { } inherited && !whole)
            pages = Join(pages, inherited.Ranges);
        pages = OnlyUsed(pages, isUsed);
        CloseGaps(pages);
        var ranges = new DeltaRange[pages.Count];
        ulong offset = 0;
        for (var i = 0; i < ranges.Length; i++)
        {
            ranges[i] = new DeltaRange(pages[i].Address, pages[i].Length, offset);
            offset += pages[i].Length;
        }
        return (ranges, size);
    }

    /// <summary>Maps the pages of a delta copy-on-write over the template that it was captured on. Nothing may run yet.</summary>
    /// <exception cref="KvmException">The host refuses, or the limit is less than the RAM that the delta belongs to.</exception>
    internal void AttachDelta(MemoryDelta delta)
    {
        if (delta.Size > Limit || !TryGrow(delta.Size))
            throw new KvmException($"The snapshot uses {delta.Size >> 20} MiB of memory, and the limit is {Limit >> 20} MiB. Raise the memory limit.");
        foreach (var range in delta.Ranges)
        {
            // SAFETY: the range is inside RAM (the delta's constructor compared it with its size), which nobody runs in yet; spans of it stay valid, since it stays mapped.
            var p = Libc.Map(_base + range.Address, (nuint)range.Length, Libc.PROT_READ | Libc.PROT_WRITE,
                Libc.MAP_PRIVATE | Libc.MAP_NORESERVE | Libc.MAP_FIXED, delta.File.Number, (long)range.Offset);
            if ((nint)p == -1)
                throw KvmException.FromLastError("Mapping the memory of a snapshot");
        }
        GC.KeepAlive(delta);
        _delta = delta;
    }

    // SAFETY: the range is one that FindRangesToCapture has given, inside RAM, and stays mapped until Dispose.
    internal ReadOnlySpan<byte> Bytes(ulong address, int length) => new(_base + address, length);

    private List<(ulong Address, ulong Length)> FindUsedPages(ulong end)
    {
        var found = new List<(ulong Address, ulong Length)>();
        for (ulong page = 0; page < end; page += PageSize)
        {
            if (!IsZero(page))
                Add(found, page, PageSize);
        }
        return found;
    }

    private List<(ulong Address, ulong Length)> OnlyUsed(List<(ulong Address, ulong Length)> ranges, Func<ulong, bool> isUsed)
    {
        var used = new List<(ulong Address, ulong Length)>(ranges.Count);
        foreach (var (address, length) in ranges)
        {
            for (var page = address; page < address + length; page += PageSize)
            {
                if (page < ReservedSize || isUsed(page))
                    Add(used, page, PageSize);
            }
        }
        return used;
    }

    private static List<(ulong Address, ulong Length)> Join(List<(ulong Address, ulong Length)> pages, IReadOnlyList<DeltaRange> inherited)
    {
        var all = new List<(ulong Address, ulong Length)>(pages);
        all.AddRange(inherited.Select(range => (range.Address, range.Length)));
        all.Sort();
        var joined = new List<(ulong Address, ulong Length)>();
        foreach (var (address, length) in all)
        {
            if (joined.Count > 0 && joined[^1].Address + joined[^1].Length >= address)
                joined[^1] = (joined[^1].Address, Math.Max(joined[^1].Length, address + length - joined[^1].Address));
            else
                joined.Add((address, length));
        }
        return joined;
    }

    /// <summary>Joins ranges over gaps that grow until there are few enough of them.</summary>
    private static void CloseGaps(List<(ulong Address, ulong Length)> ranges)
    {
        for (ulong gap = PageSize; ranges.Count > MaxDeltaRanges; gap *= 2)
        {
            var kept = 0;
            for (var i = 1; i < ranges.Count; i++)
            {
                var (address, length) = ranges[kept];
                if (ranges[i].Address - (address + length) <= gap)
                    ranges[kept] = (address, ranges[i].Address + ranges[i].Length - address);
                else
                    ranges[++kept] = ranges[i];
            }
            ranges.RemoveRange(kept + 1, ranges.Count - kept - 1);
        }
    }
}
