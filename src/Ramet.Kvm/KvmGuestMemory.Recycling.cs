using System.Runtime.InteropServices;
using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// Taking a used machine back to its template. Pages that the guest only read stay mapped, so the next run faults only on what it writes; and of those that it wrote, the
/// ones that most runs write are copied back in place rather than dropped: then the next run does not fault on them either.
/// </summary>
public sealed unsafe partial class KvmGuestMemory
{
    private const ulong PagemapPresent = 1UL << 63, PagemapSwapped = 1UL << 62, PagemapFile = 1UL << 61;
    private const int ScanRegions = 512;

    private static readonly Lazy<FileDescriptor> Pagemap = new(() => FileDescriptor.OpenRead("/proc/self/pagemap"));
    private static volatile bool s_hasScan = true;

    /// <summary>The ranges of RAM that differ, or may differ, from the template: private pages of [0, TemplateLength), neighbours joined.</summary>
    public IReadOnlyList<(ulong Address, ulong Length)> FindWrittenPages() => FindPrivatePages(TemplateLength);

    /// <summary>
    /// Makes RAM the template's again; RAM behind it (which stays present) is zero. No vCPU may run meanwhile. Gives the ranges that were written since
    /// <see cref="VirtualMachine.Attach"/>. A shadow-paging host does not notice that page tables changed in this way: give every page of them that was a page table before, or
    /// is one now, to <see cref="VirtualCpu.Invalidate"/> of each vCPU.
    /// </summary>
    /// <param name="pagesToKeep">How many of the written pages may stay backed by memory of their own; the first in address order do.</param>
    /// <exception cref="InvalidOperationException">The machine has no template.</exception>
    public IReadOnlyList<(ulong Address, ulong Length)> ResetToTemplate(int pagesToKeep = 0)
    {
        if (!CanReset || _template is not { } template)
            throw new InvalidOperationException("A machine without a template cannot be reset.");
        var written = FindPrivatePages(TemplateLength);
        var budget = (ulong)Math.Max(0, pagesToKeep) * PageSize;
        foreach (var (address, length) in written)
        {
            var kept = Math.Min(length, budget);
            if (kept > 0)
                template.CopyTo(address, new Span<byte>(_base + address, (int)kept));
            if (kept < length)
                Drop(address + kept, length - kept);
            budget -= kept;
        }
        if (Size > TemplateLength)
            Drop(TemplateLength, Size - TemplateLength);
        return written;
    }

    /// <summary>
    /// Gives back the pages that were written but hold what the template's hold: counters that went up and down again, memory that was backed in advance; and those that nobody needs any more. Nobody sees a difference but the
    /// host. No vCPU may run meanwhile. Returns the bytes.
    /// </summary>
    /// <param name="isUsed">Whether anybody needs what a page (by guest-physical address) holds.</param>
    public ulong ReleaseUnchanged(Func<ulong, bool> isUsed)
    {
        if (!CanReset || _template is not { } template)
            return 0;
        ulong released = 0;
        foreach (var (address, length) in FindPrivatePages(Size))
        {
            var end = address + length;
            for (var page = address; page < end;)
            {
                var start = page;
                while (page < end && IsUnneeded(page))
                    page += PageSize;
                if (page > start)
                    Drop(start, page - start);
                released += page - start;
                page += page < end ? PageSize : 0ul;
            }
        }
        return released;

        bool IsUnneeded(ulong page) =>
            (page >= ReservedSize && !isUsed(page)) || (page < TemplateLength && template.Equals(page, new ReadOnlySpan<byte>(_base + page, PageSize)));
    }

    /// <summary>Whether there is a template to go back to, and nothing else below what was written.</summary>
    internal bool CanReset => _template is not null && _delta is null;

    /// <summary>One page as the template has it.</summary>
    internal void ResetPage(ulong page) => _template!.CopyTo(page, new Span<byte>(_base + page, PageSize));

    private void Drop(ulong address, ulong length)
    {
        // SAFETY: the range is inside RAM. MADV_DONTNEED of a private mapping gives the file's bytes back, or zeroes.
        if (Libc.Advise(_base + address, (nuint)length, Libc.MADV_DONTNEED) != 0)
            throw HostException.FromErrno("Dropping written memory (MADV_DONTNEED)");
    }

    private List<(ulong Address, ulong Length)> FindPrivatePages(ulong end)
    {
        var found = new List<(ulong Address, ulong Length)>();
        if (s_hasScan && TryScan(end, found))
            return found;
        found.Clear();
        ReadPagemap(end, found);
        return found;
    }

    /// <summary>ioctl PAGEMAP_SCAN (Documentation/admin-guide/mm/pagemap.rst, Linux 6.7): walks page tables that exist instead of every address. False where it does not exist.</summary>
    private bool TryScan(ulong end, List<(ulong Address, ulong Length)> found)
    {
        var regions = stackalloc PageRegion[ScanRegions];
        var from = (ulong)_base;
        while (from < (ulong)_base + end)
        {
            var scan = new PagemapScan
            {
                Size = (ulong)sizeof(PagemapScan),
                Start = from,
                End = (ulong)_base + end,
                Vector = (ulong)regions,
                VectorLength = ScanRegions,
                CategoryInverted = PagemapScan.PAGE_IS_FILE,
                CategoryMask = PagemapScan.PAGE_IS_FILE,
                CategoryAnyOfMask = PagemapScan.PAGE_IS_PRESENT | PagemapScan.PAGE_IS_SWAPPED,
            };
            // SAFETY: the kernel writes at most VectorLength regions to our stack, and the struct itself.
            var count = Libc.Ioctl(Pagemap.Value, PagemapScan.PAGEMAP_SCAN, (nint)(&scan));
            if (count < 0)
                return s_hasScan = false;
            for (var i = 0; i < count; i++)
                Add(found, regions[i].Start - (ulong)_base, regions[i].End - regions[i].Start);
            from = scan.WalkEnd;
        }
        return true;
    }

    /// <summary>/proc/PID/pagemap: a present page of a private file mapping that is not the file's has been written.</summary>
    private void ReadPagemap(ulong end, List<(ulong Address, ulong Length)> found)
    {
        var entries = new ulong[8192];
        for (ulong page = 0, pages = end / PageSize; page < pages; page += (ulong)entries.Length)
        {
            var chunk = entries.AsSpan(0, (int)Math.Min((ulong)entries.Length, pages - page));
            Pagemap.Value.ReadExactlyAt(MemoryMarshal.AsBytes(chunk), (long)(((ulong)_base / PageSize) + page) * 8);
            for (var i = 0; i < chunk.Length; i++)
            {
                if ((chunk[i] & (PagemapPresent | PagemapSwapped)) != 0 && (chunk[i] & PagemapFile) == 0)
                    Add(found, (page + (ulong)i) * PageSize, PageSize);
            }
        }
    }

    private static void Add(List<(ulong Address, ulong Length)> found, ulong address, ulong length)
    {
        if (found.Count > 0 && found[^1].Address + found[^1].Length == address)
            found[^1] = (found[^1].Address, found[^1].Length + length);
        else
            found.Add((address, length));
    }

    /// <summary>struct page_region of linux/fs.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PageRegion
    {
        internal ulong Start, End, Categories;
    }

    /// <summary>struct pm_scan_arg of linux/fs.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PagemapScan
    {
        internal const nuint PAGEMAP_SCAN = 0xC0606610;
        internal const ulong PAGE_IS_FILE = 1 << 2, PAGE_IS_PRESENT = 1 << 3, PAGE_IS_SWAPPED = 1 << 4;

        internal ulong Size, Flags, Start, End, WalkEnd, Vector, VectorLength, MaxPages, CategoryInverted, CategoryMask, CategoryAnyOfMask, ReturnMask;
    }
}
