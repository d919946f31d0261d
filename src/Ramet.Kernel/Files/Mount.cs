using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>A file system, or a part of one, at a place in the tree (mount(2)).</summary>
[Saved]
public sealed partial class Mount
{
    private Mount()
    {
    }

    internal Mount(int id, FileSystem fileSystem, Inode root, MountFlags flags, string source)
    {
        Id = id;
        FileSystem = fileSystem;
        Flags = flags;
        Source = source;
        Root = new Dentry(this, null, "", root);
    }

    /// <summary>Its number in /proc/self/mountinfo.</summary>
    public int Id { get; private set; }

    /// <summary>What is mounted.</summary>
    public FileSystem FileSystem { get; private set; } = null!;

    /// <summary>Its topmost directory (or file, for a bind mount of a file).</summary>
    public Dentry Root { get; private set; } = null!;

    /// <summary>The namespace that it is part of; null for what was unmounted, and for anonymous objects.</summary>
    public MountNamespace? Namespace { get; internal set; }

    /// <summary>Where it is mounted; null for the root of the sandbox and for what was unmounted.</summary>
    public Dentry? MountPoint { get; internal set; }

    /// <summary>MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME.</summary>
    public MountFlags Flags { get; internal set; }

    /// <summary>The first column of /proc/mounts.</summary>
    public string Source { get; private set; } = "none";

    /// <summary>The path of <see cref="Root"/> within its file system (the fourth column of mountinfo).</summary>
    public string RootPath { get; internal set; } = "/";

    /// <summary>Whether it holds objects without names: pipes, sockets, memfds.</summary>
    public bool IsAnonymous { get; internal set; }

    /// <summary>Whether nothing may be written.</summary>
    public bool IsReadOnly => (Flags & MountFlags.MS_RDONLY) != 0;

    /// <summary>Options as /proc/mounts shows them.</summary>
    public string OptionText
    {
        get
        {
            string text = IsReadOnly ? "ro" : "rw";
            if ((Flags & MountFlags.MS_NOSUID) != 0) text += ",nosuid";
            if ((Flags & MountFlags.MS_NODEV) != 0) text += ",nodev";
            if ((Flags & MountFlags.MS_NOEXEC) != 0) text += ",noexec";
            return text + ((Flags & MountFlags.MS_NOATIME) != 0 ? ",noatime" : ",relatime");
        }
    }
}
