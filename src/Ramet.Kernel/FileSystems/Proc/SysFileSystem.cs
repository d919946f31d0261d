using System.Globalization;
using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/sys (sysfs(5)): what the C library and language runtimes look for.</summary>
[Saved]
public sealed partial class SysFileSystem : PseudoFileSystem
{
    private Inode _root = null!;

    [NotSaved]
    private PathTree? _tree;

    private SysFileSystem()
    {
    }

    /// <summary>The sysfs of a kernel.</summary>
    public SysFileSystem(Kernel kernel)
        : base(kernel, "sysfs") =>
        _root = new SysDirectory(this, "");

    /// <inheritdoc/>
    public override Inode Root => _root;

    /// <inheritdoc/>
    private protected override long Magic => 0x62656572;

    internal PathTree Tree => _tree ??= MakeTree(Math.Max(Kernel.Limits.VirtualCpus, 1));

    internal string Generate(string path) => SysFiles.Generate(Kernel, path);

    private static PathTree MakeTree(int cpus) => new PathTree(SysFiles.Paths(cpus).Select(file => (file, 0)))
        .WithDirectory("fs/cgroup").WithDirectory("block").WithDirectory("bus/cpu/devices").WithDirectory("module").WithDirectory("firmware");
}

/// <summary>A directory of /sys.</summary>
[Saved]
internal sealed partial class SysDirectory : PseudoDirectory
{
    private SysDirectory()
    {
    }

    public SysDirectory(SysFileSystem fileSystem, string path)
        : base(fileSystem, path)
    {
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = null;
        var fileSystem = (SysFileSystem)FileSystem;
        string path = Child(name);
        if (!fileSystem.Tree.TryGet(path, out var mode)) return Errno.ENOENT;
        inode = (mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR ? new SysDirectory(fileSystem, path) : new SysFile(fileSystem, path);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        foreach (var (name, type) in ((SysFileSystem)FileSystem).Tree.Children(Path)) Add(entries, Child(name), name, type);
        return Errno.None;
    }
}

/// <summary>A file of /sys.</summary>
[Saved]
internal sealed partial class SysFile : PseudoFile
{
    private SysFile()
    {
    }

    public SysFile(SysFileSystem fileSystem, string path)
        : base(fileSystem, path, (InodeMode)0x124)
    {
    }

    /// <inheritdoc/>
    public override long Size => 4096;

    /// <inheritdoc/>
    internal override Errno Generate(PosixThread thread, out byte[] content)
    {
        content = Encoding.Latin1.GetBytes(((SysFileSystem)FileSystem).Generate(Path));
        return Errno.None;
    }
}
