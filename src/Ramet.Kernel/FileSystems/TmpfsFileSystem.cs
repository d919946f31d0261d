using Ramet.Kernel.Files;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.FileSystems;

/// <summary>Files in the memory of the sandbox (tmpfs(5)): contents in page frames of guest RAM, names in the kernel.</summary>
[Saved]
public partial class TmpfsFileSystem : FileSystem
{
    /// <summary>f_type of tmpfs.</summary>
    private const long Magic = 0x01021994;

    private ulong _nextNumber = 2;
    private long _inodes;
    private long _metadataBytes;
    private TmpfsDirectory? _root;

    [NotSaved]
    private TmpfsBudget.Share? _share;

    // Asked for first by whoever is loaded first.
    private TmpfsBudget.Share Share => _share ??= Kernel.TmpfsBudget.Join(this, _inodes, _metadataBytes);

    /// <summary>For the state reader.</summary>
    private protected TmpfsFileSystem()
    {
    }

    /// <summary>An empty file system.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="typeName">Its type in /proc/mounts.</param>
    /// <param name="mode">Permissions of the root directory.</param>
    public TmpfsFileSystem(Kernel kernel, string typeName, InodeMode mode = (InodeMode)0x3FF)
        : this(kernel, typeName, firstNumber: 2) =>
        _root = new TmpfsDirectory(this, 1, InodeMode.S_IFDIR | mode, 0, 0);

    private protected TmpfsFileSystem(Kernel kernel, string typeName, ulong firstNumber)
        : base(kernel, typeName)
    {
        _nextNumber = firstNumber;
        _ = Share;
    }

    private void OnLoaded(StateReader reader) => _ = Share;

    /// <inheritdoc/>
    public override Inode Root => _root!;

    /// <summary>The root, for populating.</summary>
    public TmpfsDirectory RootDirectory => (TmpfsDirectory)Root;

    /// <inheritdoc/>
    public override StatFs GetStatistics()
    {
        ulong total = Kernel.Limits.MemoryBytes / GuestMemory.PageSize;
        ulong free = total - Math.Min(total, Kernel.Frames.UsedBytes / GuestMemory.PageSize);
        return new StatFs
        {
            f_type = Magic,
            f_bsize = GuestMemory.PageSize,
            f_frsize = GuestMemory.PageSize,
            f_blocks = total,
            f_bfree = free,
            f_bavail = free,
            f_files = (ulong)Kernel.TmpfsBudget.MaximumInodes,
            f_ffree = (ulong)Math.Max(Kernel.TmpfsBudget.MaximumInodes - Kernel.TmpfsBudget.Inodes, 0),
            f_namelen = PathWalk.NameMax,
        };
    }

    /// <summary>The inode of a node of the image below.</summary>
    internal virtual TmpfsInode? GetImageInode(int node) => null;

    /// <summary>Makes a regular file's inode.</summary>
    internal virtual Errno CreateFile(Processes.PosixThread thread, ulong number, InodeMode mode, uint uid, uint gid, out TmpfsInode? file)
    {
        file = new TmpfsFile(this, number, mode, uid, gid);
        return Errno.None;
    }

    /// <summary>An inode of the image is about to differ from it: it must be kept.</summary>
    internal virtual void Keep(TmpfsInode inode)
    {
    }

    /// <summary>An inode has lost its last name.</summary>
    internal virtual void Forget(TmpfsInode inode)
    {
    }

    /// <summary>An inode was loaded from a snapshot.</summary>
    internal virtual void OnInodeLoaded(TmpfsInode inode)
    {
    }

    /// <summary>A number for a new inode. False over the limit (ENOSPC).</summary>
    internal bool TryAllocateNumber(out ulong number)
    {
        number = _nextNumber;
        if (!Kernel.TmpfsBudget.TryTake(Share, 1, 0)) return false;
        _inodes++;
        _nextNumber++;
        return true;
    }

    /// <summary>A new inode has lost its last name.</summary>
    internal void FreeNumber()
    {
        _inodes--;
        Kernel.TmpfsBudget.GiveBack(Share, 1, 0);
    }

    /// <summary>Takes bytes of the budget for names, targets of links and extended attributes. False when it is used up (ENOSPC).</summary>
    internal bool TryCharge(long bytes)
    {
        if (!Kernel.TmpfsBudget.TryTake(Share, 0, bytes)) return false;
        _metadataBytes += bytes;
        return true;
    }

    /// <summary>Gives bytes back.</summary>
    internal void Uncharge(long bytes)
    {
        _metadataBytes -= bytes;
        Kernel.TmpfsBudget.GiveBack(Share, 0, bytes);
    }
}
