using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// What a machine's RAM held beyond its template at one moment: pages in a sealed memory file, and where they belong. Machines that start from it map them copy-on-write, so
/// any number of them share one copy. The file is whole by itself (it is not a difference to another delta), so a chain of branches keeps no ancestors alive.
/// </summary>
public sealed class MemoryDelta : IDisposable
{
    /// <summary>Takes ownership of a sealed memory file.</summary>
    /// <param name="file">The pages, one range behind the other.</param>
    /// <param name="ranges">Where they belong, in address order.</param>
    /// <param name="size">Bytes of RAM that the machine had.</param>
    /// <exception cref="HostException">The ranges do not fit the file or each other, or it is not sealed.</exception>
    public MemoryDelta(FileDescriptor file, IReadOnlyList<DeltaRange> ranges, ulong size)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(ranges);
        const ulong pageMask = Kernel.Platform.GuestMemory.PageSize - 1;
        ulong end = 0, offset = 0;
        var length = (ulong)file.GetLength();
        foreach (var range in ranges)
        {
            // Written so that no sum can overflow: the list may come from a file.
            var isWhole = ((range.Address | range.Length) & pageMask) == 0 && range.Length > 0;
            if (!isWhole || range.Address < end || range.Address > size || range.Length > size - range.Address || range.Offset != offset || range.Length > length - offset)
                throw new HostException("The list of memory pages of a snapshot is damaged.");
            end = range.Address + range.Length;
            offset += range.Length;
        }
        if (size % KvmGuestMemory.Granularity != 0 || size > GuestLayout.MaxRam || !MemoryFile.IsSealed(file))
            throw new HostException("The memory of a snapshot is damaged.");
        File = file;
        Ranges = ranges;
        Size = size;
    }

    /// <summary>The sealed memory file.</summary>
    public FileDescriptor File { get; }

    /// <summary>Where its pages belong.</summary>
    public IReadOnlyList<DeltaRange> Ranges { get; }

    /// <summary>Bytes of RAM.</summary>
    public ulong Size { get; }

    /// <summary>Bytes of pages.</summary>
    public ulong Length => Ranges.Count == 0 ? 0 : Ranges[^1].Offset + Ranges[^1].Length;

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();
}

/// <summary>Neighbouring pages of a <see cref="MemoryDelta"/>.</summary>
/// <param name="Address">Guest-physical address.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Offset">Offset in the file.</param>
public readonly record struct DeltaRange(ulong Address, ulong Length, ulong Offset);
