using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>Working directory, root and umask (fs_struct).</summary>
[Saved]
public sealed partial class FileSystemContext
{
    private FileSystemContext()
    {
    }

    /// <summary>A context with this root, working in it.</summary>
    public FileSystemContext(Dentry root)
    {
        Root = WorkingDirectory = root;
        Namespace = root.Mount.Namespace!;
    }

    /// <summary>The mounts that are seen.</summary>
    public MountNamespace Namespace { get; internal set; } = null!;

    /// <summary>The root directory (chroot(2)).</summary>
    public Dentry Root { get; internal set; } = null!;

    /// <summary>The working directory.</summary>
    public Dentry WorkingDirectory { get; internal set; } = null!;

    /// <summary>Permission bits that new files do not get.</summary>
    public InodeMode Umask { get; internal set; } = InodeMode.S_IWGRP | InodeMode.S_IWOTH;

    /// <summary>A copy, for fork.</summary>
    public FileSystemContext Clone() => new() { Namespace = Namespace, Root = Root, WorkingDirectory = WorkingDirectory, Umask = Umask };
}
