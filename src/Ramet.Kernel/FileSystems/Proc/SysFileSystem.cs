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

    internal string Generate(string path)
    {
        int cpus = Math.Max(Kernel.Limits.VirtualCpus, 1);
        return path switch
        {
            "devices/system/cpu/online" or "devices/system/cpu/possible" or "devices/system/cpu/present" => SystemFiles.CpuRange(cpus) + "\n",
            "devices/system/cpu/offline" or "devices/system/cpu/isolated" => "\n",
            "devices/system/cpu/kernel_max" => string.Create(CultureInfo.InvariantCulture, $"{cpus - 1}\n"),
            "devices/system/node/online" or "devices/system/node/possible" => "0\n",
            "kernel/mm/transparent_hugepage/enabled" => "always madvise [never]\n",
            "kernel/mm/transparent_hugepage/hpage_pmd_size" => "2097152\n",
            _ when path.EndsWith("/topology/core_id", StringComparison.Ordinal) => path.Split('/')[3][3..] + "\n",
            _ when path.EndsWith("/topology/physical_package_id", StringComparison.Ordinal) => "0\n",
            _ when path.EndsWith("/online", StringComparison.Ordinal) => "1\n",
            _ => "",
        };
    }

    private static PathTree MakeTree(int cpus)
    {
        const string Cpu = "devices/system/cpu/";
        List<(string, int)> files =
        [
            (Cpu + "online", 0), (Cpu + "possible", 0), (Cpu + "present", 0), (Cpu + "offline", 0), (Cpu + "isolated", 0), (Cpu + "kernel_max", 0),
            ("devices/system/node/online", 0), ("devices/system/node/possible", 0),
            ("kernel/mm/transparent_hugepage/enabled", 0), ("kernel/mm/transparent_hugepage/hpage_pmd_size", 0),
        ];
        for (int i = 0; i < cpus; i++)
        {
            string prefix = string.Create(CultureInfo.InvariantCulture, $"{Cpu}cpu{i}/");
            files.Add((prefix + "online", 0));
            files.Add((prefix + "topology/core_id", 0));
            files.Add((prefix + "topology/physical_package_id", 0));
        }

        return new PathTree(files).WithDirectory("fs/cgroup").WithDirectory("class/net").WithDirectory("block").WithDirectory("bus").WithDirectory("module");
    }
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
