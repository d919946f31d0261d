using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>
/// A name in a directory of a mount: what Linux calls a path (mount and dentry). Dentries are made by the path walk and live as long as somebody holds
/// them (a working directory, an open file, a child): a parent knows its children weakly, only so that two walks give the same object. The truth about names is
/// in the inodes; every step of a walk asks the directory's inode, so a stale dentry is never believed.
/// </summary>
[Saved]
public sealed partial class Dentry
{
    [NotSaved]
    private Dictionary<string, WeakReference<Dentry>>? _children;

    // Children that came with a snapshot, newest first. A fork has some eighty of them and few walks: a chain costs it next to nothing.
    [NotSaved]
    private Dentry? _loadedChild;

    [NotSaved]
    private Dentry? _nextLoaded;

    private Dentry()
    {
    }

    internal Dentry(Mount mount, Dentry? parent, string name, Inode inode)
    {
        Mount = mount;
        Parent = parent;
        Name = name;
        Inode = inode;
    }

    /// <summary>The mount that it is part of.</summary>
    public Mount Mount { get; private set; } = null!;

    /// <summary>The directory; null for the root of a mount and for anonymous objects.</summary>
    public Dentry? Parent { get; private set; }

    /// <summary>The name within the directory.</summary>
    public string Name { get; private set; } = "";

    /// <summary>What it names.</summary>
    public Inode Inode { get; private set; } = null!;

    /// <summary>Whether the name was removed while the dentry was held.</summary>
    public bool IsDeleted { get; private set; }

    /// <summary>Whether this is the place of a file that has never had a name (O_TMPFILE).</summary>
    internal bool IsUnnamed { get; set; }

    /// <summary>What is mounted here, on top of everything else that is.</summary>
    internal Mount? MountedHere { get; set; }

    /// <summary>The dentry above: across the root of a mount to where it is mounted. Itself at the very top.</summary>
    public Dentry Up
    {
        get
        {
            var dentry = this;
            while (dentry.Parent is null && dentry.Mount.MountPoint is { } point) dentry = point;
            return dentry.Parent ?? dentry;
        }
    }

    /// <summary>The root of what is mounted here, or itself.</summary>
    public Dentry Down
    {
        get
        {
            var dentry = this;
            while (dentry.MountedHere is { } mount) dentry = mount.Root;
            return dentry;
        }
    }

    /// <summary>A child that somebody holds.</summary>
    internal Dentry? FindChild(string name)
    {
        if (_children is not null && _children.TryGetValue(name, out var weak) && weak.TryGetTarget(out var child)) return child;
        for (var loaded = _loadedChild; loaded is not null; loaded = loaded._nextLoaded)
            if (loaded.Name == name) return loaded;
        return null;
    }

    /// <summary>The child of this name, which the directory has just said to be <paramref name="inode"/>.</summary>
    internal Dentry GetChild(string name, Inode inode)
    {
        if (FindChild(name) is { } known && known.Inode.IsSameAs(inode)) return known;
        var child = new Dentry(Mount, this, name, inode);
        Remember(child);
        return child;
    }

    /// <summary>The name is gone.</summary>
    internal void MarkDeleted()
    {
        IsDeleted = true;
        Parent?.Forget(this);
    }

    /// <summary>The name has changed (rename).</summary>
    internal void Move(Dentry newParent, string newName)
    {
        Parent?.Forget(this);
        Parent = newParent;
        Name = newName;
        newParent.Remember(this);
    }

    /// <summary>Whether <paramref name="other"/> is this or below it, within one mount.</summary>
    internal bool IsAncestorOrSelf(Dentry other)
    {
        for (Dentry? dentry = other; dentry is not null; dentry = dentry.Parent)
            if (dentry == this) return true;
        return false;
    }

    /// <summary>
    /// The path as seen from <paramref name="root"/>; null when this is not below it. Removed names are shown without " (deleted)".
    /// </summary>
    /// <param name="root">Where it begins.</param>
    /// <param name="longest">Characters that it may have: of a longer one, the end that fits. Directories can be deeper than any path that programs can give.</param>
    public string? GetPath(Dentry root, int longest = int.MaxValue)
    {
        if (Mount.IsAnonymous) return Name;
        List<string> names = [];
        int length = 0;
        var dentry = this;
        while (dentry != root)
        {
            if (dentry.Parent is null)
            {
                if (dentry.Mount.MountPoint is not { } point) return null;
                dentry = point;
                continue;
            }

            length += dentry.Name.Length + 1;
            if (length > longest) break;
            names.Add(dentry.Name);
            dentry = dentry.Parent;
        }

        if (names.Count == 0) return "/";
        names.Reverse();
        return "/" + string.Join('/', names);
    }

    /// <summary>Whether this or a directory above it was removed.</summary>
    public bool IsUnlinked
    {
        get
        {
            for (Dentry? dentry = this; dentry is not null; dentry = dentry.Parent)
                if (dentry.IsDeleted) return true;
            return false;
        }
    }

    private void Remember(Dentry child)
    {
        _children ??= [];
        if (_children.Count >= 64 && (_children.Count & (_children.Count - 1)) == 0)
        {
            // At every doubling: forget names whose dentries are gone.
            foreach (var (name, weak) in _children)
                if (!weak.TryGetTarget(out _)) _children.Remove(name);
        }

        _children[child.Name] = new WeakReference<Dentry>(child);
    }

    private void Forget(Dentry child)
    {
        if (_children is not null && _children.TryGetValue(child.Name, out var weak) && weak.TryGetTarget(out var known) && known == child) _children.Remove(child.Name);
        ref var link = ref _loadedChild;
        while (link is not null && link != child) link = ref link._nextLoaded;
        if (link is null) return;
        link = child._nextLoaded;
        child._nextLoaded = null;
    }

    private void OnLoaded(StateReader reader)
    {
        if (Parent is null || IsDeleted) return;
        if (MountedHere is not null)
        {
            // Found before another of the same name.
            Parent.Remember(this);
            return;
        }

        _nextLoaded = Parent._loadedChild;
        Parent._loadedChild = this;
    }
}
