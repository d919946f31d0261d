using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>A file system: inodes behind one st_dev. Mounted, once or more often, through <see cref="MountTable"/>.</summary>
[Saved]
public abstract partial class FileSystem
{
    /// <summary>For the state reader.</summary>
    protected FileSystem()
    {
    }

    /// <summary>A file system of this kernel.</summary>
    protected FileSystem(Kernel kernel, string typeName)
    {
        Kernel = kernel;
        TypeName = typeName;
    }

    /// <summary>The kernel.</summary>
    public Kernel Kernel { get; private set; } = null!;

    /// <summary>Its type in /proc/mounts.</summary>
    public string TypeName { get; private set; } = "";

    /// <summary>st_dev; given by the mount table.</summary>
    public ulong DeviceId { get; internal set; }

    /// <summary>The topmost directory.</summary>
    public abstract Inode Root { get; }

    /// <summary>Options of its own in /proc/mounts, after the mount's, with a leading comma.</summary>
    public virtual string OptionText => "";

    /// <summary>statfs(2).</summary>
    public abstract StatFs GetStatistics();
}
