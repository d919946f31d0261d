namespace Ramet.Images;

/// <summary>Mode bits that images use (inode(7)).</summary>
public static class ModeBits
{
    public const uint TypeMask = 0xF000;
    public const uint Fifo = 0x1000;
    public const uint CharacterDevice = 0x2000;
    public const uint Directory = 0x4000;
    public const uint BlockDevice = 0x6000;
    public const uint Regular = 0x8000;
    public const uint SymbolicLink = 0xA000;
    public const uint Socket = 0xC000;
    public const uint PermissionMask = 0xFFF;
}

/// <summary>A file of an <see cref="ImageTree"/>: an inode. Names live in directories, so a node may have several (hard links).</summary>
public sealed class TreeNode
{
    internal TreeNode(uint mode) => Mode = mode;

    /// <summary>Type and permissions, as st_mode.</summary>
    public uint Mode { get; internal set; }

    /// <summary>Owner.</summary>
    public uint Uid { get; set; }

    /// <summary>Group.</summary>
    public uint Gid { get; set; }

    /// <summary>Time of the last modification, in nanoseconds since 1970.</summary>
    public long ModifiedNanoseconds { get; set; }

    /// <summary>For device nodes: the device, as Linux encodes dev_t for stat (makedev(3)).</summary>
    public ulong DeviceNumber { get; internal set; }

    /// <summary>For symbolic links: where to, one char a byte.</summary>
    public string LinkTarget { get; internal set; } = "";

    /// <summary>For regular files: the content.</summary>
    public ContentReference Content { get; internal set; }

    /// <summary>For directories: the entries in byte order of their names, one char a byte; empty for others.</summary>
    public IReadOnlyDictionary<string, TreeNode> Entries => Children is null ? s_none : Children;

    /// <summary>Extended attributes by full name (<c>security.capability</c>).</summary>
    public SortedDictionary<string, byte[]> ExtendedAttributes => field ??= new(StringComparer.Ordinal);

    internal SortedDictionary<string, TreeNode>? Children { get; init; }

    /// <summary>Whether this is a directory.</summary>
    public bool IsDirectory => (Mode & ModeBits.TypeMask) == ModeBits.Directory;

    /// <summary>Whether this is a regular file.</summary>
    public bool IsRegular => (Mode & ModeBits.TypeMask) == ModeBits.Regular;

    /// <summary>Whether this is a symbolic link.</summary>
    public bool IsSymbolicLink => (Mode & ModeBits.TypeMask) == ModeBits.SymbolicLink;

    /// <summary>Sets the permission bits.</summary>
    public void SetPermissions(uint permissions) => Mode = (Mode & ModeBits.TypeMask) | (permissions & ModeBits.PermissionMask);

    private static readonly Dictionary<string, TreeNode> s_none = [];
}

/// <summary>Contents of a file, held by a <see cref="ContentSpool"/>. Equal contents have equal references.</summary>
/// <param name="Offset">Where in the spool.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsElf">Whether it starts with the ELF magic number.</param>
public readonly record struct ContentReference(long Offset, long Length, bool IsElf);
