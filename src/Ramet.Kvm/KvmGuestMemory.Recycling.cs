using System.Runtime.InteropServices;
using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// Taking a used machine back to its template. Pages that the guest only read stay mapped, so the next run faults only
/// on what it writes.
/// </summary>
public sealed unsafe partial class KvmGuestMemory
{
    private const ulong PagemapPresent = 1UL << 63, PagemapSwapped = 1UL << 62, PagemapFile = 1UL << 61;
    private static readonly Lazy<FileDescriptor> Pagemap = new(() => FileDescriptor.OpenRead("/proc/self/pagemap"));

    /// <summary>
    /// The ranges of RAM that differ, or may differ, from the template: private pages of [0, TemplateLength), neighbours
    /// joined. Behind the template everything is private; see <see cref="ResetToTemplate"/>.
    /// </summary>
    public IReadOnlyList<(ulong Address, ulong Length)> FindWrittenPages() => FindPrivatePages(TemplateLength);

    /// <summary>
    /// Drops everything that was written since <see cref="VirtualMachine.Attach"/>: RAM is the template's again, and RAM
    /// behind it (which stays present) is zero. No vCPU may run meanwhile. Gives the dropped ranges of the template, to
    /// <see cref="Ramet.Kernel.Platform.GuestMemory.Populate"/> again ahead of the next run.
    /// A shadow-paging host does not notice that page tables changed in this way: give every dropped page that was a page
    /// table before or is one now to <see cref="VirtualCpu.Invalidate"/> of each vCPU.
    /// </summary>
    /// <exception cref="InvalidOperationException">The machine has no template.</exception>
    public IReadOnlyList<(ulong Address, ulong Length)> ResetToTemplate()
    {
        if (TemplateLength == 0)
            throw new InvalidOperationException("A machine without a template cannot be reset.");
        var written = FindPrivatePages(TemplateLength);
        foreach (var (address, length) in written)
            Drop(address, length);
        if (Size > TemplateLength)
            Drop(TemplateLength, Size - TemplateLength);
        return written;
    }

    private void Drop(ulong address, ulong length)
    {
        // SAFETY: the range is inside RAM. MADV_DONTNEED of a private mapping gives the file's bytes back, or zeroes.
        if (Libc.Advise(_base + address, (nuint)length, Libc.MADV_DONTNEED) != 0)
            throw HostException.FromErrno("Dropping written memory (MADV_DONTNEED)");
    }

    /// <summary>/proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst): a present page of a private file mapping that is not the file's has been written.</summary>
    private List<(ulong Address, ulong Length)> FindPrivatePages(ulong end)
    {
        var found = new List<(ulong Address, ulong Length)>();
        var entries = new ulong[8192];
        ulong runStart = 0, runLength = 0;
        for (ulong page = 0, pages = end / PageSize; page < pages; page += (ulong)entries.Length)
        {
            var chunk = entries.AsSpan(0, (int)Math.Min((ulong)entries.Length, pages - page));
            Pagemap.Value.ReadExactlyAt(MemoryMarshal.AsBytes(chunk), (long)(((ulong)_base / PageSize) + page) * 8);
            for (var i = 0; i < chunk.Length; i++)
            {
                var entry = chunk[i];
                if ((entry & (PagemapPresent | PagemapSwapped)) == 0 || (entry & PagemapFile) != 0)
                    continue;
                var address = (page + (ulong)i) * PageSize;
                if (runLength > 0 && runStart + runLength == address)
                {
                    runLength += PageSize;
                    continue;
                }
                if (runLength > 0)
                    found.Add((runStart, runLength));
                (runStart, runLength) = (address, PageSize);
            }
        }
        if (runLength > 0)
            found.Add((runStart, runLength));
        return found;
    }
}
