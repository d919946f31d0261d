using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>Copies of mounts: namespaces and recursive bind mounts.</summary>
public sealed partial class MountTable
{
    /// <summary>Namespaces that something still refers to: more than this are refused.</summary>
    private const int MaxNamespaces = 512;

    [NotSaved]
    private List<WeakReference<MountNamespace>>? _namespaces;

    private int _nextNamespaceId = 1;

    /// <summary>A number for a namespace of any kind.</summary>
    internal int NextNamespaceId() => _nextNamespaceId++;

    /// <summary>
    /// Gives a thread that shares its root and working directory with nobody a namespace of its own (CLONE_NEWNS). ENOSPC when there are too many.
    /// </summary>
    internal Errno Unshare(FileSystemContext context)
    {
        var old = context.Namespace;
        if (!TryMakeRoom()) return Errno.ENOSPC;
        var copy = new MountNamespace(_nextNamespaceId++);
        var copies = new Dictionary<Mount, Mount>();
        foreach (var mount in old.Mounts) copies.Add(mount, Copy(mount, mount.Root.Inode));
        foreach (var (mount, made) in copies) copy.Add(made, mount.MountPoint is { } point ? Translate(point, copies) : null);
        context.Namespace = copy;
        context.Root = Translate(context.Root, copies);
        context.WorkingDirectory = Translate(context.WorkingDirectory, copies);
        _namespaces!.Add(new WeakReference<MountNamespace>(copy));
        return Errno.None;
    }

    /// <summary>A bind mount of a directory (or file) at a place, with all that is mounted below it if <paramref name="recursive"/>.</summary>
    internal Errno Bind(Dentry from, Dentry place, bool recursive, int limit)
    {
        var space = place.Mount.Namespace!;
        var below = recursive && from.Mount.Namespace is { } source ? source.Below(from) : [];
        if (space.Mounts.Count + below.Count + 1 > limit) return Errno.ENOSPC;
        var top = Copy(from.Mount, from.Inode);
        string path = from.GetPath(from.Mount.Root) ?? "/";
        top.RootPath = from.Mount.RootPath == "/" ? path : from.Mount.RootPath + (path == "/" ? "" : path);
        var copies = new Dictionary<Mount, Mount>();
        foreach (var mount in below) copies.Add(mount, Copy(mount, mount.Root.Inode));
        space.Add(top, place);
        foreach (var (mount, made) in copies)
        {
            var point = mount.MountPoint!;
            space.Add(made, point.Mount == from.Mount ? Walk(top.Root, NamesBetween(from, point)) : Translate(point, copies));
        }

        return Errno.None;
    }

    private Mount Copy(Mount mount, Inode root) => new(_nextMountId++, mount.FileSystem, root, mount.Flags, mount.Source) { RootPath = mount.RootPath };

    /// <summary>The same place in the copy of its mount.</summary>
    private static Dentry Translate(Dentry dentry, Dictionary<Mount, Mount> copies)
    {
        if (!copies.TryGetValue(dentry.Mount, out var copy)) return dentry;
        return dentry.IsUnlinked ? copy.Root : Walk(copy.Root, NamesBetween(dentry.Mount.Root, dentry));
    }

    /// <summary>Names and inodes on the way from a directory down to a place in the same mount.</summary>
    private static List<(string Name, Inode Inode)> NamesBetween(Dentry top, Dentry place)
    {
        List<(string, Inode)> names = [];
        for (var at = place; at != top && at.Parent is not null; at = at.Parent) names.Add((at.Name, at.Inode));
        names.Reverse();
        return names;
    }

    private static Dentry Walk(Dentry top, List<(string Name, Inode Inode)> names)
    {
        foreach (var (name, inode) in names) top = top.GetChild(name, inode);
        return top;
    }

    /// <summary>
    /// Nothing counts who refers to a namespace, so when there seem to be too many, the collector says which of them are garbage.
    /// </summary>
    private bool TryMakeRoom()
    {
        _namespaces ??= [];
        if (_namespaces.Count < MaxNamespaces) return true;
        _namespaces.RemoveAll(weak => !weak.TryGetTarget(out _));
        if (_namespaces.Count < MaxNamespaces) return true;
        long now = _kernel.MonotonicNow;
        if (now < _nextCollection) return false;
        _nextCollection = now + 1_000_000_000;
        GC.Collect();
        _namespaces.RemoveAll(weak => !weak.TryGetTarget(out _));
        return _namespaces.Count < MaxNamespaces;
    }

    [NotSaved]
    private long _nextCollection;
}
