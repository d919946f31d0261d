using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>
/// The content of a file of the writable layer, or of shared anonymous memory: page frames of guest RAM, allocated when they are first written, over the bytes
/// of an image file where there is one. Because the bytes are guest RAM they count against the sandbox's memory limit and are cloned by
/// a fork for nothing.
/// </summary>
[Saved]
public sealed partial class PageStore : MemoryObject
{
    /// <summary>Bytes of a page.</summary>
    public const int PageSize = GuestMemory.PageSize;

    // Values of the page map: 0 shows the image below (or zeros), 1 is a hole punched over it, all else are frames.
    private const ulong Below = 0;
    private const ulong Hole = 1;

    private Kernel _kernel = null!;
    private TmpfsFile? _owner;
    private long _size;
    private long _imageOffset;
    private long _imageSize;

    // Pages at the start of the file are in an array that is never more than about twice as long as the number of pages; others are in the dictionary.
    private ulong[] _dense = [];
    private Dictionary<long, ulong>? _sparse;
    private long _entries;
    private int _references;

    private PageStore()
    {
    }

    /// <summary>Memory of this size that reads as zero. It is freed by the last <see cref="Release"/>.</summary>
    public PageStore(Kernel kernel, long size)
    {
        _kernel = kernel;
        _size = size;
    }

    /// <summary>The content of a file; it is freed when the file is.</summary>
    internal PageStore(Kernel kernel, TmpfsFile owner, long imageOffset, long imageSize)
    {
        _kernel = kernel;
        _owner = owner;
        _imageOffset = imageOffset;
        _size = _imageSize = imageSize;
    }

    /// <inheritdoc/>
    public override long Size => _size;

    /// <summary>Frames of RAM in use.</summary>
    public long FrameCount { get; private set; }

    /// <summary>Whether anything differs from the image.</summary>
    public bool IsChanged => _entries > 0 || _size != _imageSize;

    /// <inheritdoc/>
    public override void AddReference()
    {
        if (_owner is not null) _owner.AddUse();
        else _references++;
    }

    /// <inheritdoc/>
    public override void Release()
    {
        if (_owner is not null) _owner.DropUse();
        else if (--_references == 0) Clear();
    }

    /// <inheritdoc/>
    public override Errno GetPage(long index, bool forWrite, out ulong frame, out bool writable)
    {
        frame = 0;
        writable = false;
        if (index < 0 || index >= PagesOf(_size)) return Errno.EFAULT;
        ulong entry = Find(index);
        if (entry == Below && !forWrite && index * PageSize < _imageSize)
        {
            frame = GuestMemory.ImageBase + (ulong)(_imageOffset + (index * PageSize));
            return Errno.None;
        }

        if (entry <= Hole)
        {
            _owner?.BeforeContentChange();
            var error = CopyUp(index, out entry);
            if (error != Errno.None) return Errno.ENOMEM;
        }

        frame = entry;
        writable = true;
        return Errno.None;
    }

    /// <summary>Reads bytes. Returns how many: less than the buffer holds at the end of the file or when the buffer faults.</summary>
    public long Read(ref IoBuffer buffer, long offset)
    {
        long position = offset;
        long end = Math.Min(_size, offset > long.MaxValue - buffer.Remaining ? long.MaxValue : offset + buffer.Remaining);
        while (position < end)
        {
            int inPage = (int)(position % PageSize);
            int wanted = (int)Math.Min(PageSize - inPage, end - position);
            ulong entry = Find(position / PageSize);
            int copied;
            if (entry > Hole)
            {
                copied = buffer.CopyFrom(_kernel.Machine.Memory.GetSpan(entry + (ulong)inPage, wanted));
            }
            else if (entry == Below && position < _imageSize)
            {
                // Without copied-up pages a large read is one copy; the size bounds one look at the image's data only.
                long run = _entries == 0 ? Math.Min(end - position, 1 << 20) : wanted;
                wanted = (int)Math.Min(run, _imageSize - position);
                var data = _kernel.Image.ReadData(_imageOffset + position, wanted);
                copied = data.IsEmpty ? (int)buffer.Zero(wanted) : buffer.CopyFrom(data);
                if (!data.IsEmpty) wanted = data.Length;
            }
            else
            {
                copied = (int)buffer.Zero(wanted);
            }

            position += copied;
            if (copied < wanted) break;
        }

        return Math.Max(position - offset, 0);
    }

    /// <summary>Reads bytes into kernel memory; returns how many there were.</summary>
    public int Read(long offset, Span<byte> destination)
    {
        var buffer = new IoBuffer(destination);
        return (int)Read(ref buffer, offset);
    }

    /// <summary>
    /// Writes bytes and extends the file. Returns how many; when that is less than the buffer holds, it faulted or <paramref name="error"/> says why (ENOSPC).
    /// </summary>
    public long Write(ref IoBuffer buffer, long offset, out Errno error)
    {
        error = Errno.None;
        if (offset > _size) ZeroTail(_size);
        long position = offset;
        while (buffer.Remaining > 0 && !buffer.Faulted)
        {
            long index = position / PageSize;
            int inPage = (int)(position % PageSize);
            ulong entry = Find(index);
            if (entry <= Hole)
            {
                error = CopyUp(index, out entry);
                if (error != Errno.None) break;
            }

            int wanted = (int)Math.Min(PageSize - inPage, buffer.Remaining);
            int copied = buffer.CopyTo(_kernel.Machine.Memory.GetSpan(entry + (ulong)inPage, wanted));
            position += copied;
            if (position > _size) _size = position;
            if (copied < wanted) break;
        }

        return position - offset;
    }

    /// <summary>Sets the size. What is cut off is gone; what is added reads as zero. ENOSPC when the last page had to be copied and there is no memory.</summary>
    public Errno Resize(long size)
    {
        if (size < _size)
        {
            long firstGone = PagesOf(size);
            if (size % PageSize != 0 && size < _imageSize && Find(size / PageSize) == Below)
            {
                // The image's page shows bytes after the new end: mappings must not.
                var error = CopyUp(size / PageSize, out _);
                if (error != Errno.None) return error;
            }

            ZeroTail(size);
            long pages = PagesOf(_size) - firstGone;
            _size = size;
            _imageSize = Math.Min(_imageSize, size);
            UnmapPages(firstGone, pages, evenCopies: true);
            RemoveFrom(firstGone);
        }
        else if (size > _size)
        {
            ZeroTail(_size);
            _size = size;
        }

        return Errno.None;
    }

    /// <summary>Makes a range read as zero and gives its whole pages back. The size stays. ENOSPC.</summary>
    public Errno PunchHole(long offset, long length)
    {
        long end = Math.Min(length > long.MaxValue - offset ? long.MaxValue : offset + length, _size);
        if (offset >= end) return Errno.None;

        // What lies far apart is sorted once, and mappings lose the whole pages in one go: a range may have a million pages.
        long[] sparse = SparseIndexes(offset / PageSize, (end - 1) / PageSize);
        int nextSparse = 0;
        long firstWhole = PagesOf(offset);
        long afterWhole = end == _size ? PagesOf(end) : end / PageSize;
        if (afterWhole > firstWhole) UnmapPages(firstWhole, afterWhole - firstWhole);
        long position = offset;
        while (position < end)
        {
            long index = position / PageSize;
            int inPage = (int)(position % PageSize);
            int count = (int)Math.Min(PageSize - inPage, end - position);
            ulong entry = Find(index);
            bool belowShows = entry == Below && index * PageSize < _imageSize;
            if (entry <= Hole && !belowShows)
            {
                // Nothing here; files may be huge and almost empty, so do not go on page by page.
                position = NextEntry(index + 1, sparse, ref nextSparse) is var next && next > end / PageSize ? end : next * PageSize;
                continue;
            }

            if (count == PageSize || (position + count == _size && inPage == 0))
            {
                Set(index, index * PageSize < _imageSize ? Hole : Below);
            }
            else
            {
                if (belowShows)
                {
                    var error = CopyUp(index, out entry);
                    if (error != Errno.None) return error;
                }

                _kernel.Machine.Memory.GetSpan(entry + (ulong)inPage, count).Clear();
            }

            position += count;
        }

        Shrink();
        return Errno.None;
    }

    /// <summary>Gives every page of a range a frame of its own (fallocate). ENOSPC: nothing has changed then.</summary>
    public Errno Allocate(long offset, long length)
    {
        List<long> made = [];
        long last = (offset + length - 1) / PageSize;
        for (long index = offset / PageSize; index <= last; index++)
        {
            if (Find(index) > Hole) continue;
            var error = CopyUp(index, out _);
            if (error != Errno.None)
            {
                foreach (long undo in made) Set(undo, Below);
                Shrink();
                return error;
            }

            // A page copied from the image has been shown to mappings: it stays.
            if (index * PageSize >= _imageSize) made.Add(index);
        }

        return Errno.None;
    }

    /// <summary>The next offset from <paramref name="offset"/> on that holds data, or that holds none (lseek SEEK_DATA, SEEK_HOLE); the size at the end.</summary>
    public long SeekData(long offset, bool data)
    {
        long position = offset;
        while (position < _size)
        {
            ulong entry = Find(position / PageSize);
            bool isData = entry > Hole || (entry == Below && position < _imageSize);
            if (isData == data) return position;
            long index = (position / PageSize) + 1;
            if (index >= long.MaxValue / PageSize) return _size;
            if (!isData && index * PageSize >= _imageSize) index = NextEntry(index);
            if (index >= long.MaxValue / PageSize) return _size;
            position = index * PageSize;
        }

        return Math.Max(_size, offset);
    }

    /// <summary>Gives all frames back: nobody can reach the content any more.</summary>
    internal void Clear()
    {
        _size = _imageSize = 0;
        RemoveFrom(0);
    }

    /// <summary>Pages that so many bytes take; a size may be as large as a long.</summary>
    private static long PagesOf(long size) => (size / PageSize) + (size % PageSize != 0 ? 1 : 0);

    private Errno CopyUp(long index, out ulong frame)
    {
        bool fromImage = Find(index) == Below && index * PageSize < _imageSize;
        if (!_kernel.Frames.TryAllocate(out frame, zero: true)) return Errno.ENOSPC;
        if (fromImage)
        {
            int count = (int)Math.Min(PageSize, _imageSize - (index * PageSize));
            _kernel.Image.ReadData(_imageOffset + (index * PageSize), count).CopyTo(_kernel.Machine.Memory.GetSpan(frame, PageSize));
        }

        Set(index, frame);
        if (fromImage) UnmapPages(index, 1);
        return Errno.None;
    }

    /// <summary>Clears the rest of the page after an offset, so that what a mapping left there never becomes file content.</summary>
    private void ZeroTail(long offset)
    {
        int inPage = (int)(offset % PageSize);
        if (inPage == 0) return;
        ulong entry = Find(offset / PageSize);
        if (entry > Hole) _kernel.Machine.Memory.GetSpan(entry + (ulong)inPage, PageSize - inPage).Clear();
    }
}
