using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Files;

/// <summary>How a path is walked.</summary>
[Flags]
public enum WalkFlags
{
    None = 0,

    /// <summary>A symbolic link as the last component is itself the result (unless a slash follows).</summary>
    NoFollow = 1,

    /// <summary>Stop before the last component: <see cref="PathWalk.LastName"/>.</summary>
    Parent = 2,

    /// <summary>The kernel's own walk: search permission is not asked for.</summary>
    Privileged = 4,
}

/// <summary>
/// A walk along a path (path_resolution(7)). Holds where it is, so that open(2) can go on through a symbolic link whose target it is to create.
/// </summary>
public ref struct PathWalk
{
    /// <summary>Longest component (NAME_MAX).</summary>
    public const int NameMax = 255;

    /// <summary>Characters of the longest path that programs can give (PATH_MAX).</summary>
    public const int PathMax = 4096;

    private const int MaxLinks = 40;

    private readonly PosixThread _thread;
    private readonly Dentry _root;
    private readonly Dentry _start;
    private readonly ResolveFlags _resolve;
    private int _links;
    private bool _privileged;

    /// <summary>A walk that starts in a directory (relative paths) or at the thread's root.</summary>
    public PathWalk(PosixThread thread, Dentry start, ResolveFlags resolve = ResolveFlags.None)
    {
        _thread = thread;
        _start = Current = start;
        _resolve = resolve;
        _root = (resolve & (ResolveFlags.RESOLVE_IN_ROOT | ResolveFlags.RESOLVE_BENEATH)) != 0 ? start : thread.FileSystem.Root;
    }

    /// <summary>Where the walk is: its result.</summary>
    public Dentry Current { get; private set; }

    /// <summary>With <see cref="WalkFlags.Parent"/>: the last component; "." and ".." as they are; "/" for the root itself.</summary>
    public string LastName { get; private set; } = "";

    /// <summary>Whether a slash came after the last component.</summary>
    public bool TrailingSlash { get; private set; }

    /// <summary>Whether the last component names something special that cannot be created or removed.</summary>
    public readonly bool LastIsSpecial => LastName is "." or ".." or "/";

    /// <summary>Walks a path. ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EXDEV.</summary>
    public Errno Walk(string path, WalkFlags flags = WalkFlags.None)
    {
        if (path.Length == 0) return Errno.ENOENT;
        _privileged = (flags & WalkFlags.Privileged) != 0;
        var error = Begin(path);
        return error != Errno.None ? error : Continue(path, flags);
    }

    /// <summary>
    /// Follows a symbolic link that was found as <see cref="LastName"/> in <see cref="Current"/>, up to the parent of what it leads to. When it
    /// is a magic link there is no parent: <paramref name="target"/> is then what it leads to.
    /// </summary>
    public Errno FollowLast(Inode link, out Dentry? target)
    {
        var error = ReadLink(link, out target, out string path);
        if (error != Errno.None || target is not null) return error;
        error = Begin(path);
        return error != Errno.None ? error : Continue(path, WalkFlags.Parent);
    }

    /// <summary>The child of <see cref="Current"/> of this name, below mounts. ENOENT, ENOTDIR, EACCES, ENAMETOOLONG.</summary>
    public readonly Errno Lookup(string name, out Dentry? child)
    {
        child = null;
        if (!Current.Inode.IsDirectory) return Errno.ENOTDIR;
        var error = CheckSearch();
        if (error != Errno.None) return error;
        if (name.Length > NameMax) return Errno.ENAMETOOLONG;
        child = Current.FindChild(name);
        if (child?.MountedHere is not null)
        {
            if ((_resolve & ResolveFlags.RESOLVE_NO_XDEV) != 0) return Errno.EXDEV;
            child = child.Down;
            return Errno.None;
        }

        error = Current.Inode.Lookup(_thread, name, out var inode);
        child = error == Errno.None ? Current.GetChild(name, inode!) : null;
        return error;
    }

    private Errno Begin(string path)
    {
        if (path[0] != '/') return Errno.None;
        if ((_resolve & ResolveFlags.RESOLVE_BENEATH) != 0) return Errno.EXDEV;
        if ((_resolve & ResolveFlags.RESOLVE_NO_XDEV) != 0 && Current.Mount != _root.Mount) return Errno.EXDEV;
        Current = _root;
        return Errno.None;
    }

    private Errno Continue(string path, WalkFlags flags)
    {
        int position = 0;
        while (true)
        {
            while (position < path.Length && path[position] == '/') position++;
            if (position == path.Length)
            {
                // The path was only slashes, or a link's target ended here.
                LastName = "/";
                TrailingSlash = false;
                return Errno.None;
            }

            int end = path.IndexOf('/', position);
            if (end < 0) end = path.Length;
            string name = path[position..end];
            int next = end;
            while (next < path.Length && path[next] == '/') next++;
            bool last = next == path.Length;
            bool slash = end < path.Length;

            if (last && (flags & WalkFlags.Parent) != 0)
            {
                LastName = name;
                TrailingSlash = slash;
                if (!Current.Inode.IsDirectory) return Errno.ENOTDIR;
                return name.Length > NameMax ? Errno.ENAMETOOLONG : CheckSearch();
            }

            var error = Step(name, out var child);
            if (error != Errno.None) return error;
            if (child.Inode.IsSymbolicLink && (!last || slash || (flags & WalkFlags.NoFollow) == 0))
            {
                error = ReadLink(child.Inode, out var target, out string targetPath);
                if (error != Errno.None) return error;
                if (target is null)
                {
                    path = targetPath + path[end..];
                    position = 0;
                    error = Begin(path);
                    if (error != Errno.None) return error;
                    continue;
                }

                child = target;
            }

            Current = child;
            position = next;
            if (!last) continue;
            TrailingSlash = slash;
            return slash && !Current.Inode.IsDirectory ? Errno.ENOTDIR : Errno.None;
        }
    }

    private readonly Errno Step(string name, out Dentry child)
    {
        child = Current;
        if (name is "." or "..")
        {
            if (!Current.Inode.IsDirectory) return Errno.ENOTDIR;
            var denied = CheckSearch();
            if (denied != Errno.None || name == ".") return denied;
            return StepUp(out child);
        }

        var error = Lookup(name, out var found);
        if (error == Errno.None) child = found!;
        return error;
    }

    private readonly Errno CheckSearch() => _privileged ? Errno.None : Permissions.Check(_thread, Current.Inode, AccessMode.X_OK);

    private readonly Errno StepUp(out Dentry child)
    {
        child = Current;
        if (Current == _root) return (_resolve & ResolveFlags.RESOLVE_BENEATH) != 0 ? Errno.EXDEV : Errno.None;

        // Up through roots of mounts, but never above the walk's root, which may itself be the root of a mount.
        var dentry = Current;
        while (dentry.Parent is null && dentry.Mount.MountPoint is { } point)
        {
            if ((_resolve & ResolveFlags.RESOLVE_NO_XDEV) != 0) return Errno.EXDEV;
            dentry = point;
            if (dentry == _root) break;
        }

        child = dentry == _root ? _root : (dentry.Parent ?? dentry).Down;
        return Errno.None;
    }

    private Errno ReadLink(Inode link, out Dentry? target, out string path)
    {
        target = null;
        path = "";
        if ((_resolve & ResolveFlags.RESOLVE_NO_SYMLINKS) != 0 || ++_links > MaxLinks) return Errno.ELOOP;
        if (link.IsMagicLink)
        {
            if ((_resolve & (ResolveFlags.RESOLVE_NO_MAGICLINKS | ResolveFlags.RESOLVE_BENEATH | ResolveFlags.RESOLVE_IN_ROOT)) != 0) return Errno.ELOOP;
            target = link.FollowMagicLink(_thread);
            if (target is not null) return Errno.None;
        }

        var error = link.ReadLink(_thread, out path);
        if (error != Errno.None) return error;
        return path.Length == 0 ? Errno.ENOENT : Errno.None;
    }
}
