using Ramet.Kernel.Files;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>The fixed shape of a pseudo file system: paths and their types and permissions. Constant, so that no sandbox holds a copy.</summary>
internal sealed class PathTree
{
    private readonly Dictionary<string, InodeMode> _modes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<(string Name, DirectoryEntryType Type)>> _children = new(StringComparer.Ordinal) { [""] = [] };

    /// <summary>A tree of files; parents are made as needed. A mode of 0 stands for r--r--r--.</summary>
    public PathTree(IEnumerable<(string Path, int Mode)> files)
    {
        foreach (var (path, mode) in files) Add(path, InodeMode.S_IFREG | (mode == 0 ? (InodeMode)0x124 : (InodeMode)mode));
    }

    /// <summary>The mode of a path; false when there is none.</summary>
    public bool TryGet(string path, out InodeMode mode) => _modes.TryGetValue(path, out mode);

    /// <summary>The entries of a directory.</summary>
    public IReadOnlyList<(string Name, DirectoryEntryType Type)> Children(string path) => _children.GetValueOrDefault(path) ?? [];

    /// <summary>Adds an empty directory.</summary>
    public PathTree WithDirectory(string path)
    {
        Add(path, InodeMode.S_IFDIR | (InodeMode)0x16D);
        return this;
    }

    private void Add(string path, InodeMode mode)
    {
        if (!_modes.TryAdd(path, mode)) return;
        int slash = path.LastIndexOf('/');
        string parent = slash < 0 ? "" : path[..slash];
        bool isDirectory = (mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR;
        if (parent.Length > 0) Add(parent, InodeMode.S_IFDIR | (InodeMode)0x16D);
        _children[parent].Add((path[(slash + 1)..], isDirectory ? DirectoryEntryType.DT_DIR : DirectoryEntryType.DT_REG));
        if (isDirectory) _children.TryAdd(path, []);
    }
}
