using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// The frozen RAM of a machine, from which others are forked: a sealed memory file whose bytes [0, <see cref="Length"/>)
/// are guest-physical addresses [0, Length). Pages that are all zero are holes. Dispose after the last fork is made
/// (forks that exist keep the memory by themselves).
/// </summary>
public sealed class MemoryTemplate : IDisposable
{
    private readonly Lazy<Contents> _contents;

    /// <summary>Takes ownership of a file that <see cref="KvmGuestMemory.Freeze"/> made, here or in another process.</summary>
    /// <exception cref="HostException">It is not a sealed memory file, or not a whole number of 2 MiB pages.</exception>
    public MemoryTemplate(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        File = file;
        _contents = new Lazy<Contents>(() => new Contents(file));
        Length = (ulong)file.GetLength();
        if (!MemoryFile.IsSealed(file))
            throw new HostException("A template's memory must be a sealed memory file: write it, then seal it (MemoryFile.Seal).");
        if (Length < GuestLayout.ReservedSize || Length % KvmGuestMemory.Granularity != 0 || Length > GuestLayout.MaxRam)
            throw new HostException($"A template's memory of {Length} bytes is not a whole number of 2 MiB pages: the template is damaged. Build it again.");
    }

    /// <summary>The sealed memory file.</summary>
    public FileDescriptor File { get; }

    /// <summary>Bytes of RAM; a multiple of 2 MiB.</summary>
    public ulong Length { get; }

    /// <summary>Copies the frozen bytes from an address on. Holes are not read: that would make the host back them.</summary>
    internal void CopyTo(ulong address, Span<byte> destination)
    {
        var contents = _contents.Value;
        while (destination.Length > 0)
        {
            var (isHole, end) = contents.Find(address);
            var count = (int)Math.Min((ulong)destination.Length, end - address);
            var part = destination[..count];
            if (isHole)
                part.Clear();
            else
                contents.File.GetSpan((long)address, count).CopyTo(part);
            address += (ulong)count;
            destination = destination[count..];
        }
    }

    /// <summary>Whether a page holds these bytes.</summary>
    /// <param name="page">Guest-physical address below <see cref="Length"/>.</param>
    /// <param name="bytes">As many as a page has.</param>
    public bool Equals(ulong page, ReadOnlySpan<byte> bytes)
    {
        var contents = _contents.Value;
        return contents.Find(page).IsHole ? !bytes.ContainsAnyExcept((byte)0) : bytes.SequenceEqual(contents.File.GetSpan((long)page, bytes.Length));
    }

    /// <summary>Writes all that is not a hole to the same places of another file.</summary>
    /// <exception cref="HostException">The host has no memory for it.</exception>
    public void CopyTo(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        const int piece = 1 << 20;
        foreach (var (start, end) in DataRanges())
        {
            for (var at = start; at < end; at += piece)
                file.WriteAllAt(_contents.Value.File.GetSpan(at, (int)Math.Min(piece, end - at)), at);
        }
    }

    /// <summary>The ranges of the file that are not holes.</summary>
    public IEnumerable<(long Start, long End)> DataRanges()
    {
        for (long at = 0; at < (long)Length;)
        {
            var data = File.SeekData(at);
            if (data < 0)
                yield break;
            at = File.SeekHole(data);
            yield return (data, at);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_contents.IsValueCreated)
            _contents.Value.File.Dispose();
        File.Dispose();
    }

    /// <summary>The file mapped read-only, and where it holds data (lseek(2), SEEK_DATA and SEEK_HOLE).</summary>
    private sealed class Contents
    {
        private readonly List<ulong> _edges = []; // data from an even index to the next, a hole from there

        internal Contents(FileDescriptor file)
        {
            File = new MappedFile(file, isSealed: true);
            for (long at = 0; at < File.Length;)
            {
                var data = file.SeekData(at);
                if (data < 0)
                    break;
                at = file.SeekHole(data);
                _edges.Add((ulong)data);
                _edges.Add((ulong)at);
            }
        }

        internal MappedFile File { get; }

        internal (bool IsHole, ulong End) Find(ulong address)
        {
            var index = _edges.BinarySearch(address);
            index = index >= 0 ? index + 1 : ~index; // the first edge behind the address
            return ((index & 1) == 0, index < _edges.Count ? _edges[index] : (ulong)File.Length);
        }
    }
}
