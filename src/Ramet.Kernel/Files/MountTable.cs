using Ramet.Kernel.FileSystems;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>What is mounted where, the devices behind device nodes, and the count of open files: the file side of a sandbox.</summary>
[Saved]
public sealed partial class MountTable
{
    private Kernel _kernel = null!;
    private int _nextMountId = 20;
    private uint _nextDevice = 30;
    private Mount? _anonymous;
    private TmpfsFileSystem? _sharedMemory;

    private MountTable()
    {
    }

    /// <summary>An empty table; <see cref="StandardMounts"/> fills it.</summary>
    internal MountTable(Kernel kernel) => _kernel = kernel;

    /// <summary>The mounts that the sandbox begins with.</summary>
    public MountNamespace Initial { get; private set; } = new(0);

    /// <summary>The root directory of the sandbox.</summary>
    public Dentry Root => Initial.Root;

    /// <summary>Drivers of device nodes.</summary>
    public DeviceTable Devices { get; private set; } = new();

    /// <summary>Open file descriptions that are in some descriptor table.</summary>
    public int OpenFiles { get; internal set; }

    /// <summary>The most there may be (ENFILE).</summary>
    public int MaxOpenFiles => _kernel.Limits.MaxOpenFiles;

    /// <summary>File systems that are not mounted but hold memfds, O_TMPFILE ...; see <see cref="TmpfsFileSystem"/>.</summary>
    internal TmpfsFileSystem SharedMemory => _sharedMemory ??= new TmpfsFileSystem(_kernel, "tmpfs") { DeviceId = AllocateDeviceId() };

    internal Mount Anonymous => _anonymous ??= new Mount(0, SharedMemory, SharedMemory.Root, MountFlags.None, "none") { IsAnonymous = true };

    /// <summary>A number for st_dev.</summary>
    public ulong AllocateDeviceId() => DeviceNumber.Make(0, _nextDevice++);

    /// <summary>Mounts a file system's root, or another inode of it (bind), at a place; null: as the root of the sandbox.</summary>
    public Mount Add(FileSystem fileSystem, Dentry? mountPoint, MountFlags flags = MountFlags.None, string? source = null, Inode? root = null)
    {
        if (fileSystem.DeviceId == 0) fileSystem.DeviceId = AllocateDeviceId();
        const MountFlags Kept = MountFlags.MS_RDONLY | MountFlags.MS_NOSUID | MountFlags.MS_NODEV | MountFlags.MS_NOEXEC | MountFlags.MS_NOATIME;
        var mount = new Mount(_nextMountId++, fileSystem, root ?? fileSystem.Root, flags & Kept, source ?? fileSystem.TypeName);
        (mountPoint?.Mount.Namespace ?? Initial).Add(mount, mountPoint);
        return mount;
    }

    /// <summary>The place of a memfd: shown as "/memfd:name (deleted)".</summary>
    internal Dentry MakeMemfd(Inode inode, string name)
    {
        var dentry = new Dentry(Anonymous, null, "/memfd:" + name, inode);
        dentry.MarkDeleted();
        return dentry;
    }

    /// <summary>A dentry for an object without a name, so that /proc/self/fd can lead to it.</summary>
    public Dentry MakeAnonymous(FileDescription description)
    {
        return new Dentry(Anonymous, null, description.AnonymousName, description.Inode);
    }
}
