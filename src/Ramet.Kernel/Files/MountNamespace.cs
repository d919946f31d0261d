using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>
/// The mounts that a group of processes sees (mount_namespaces(7)). A new one is a copy of another; nothing propagates between them, as if every mount were private.
/// </summary>
[Saved]
public sealed partial class MountNamespace
{
    private List<Mount> _mounts = [];

    private MountNamespace()
    {
    }

    internal MountNamespace(int id) => Id = id;

    /// <summary>Its number, in the names of /proc/[pid]/ns/mnt.</summary>
    public int Id { get; private set; }

    /// <summary>Mounts in the order in which they were made.</summary>
    public IReadOnlyList<Mount> Mounts => _mounts;

    /// <summary>The mount at the very top.</summary>
    public Mount Top { get; private set; } = null!;

    /// <summary>The root directory of processes that have not changed theirs.</summary>
    public Dentry Root => Top.Root.Down;

    internal void Add(Mount mount, Dentry? place)
    {
        mount.Namespace = this;
        mount.MountPoint = place;
        if (place is null) Top = mount;
        else place.MountedHere = mount;
        _mounts.Add(mount);
    }

    /// <summary>Unmounts. EBUSY when something is mounted below, unless <paramref name="detach"/>.</summary>
    internal Errno Remove(Mount mount, bool detach)
    {
        if (mount.MountPoint is null || mount.Namespace != this) return Errno.EINVAL;
        var below = _mounts.FindAll(other => other.MountPoint?.Mount == mount);
        if (below.Count > 0 && !detach) return Errno.EBUSY;
        foreach (var other in below) Remove(other, detach: true);
        mount.MountPoint.MountedHere = null;
        mount.MountPoint = null;
        mount.Namespace = null;
        _mounts.Remove(mount);
        return Errno.None;
    }

    /// <summary>Mounts below a directory, the upper ones first.</summary>
    internal List<Mount> Below(Dentry directory)
    {
        List<Mount> found = [];
        foreach (var mount in _mounts)
        {
            if (mount.MountPoint is { } point && point.Mount == directory.Mount && directory.IsAncestorOrSelf(point) && point != directory) Collect(mount, found);
        }

        return found;
    }

    /// <summary>MS_MOVE: takes a mount to another place. ELOOP when that is below it.</summary>
    internal Errno Move(Mount mount, Dentry place)
    {
        if (mount.MountPoint is null || mount.Namespace != this || place.Mount.Namespace != this) return Errno.EINVAL;
        if (IsBelow(place, mount)) return Errno.ELOOP;
        mount.MountPoint.MountedHere = null;
        mount.MountPoint = place;
        place.MountedHere = mount;
        return Errno.None;
    }

    /// <summary>pivot_root(2): a mount becomes the top, and the old top goes to a place in it. The caller has checked the arguments.</summary>
    internal void Pivot(Mount oldRoot, Mount newRoot, Dentry placeOfOld)
    {
        var above = oldRoot.MountPoint;
        newRoot.MountPoint!.MountedHere = null;
        if (above is not null) above.MountedHere = newRoot;
        newRoot.MountPoint = above;
        if (above is null) Top = newRoot;
        oldRoot.MountPoint = placeOfOld;
        placeOfOld.MountedHere = oldRoot;
    }

    /// <summary>Whether a place is in this mount or in one that is mounted below it.</summary>
    internal static bool IsBelow(Dentry place, Mount mount)
    {
        for (var at = place.Mount; at is not null; at = at.MountPoint?.Mount)
            if (at == mount) return true;
        return false;
    }

    private void Collect(Mount mount, List<Mount> found)
    {
        found.Add(mount);
        foreach (var other in _mounts)
            if (other.MountPoint?.Mount == mount) Collect(other, found);
    }
}
