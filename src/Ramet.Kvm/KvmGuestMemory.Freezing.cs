using Ramet.Host;

namespace Ramet.Kvm;

public sealed unsafe partial class KvmGuestMemory
{
    /// <summary>
    /// Copies RAM [0, <paramref name="usedLength"/>) into a new sealed memory file. No vCPU may run meanwhile. Pages that
    /// are all zero stay holes; the length is rounded up to 2 MiB.
    /// </summary>
    /// <param name="usedLength">Bytes that hold something.</param>
    /// <param name="spareLength">Further bytes, holes all of them, that forks can use without adding a memory slot.</param>
    /// <exception cref="HostException">The host has no memory for the copy.</exception>
    public MemoryTemplate Freeze(ulong usedLength, ulong spareLength = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(usedLength, Size);
        var length = (Math.Max(usedLength, GuestLayout.ReservedSize) + spareLength + Granularity - 1) & ~(Granularity - 1);
        var file = MemoryFile.Create("ramet-template");
        try
        {
            file.SetLength((long)length);
            CopyUsedPages(file, Math.Min(Math.Max(usedLength, GuestLayout.ReservedSize), Size));
            MemoryFile.Seal(file);
            return new MemoryTemplate(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void CopyUsedPages(FileDescriptor file, ulong end)
    {
        const ulong maxRun = 1 << 20;
        for (ulong at = 0; at < end;)
        {
            if (IsZero(at))
            {
                at += PageSize;
                continue;
            }
            var run = at + PageSize;
            while (run < end && run - at < maxRun && !IsZero(run))
                run += PageSize;
            file.WriteAllAt(GetSpan(at, (int)(Math.Min(run, end) - at)), (long)at);
            at = run;
        }
    }

    private bool IsZero(ulong page) =>
        // SAFETY: callers stay below Size, a multiple of the page size.
        new ReadOnlySpan<byte>(_base + page, PageSize).IndexOfAnyExcept((byte)0) < 0;
}
