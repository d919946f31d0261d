using System.Text;

namespace Ramet.Images;

/// <summary>
/// A file tree being put together for an image. Paths are absolute or relative to the root, one char a byte (Latin-1
/// decoded), and are resolved inside the tree: symbolic links on the way are followed, ".." stops at the root. Missing
/// parents are made (0755, root). Not thread safe.
/// </summary>
public sealed class ImageTree(ContentSpool contents)
{
    private const int MaximumLinks = 40;
    private const int MaximumName = 255;

    /// <summary>The root directory.</summary>
    public TreeNode Root { get; } = NewDirectory(0x1ED);

    /// <summary>Where contents of files are kept.</summary>
    public ContentSpool Contents { get; } = contents;

    /// <summary>The modification time of nodes that are made without one, in nanoseconds since 1970.</summary>
    public long DefaultModifiedNanoseconds { get; set; }

    /// <summary>Text as the tree holds names: one char for each byte of its UTF-8 form.</summary>
    public static string ToByteString(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>The node at a path, or null. A symbolic link at the end is followed unless <paramref name="followLast"/> is false.</summary>
    public TreeNode? Find(string path, bool followLast = true)
    {
        var links = 0;
        return Walk(path, followLast, make: false, ref links, new Stack<TreeNode>())?.Peek();
    }

    /// <summary>Makes a directory; one that exists already gets the attributes.</summary>
    public TreeNode AddDirectory(string path, uint permissions = 0x1ED, uint uid = 0, uint gid = 0, long? modifiedNanoseconds = null)
    {
        TreeNode node;
        if (Find(path) is { IsDirectory: true } existing) node = existing;
        else node = Put(path, NewDirectory(permissions));
        return Describe(node, permissions, uid, gid, modifiedNanoseconds);
    }

    /// <summary>Adds a regular file, in place of whatever other than a directory is there.</summary>
    public TreeNode AddFile(string path, Stream content, long length, uint permissions = 0x1A4, uint uid = 0, uint gid = 0, long? modifiedNanoseconds = null)
    {
        var node = new TreeNode(ModeBits.Regular) { Content = Contents.Add(content, length) };
        return Describe(Put(path, node), permissions, uid, gid, modifiedNanoseconds);
    }

    /// <summary>Adds a regular file.</summary>
    public TreeNode AddFile(string path, ReadOnlyMemory<byte> content, uint permissions = 0x1A4) =>
        AddFile(path, new MemoryStream(content.ToArray(), writable: false), content.Length, permissions);

    /// <summary>Adds a regular file with text in UTF-8.</summary>
    public TreeNode AddFile(string path, string text, uint permissions = 0x1A4) => AddFile(path, Encoding.UTF8.GetBytes(text), permissions);

    /// <summary>Adds a symbolic link.</summary>
    public TreeNode AddSymbolicLink(string path, string target, uint uid = 0, uint gid = 0, long? modifiedNanoseconds = null)
    {
        var node = new TreeNode(ModeBits.SymbolicLink) { LinkTarget = target };
        return Describe(Put(path, node), 0x1FF, uid, gid, modifiedNanoseconds);
    }

    /// <summary>Adds a device, FIFO or socket.</summary>
    /// <param name="path">Where.</param>
    /// <param name="mode">Type and permissions.</param>
    /// <param name="device">The device number, for devices.</param>
    /// <param name="uid">Owner.</param>
    /// <param name="gid">Group.</param>
    /// <param name="modifiedNanoseconds">Modification time.</param>
    public TreeNode AddSpecial(string path, uint mode, ulong device, uint uid = 0, uint gid = 0, long? modifiedNanoseconds = null)
    {
        var node = new TreeNode(mode & ModeBits.TypeMask) { DeviceNumber = device };
        return Describe(Put(path, node), mode, uid, gid, modifiedNanoseconds);
    }

    /// <summary>Gives a file another name. False when there is no file at <paramref name="target"/>.</summary>
    public bool AddHardLink(string path, string target)
    {
        if (Find(target, followLast: false) is not { IsDirectory: false } node) return false;
        Put(path, node);
        return true;
    }

    /// <summary>Removes a file, or a directory with all that is in it. False when there is none.</summary>
    public bool Remove(string path)
    {
        var (parent, name) = Split(path);
        return Find(parent) is { Children: { } children } && children.Remove(name);
    }

    /// <summary>The contents of a regular file as bytes, or null when there is no such file.</summary>
    public byte[]? ReadFile(string path)
    {
        if (Find(path) is not { IsRegular: true } node) return null;
        var bytes = new byte[node.Content.Length];
        using var stream = Contents.Open(node.Content);
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Sets <see cref="DefaultModifiedNanoseconds"/> to the newest time in the tree, and gives it to nodes without a time.</summary>
    public void SetMissingTimes()
    {
        var all = new List<TreeNode> { Root };
        for (var i = 0; i < all.Count; i++) all.AddRange(all[i].Entries.Values);
        DefaultModifiedNanoseconds = all.Max(node => node.ModifiedNanoseconds);
        foreach (var node in all.Where(node => node.ModifiedNanoseconds == 0)) node.ModifiedNanoseconds = DefaultModifiedNanoseconds;
    }

    private static TreeNode NewDirectory(uint permissions) =>
        new(ModeBits.Directory | permissions) { Children = new SortedDictionary<string, TreeNode>(StringComparer.Ordinal) };

    private TreeNode Describe(TreeNode node, uint permissions, uint uid, uint gid, long? modified)
    {
        node.SetPermissions(permissions);
        node.Uid = uid;
        node.Gid = gid;
        node.ModifiedNanoseconds = modified ?? DefaultModifiedNanoseconds;
        return node;
    }

    private TreeNode Put(string path, TreeNode node)
    {
        var (parentPath, name) = Split(path);
        if (name.Length is 0 or > MaximumName || name is "." or ".." || name.Contains('\0', StringComparison.Ordinal))
            throw new InvalidDataException($"'{path}' is not a valid file name.");
        var links = 0;
        var parent = Walk(parentPath, followLast: true, make: true, ref links, new Stack<TreeNode>())?.Peek();
        if (parent?.Children is not { } children) throw new InvalidDataException($"'{path}': the parent is not a directory.");
        if (children.TryGetValue(name, out var existing) && existing.IsDirectory && !node.IsDirectory && existing.Entries.Count > 0)
            throw new InvalidDataException($"'{path}' is a directory that is not empty, and also a file.");
        children[name] = node;
        return node;
    }

    private static (string Parent, string Name) Split(string path)
    {
        var trimmed = path.AsSpan().TrimEnd('/');
        var slash = trimmed.LastIndexOf('/');
        return slash < 0 ? ("", trimmed.ToString()) : (trimmed[..slash].ToString(), trimmed[(slash + 1)..].ToString());
    }

    /// <summary>Follows a path from the directory on top of the stack (the root if it is empty); the result is on top of the returned stack.</summary>
    private Stack<TreeNode>? Walk(string path, bool followLast, bool make, ref int links, Stack<TreeNode> at)
    {
        if (path.StartsWith('/')) at.Clear();
        if (at.Count == 0) at.Push(Root);
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (var i = 0; i < parts.Length; i++)
        {
            var part = parts[i];
            if (part is ".") continue;
            if (part is "..")
            {
                if (at.Count > 1) at.Pop();
                continue;
            }
            if (at.Peek().Children is not { } children) return null;
            if (!children.TryGetValue(part, out var next))
            {
                if (!make || part.Length > MaximumName) return null;
                next = Describe(NewDirectory(0x1ED), 0x1ED, 0, 0, null);
                children.Add(part, next);
            }
            if (next.IsSymbolicLink && (followLast || i < parts.Length - 1))
            {
                if (++links > MaximumLinks || Walk(next.LinkTarget, followLast: true, make, ref links, at) is null) return null;
                continue;
            }
            at.Push(next);
        }
        return at;
    }
}
