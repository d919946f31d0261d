using System.Globalization;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc/[pid]/ns (namespaces(7)). Mount and host name namespaces can be made anew; of all others there is one.</summary>
[Saved]
internal sealed partial class ProcNamespaceDirectory : PseudoDirectory
{
    private static readonly string[] s_names = ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"];

    private ProcTask _task = null!;

    private ProcNamespaceDirectory()
    {
    }

    public ProcNamespaceDirectory(ProcFileSystem fileSystem, ProcTask task, string path)
        : base(fileSystem, path, (InodeMode)0x149)
    {
        _task = task;
        task.Own(this);
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = s_names.Contains(name) ? new ProcNamespaceLink((ProcFileSystem)FileSystem, _task, Child(name), name.Split('_')[0]) : null;
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        foreach (string name in s_names) Add(entries, Child(name), name, DirectoryEntryType.DT_LNK);
        return Errno.None;
    }
}

/// <summary>/proc/[pid]/ns/[kind]: leads to the namespace itself.</summary>
[Saved]
internal sealed partial class ProcNamespaceLink : PseudoLink
{
    private ProcTask _task = null!;
    private string _kind = "";

    private ProcNamespaceLink()
    {
    }

    public ProcNamespaceLink(ProcFileSystem fileSystem, ProcTask task, string path, string kind)
        : base(fileSystem, path)
    {
        _task = task;
        _kind = kind;
        task.Own(this);
    }

    /// <inheritdoc/>
    public override bool IsMagicLink => true;

    /// <inheritdoc/>
    public override Dentry? FollowMagicLink(PosixThread thread)
    {
        if (Find() is not { } inode) return null;
        return new Dentry(Kernel.Mounts.Anonymous, null, inode.Name, inode);
    }

    /// <inheritdoc/>
    public override Errno ReadLink(PosixThread thread, out string target)
    {
        target = Find()?.Name ?? "";
        return target.Length == 0 ? Errno.ENOENT : Errno.None;
    }

    private NamespaceInode? Find()
    {
        if (_task.FindThread(Kernel) is not { } subject) return null;
        return new NamespaceInode(Kernel, _kind, _kind switch { "mnt" => subject.FileSystem.Namespace, "uts" => subject.Uts, _ => null });
    }
}

/// <summary>A namespace as a file (nsfs).</summary>
[Saved]
internal sealed partial class NamespaceInode : Inode
{
    // PROC_DYNAMIC_FIRST: numbers of the first ones of each kind (include/linux/proc_ns.h), and behind them those that are made.
    private const ulong First = 0xF000_0000;
    private static readonly string[] s_kinds = ["", "", "", "time", "cgroup", "pid", "user", "uts", "ipc", "net", "mnt"];

    private NamespaceInode()
    {
    }

    public NamespaceInode(Kernel kernel, string kind, object? subject)
    {
        Kind = kind;
        Subject = subject;
        Mode = InodeMode.S_IFREG | (InodeMode)0x124;
        FileSystem = kernel.AnonymousFileSystems.Get(kernel, "nsfs");
        ulong number = First + (ulong)Array.IndexOf(s_kinds, kind) - 3 + 0x1000;
        int id = subject switch { MountNamespace mounts => mounts.Id, UtsNamespace names => names.Id, _ => 0 };
        Number = id == 0 ? number : First + 0x2000 + ((ulong)id * 2) + (subject is UtsNamespace ? 1u : 0u);
        AccessTime = ModifyTime = ChangeTime = kernel.RealtimeNow;
    }

    /// <summary>mnt, uts and so on.</summary>
    public string Kind { get; private set; } = "";

    /// <summary>The namespace, where there can be several.</summary>
    public object? Subject { get; private set; }

    /// <summary>What readlink says.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Kind}:[{Number}]");

    /// <inheritdoc/>
    public override bool IsSameAs(Inode other) => other is NamespaceInode inode && inode.Number == Number;

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = (flags & OpenFlags.O_ACCMODE) == OpenFlags.O_RDONLY ? new NamespaceDescription(this, flags) : null;
        return description is null ? Errno.EPERM : 0;
    }
}

/// <summary>An open namespace, for setns(2).</summary>
[Saved]
internal sealed partial class NamespaceDescription : FileDescription
{
    private NamespaceDescription()
    {
    }

    public NamespaceDescription(NamespaceInode inode, OpenFlags flags)
    {
        Inode = inode;
        Flags = flags;
    }

    /// <inheritdoc/>
    public override string AnonymousName => ((NamespaceInode)Inode).Name;

    /// <summary>setns(2) of this thread. EINVAL: of another kind than asked for, or the thread shares its directories with others. EPERM.</summary>
    public Errno Enter(PosixThread thread, CloneFlags type)
    {
        var inode = (NamespaceInode)Inode;
        var own = inode.Kind switch
        {
            "mnt" => CloneFlags.CLONE_NEWNS,
            "uts" => CloneFlags.CLONE_NEWUTS,
            "ipc" => CloneFlags.CLONE_NEWIPC,
            "net" => CloneFlags.CLONE_NEWNET,
            "pid" => CloneFlags.CLONE_NEWPID,
            "user" => CloneFlags.CLONE_NEWUSER,
            "cgroup" => CloneFlags.CLONE_NEWCGROUP,
            _ => CloneFlags.CSIGNAL,
        };
        if (type != 0 && type != own) return Errno.EINVAL;

        // One's own user namespace cannot be entered again (user_namespaces(7)).
        if (inode.Kind == "user") return Errno.EINVAL;
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EPERM;
        if (inode.Subject is UtsNamespace names) thread.Uts = names;
        if (inode.Subject is not MountNamespace mounts) return Errno.None;
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_CHROOT)) return Errno.EPERM;
        if (thread.Process.Threads.Exists(other => other != thread && other.FileSystem == thread.FileSystem)) return Errno.EINVAL;
        thread.FileSystem = new FileSystemContext(mounts.Root) { Umask = thread.FileSystem.Umask };
        return Errno.None;
    }
}
