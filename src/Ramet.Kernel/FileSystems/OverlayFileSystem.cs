using Ramet.Kernel.Files;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.FileSystems;

/// <summary>
/// The root file system: the image's read-only files below, changes in memory above. A file of the image is an object only while it is
/// in use; what differs from the image (contents, metadata, names of a directory) is kept.
/// </summary>
[Saved]
public sealed partial class OverlayFileSystem : TmpfsFileSystem
{
    private const long Magic = 0x794C7630;

    private Dictionary<int, TmpfsInode> _changed = [];

    [NotSaved]
    private Dictionary<int, WeakReference<TmpfsInode>>? _inUse;

    // Files that came with a snapshot, found by their nodes: they stay.
    [NotSaved]
    private List<TmpfsInode>? _loaded;

    [NotSaved]
    private bool _loadedIsSorted;

    private OverlayFileSystem()
    {
    }

    /// <summary>The kernel's image with nothing changed.</summary>
    public OverlayFileSystem(Kernel kernel)
        : base(kernel, "overlay", firstNumber: (ulong)kernel.Image.NodeCount + 16)
    {
    }

    /// <inheritdoc/>
    public override Inode Root => GetImageInode(Kernel.Image.Root);

    /// <inheritdoc/>
    public override string OptionText => ",lowerdir=/,upperdir=/,workdir=/";

    /// <inheritdoc/>
    public override StatFs GetStatistics()
    {
        var statistics = base.GetStatistics();
        statistics.f_type = Magic;
        return statistics;
    }

    /// <summary>st_ino of a node of the image.</summary>
    internal static ulong NumberOf(int node) => (ulong)node + 1;

    /// <inheritdoc/>
    internal override TmpfsInode GetImageInode(int node)
    {
        if (_changed.TryGetValue(node, out var inode)) return inode;
        if (_inUse is not null && _inUse.TryGetValue(node, out var weak) && weak.TryGetTarget(out inode)) return inode;
        if (FindLoaded(node) is { } loaded) return loaded;
        var from = Kernel.Image.GetNode(node);
        inode = ((InodeMode)from.Mode & InodeMode.S_IFMT) switch
        {
            InodeMode.S_IFDIR => new TmpfsDirectory(this, node, from),
            InodeMode.S_IFREG => new TmpfsFile(this, node, from),
            InodeMode.S_IFLNK => new TmpfsSymbolicLink(this, node, from),
            _ => new TmpfsSpecialFile(this, node, from),
        };
        Remember(inode);
        return inode;
    }

    /// <inheritdoc/>
    internal override void Keep(TmpfsInode inode)
    {
        if (inode.Node >= 0 && inode.LinkCount > 0) _changed.TryAdd(inode.Node, inode);
    }

    /// <inheritdoc/>
    internal override void Forget(TmpfsInode inode)
    {
        if (inode.Node < 0) return;
        _changed.Remove(inode.Node);
        Remember(inode);
    }

    /// <inheritdoc/>
    internal override void OnInodeLoaded(TmpfsInode inode)
    {
        if (inode.Node >= 0) (_loaded ??= []).Add(inode);
    }

    private TmpfsInode? FindLoaded(int node)
    {
        if (_loaded is null) return null;
        if (!_loadedIsSorted)
        {
            _loaded.Sort((one, other) => one.Node.CompareTo(other.Node));
            _loadedIsSorted = true;
        }

        var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_loaded);
        int found = all.BinarySearch(new NodeOrder(node));
        return found >= 0 ? all[found] : null;
    }

    private readonly struct NodeOrder(int node) : IComparable<TmpfsInode>
    {
        public int CompareTo(TmpfsInode? other) => node.CompareTo(other!.Node);
    }

    private void Remember(TmpfsInode inode)
    {
        _inUse ??= [];
        if (_inUse.Count >= 256 && (_inUse.Count & (_inUse.Count - 1)) == 0)
        {
            // At every doubling: forget files that nobody uses any more.
            foreach (var (node, weak) in _inUse)
                if (!weak.TryGetTarget(out _)) _inUse.Remove(node);
        }

        _inUse[inode.Node] = new WeakReference<TmpfsInode>(inode);
    }
}
