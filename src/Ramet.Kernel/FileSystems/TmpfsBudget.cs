using Ramet.Kernel.Platform;

namespace Ramet.Kernel.FileSystems;

/// <summary>
/// What all file systems in memory of one sandbox may have together. As tmpfs(5) has it, names and inodes are the host's memory, so their number is bounded by the sandbox's own; a
/// program may mount as many of them as it likes, so there is no budget of each. It is not part of a snapshot: each file system brings its share when it is loaded.
/// </summary>
/// <param name="kernel">The kernel, whose limits hold.</param>
internal sealed class TmpfsBudget(Kernel kernel)
{
    private readonly List<Share> _shares = [];

    /// <summary>The most inodes beside those of the image.</summary>
    public long MaximumInodes => (long)Math.Max(kernel.Limits.MemoryBytes / GuestMemory.PageSize, 1024);

    /// <summary>Inodes in use.</summary>
    public long Inodes { get; private set; }

    /// <summary>Bytes of names, targets of links and extended attributes.</summary>
    public long Bytes { get; private set; }

    private long MaximumBytes => (long)Math.Max(kernel.Limits.MemoryBytes / 8, 1 << 20);

    /// <summary>A file system was made or loaded.</summary>
    public Share Join(TmpfsFileSystem fileSystem, long inodes, long bytes)
    {
        // At every doubling: forget those that are gone.
        if (_shares.Count >= 64 && (_shares.Count & (_shares.Count - 1)) == 0) TakeFromTheDead();
        var share = new Share(fileSystem) { Inodes = inodes, Bytes = bytes };
        _shares.Add(share);
        Inodes += inodes;
        Bytes += bytes;
        return share;
    }

    /// <summary>Takes from the budget. False when it is used up (ENOSPC).</summary>
    public bool TryTake(Share share, long inodes, long bytes)
    {
        if (!HasRoom(inodes, bytes))
        {
            TakeFromTheDead();
            if (!HasRoom(inodes, bytes)) return false;
        }

        GiveBack(share, -inodes, -bytes);
        return true;
    }

    /// <summary>Gives back.</summary>
    public void GiveBack(Share share, long inodes, long bytes)
    {
        share.Inodes -= inodes;
        share.Bytes -= bytes;
        Inodes -= inodes;
        Bytes -= bytes;
    }

    private bool HasRoom(long inodes, long bytes) =>
        (inodes <= 0 || Inodes + inodes <= MaximumInodes) && (bytes <= 0 || Bytes + bytes <= MaximumBytes);

    // Nothing counts who refers to a file system that is not mounted any more (an open directory may): what it had is free when the collector has found it unreachable.
    private void TakeFromTheDead() => _shares.RemoveAll(share =>
    {
        if (share.IsAlive) return false;
        Inodes -= share.Inodes;
        Bytes -= share.Bytes;
        return true;
    });

    /// <summary>What one file system has of it.</summary>
    internal sealed class Share(TmpfsFileSystem fileSystem)
    {
        private readonly WeakReference<TmpfsFileSystem> _fileSystem = new(fileSystem);

        public bool IsAlive => _fileSystem.TryGetTarget(out _);

        public long Inodes { get; set; }

        public long Bytes { get; set; }
    }
}
