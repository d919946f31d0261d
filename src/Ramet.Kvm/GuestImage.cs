using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// An image file that machines see as read-only physical memory. Mapped once per process and shared by all machines,
/// host page tables included. The file must not change or shrink while it is mapped. Dispose after the last machine.
/// </summary>
public sealed unsafe class GuestImage : IDisposable
{
    /// <summary>Size of a large page of the CPU, bytes.</summary>
    public const long LargePageSize = 2 << 20;

    private readonly MemoryMapping _mapping;
    private readonly byte* _pointer;

    /// <summary>Maps an image; the descriptor may be closed afterwards.</summary>
    /// <exception cref="HostException">The file is empty or cannot be mapped.</exception>
    public GuestImage(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        Length = file.GetLength();
        if (Length == 0)
            throw new HostException("An image file is empty: build the image again.");
        // Aligned, so that guest-physical and host addresses are alike in their lower 21 bits: that is what large pages need.
        _mapping = MemoryMapping.Create((nuint)(Length + LargePageSize), Libc.PROT_NONE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, null, what: "address space for an image");
        _pointer = (byte*)(((nuint)_mapping.Pointer + (nuint)(LargePageSize - 1)) & ~(nuint)(LargePageSize - 1));
        // SAFETY: [_pointer, _pointer + Length) lies inside the reservation that was just made.
        if ((nint)Libc.Map(_pointer, (nuint)Length, Libc.PROT_READ, Libc.MAP_SHARED | Libc.MAP_FIXED, file.Number, 0) == -1)
        {
            _mapping.Dispose();
            throw HostException.FromErrno("Mapping an image");
        }
        GC.KeepAlive(file);
    }

    /// <summary>Length of the file in bytes.</summary>
    public long Length { get; }

    /// <summary>Where it is mapped.</summary>
    internal byte* Pointer => _pointer;

    /// <summary>Opens and maps an image file.</summary>
    /// <exception cref="HostException">The file cannot be opened or mapped.</exception>
    public static GuestImage Open(string path)
    {
        using var file = FileDescriptor.OpenRead(path);
        return new GuestImage(file);
    }

    /// <summary>
    /// Copies parts of the image to a sealed memory file made of large pages, one behind the other. Other processes that map the same image can use it too. Null when the host has no
    /// large pages to give: MADV_COLLAPSE of madvise(2) for memory files, Linux 6.1.
    /// </summary>
    /// <param name="offsets">Where the parts begin, multiples of <see cref="LargePageSize"/>; each is that long and inside the file.</param>
    public FileDescriptor? CopyToLargePages(IReadOnlyList<long> offsets)
    {
        ArgumentNullException.ThrowIfNull(offsets);
        foreach (var offset in offsets)
            CheckPart(offset);
        if (offsets.Count == 0)
            return null;
        var length = offsets.Count * LargePageSize;
        var file = MemoryFile.Create("ramet-image");
        try
        {
            file.SetLength(length);
            using (var reservation = MemoryMapping.Create((nuint)(length + LargePageSize), Libc.PROT_NONE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, null))
            {
                var start = (byte*)(((nuint)reservation.Pointer + (nuint)(LargePageSize - 1)) & ~(nuint)(LargePageSize - 1));
                // SAFETY: the range is inside the reservation; the copies stay inside both mappings, as checked above.
                if ((nint)Libc.Map(start, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_FIXED, file.Number, 0) == -1)
                    throw HostException.FromErrno("Mapping a memory file");
                for (var i = 0; i < offsets.Count; i++)
                    new ReadOnlySpan<byte>(_pointer + offsets[i], (int)LargePageSize).CopyTo(new Span<byte>(start + (i * LargePageSize), (int)LargePageSize));
                if (Libc.Advise(start, (nuint)length, Libc.MADV_COLLAPSE) != 0)
                {
                    file.Dispose();
                    return null;
                }
            }
            // SAFETY: the part is inside our own read-only mapping of a file; what is dropped comes back from it when it is read. Whoever only hands the copy on does not keep both.
            foreach (var offset in offsets)
                Libc.Advise(_pointer + offset, (nuint)LargePageSize, Libc.MADV_DONTNEED);
            MemoryFile.Seal(file);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Maps parts of the image from a file that <see cref="CopyToLargePages"/> has made of them. Before machines use the image.</summary>
    /// <exception cref="HostException">It cannot be mapped.</exception>
    public void UseLargePages(FileDescriptor copy, IReadOnlyList<long> offsets)
    {
        ArgumentNullException.ThrowIfNull(copy);
        ArgumentNullException.ThrowIfNull(offsets);
        if (copy.GetLength() != offsets.Count * LargePageSize || !MemoryFile.IsSealed(copy))
            throw new HostException("The copy of an image in large pages is not what was made of it.");
        for (var i = 0; i < offsets.Count; i++)
        {
            CheckPart(offsets[i]);
            // SAFETY: the part is inside our own mapping, and what is mapped in its place has the same bytes. MAP_PRIVATE: Linux before 6.7 refuses shared mappings of sealed files.
            if ((nint)Libc.Map(_pointer + offsets[i], (nuint)LargePageSize, Libc.PROT_READ, Libc.MAP_PRIVATE | Libc.MAP_FIXED, copy.Number, i * LargePageSize) == -1)
                throw HostException.FromErrno("Mapping an image");
        }
        GC.KeepAlive(copy);
    }

    internal void AddReference()
    {
        var added = false;
        _mapping.DangerousAddRef(ref added);
    }

    internal void ReleaseReference() => _mapping.DangerousRelease();

    /// <inheritdoc/>
    public void Dispose() => _mapping.Dispose();

    private void CheckPart(long offset)
    {
        if (offset < 0 || offset % LargePageSize != 0 || offset > Length - LargePageSize)
            throw new ArgumentOutOfRangeException(nameof(offset), $"0x{offset:x} is not the place of a large page inside the image.");
    }
}
