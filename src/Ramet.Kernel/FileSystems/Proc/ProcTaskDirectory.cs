using System.Globalization;
using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>Files of a process, /proc/[pid], or of a thread, /proc/[pid]/task/[tid].</summary>
[Saved]
internal sealed partial class ProcTaskDirectory : PseudoDirectory
{
    private ProcTaskDirectory()
    {
    }

    public ProcTaskDirectory(ProcFileSystem fileSystem, string path, int pid, int tid)
        : base(fileSystem, path)
    {
        Task = new ProcTask { Pid = pid, Tid = tid };
        Task.Own(this);
    }

    internal ProcTask Task { get; private set; } = null!;

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = null;
        if (Task.FindProcess(Kernel) is null) return Errno.ENOENT;
        inode = TaskFiles.Lookup((ProcFileSystem)FileSystem, Task, Path, "", name);
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        if (Task.FindProcess(Kernel) is null) return Errno.ENOENT;
        foreach (var (name, type) in TaskFiles.Tree.Children("")) Add(entries, Child(name), name, type);
        foreach (string name in TaskFiles.MagicLinks) Add(entries, Child(name), name, DirectoryEntryType.DT_LNK);
        foreach (string name in (string[])["fd", "fdinfo", "ns"]) Add(entries, Child(name), name, DirectoryEntryType.DT_DIR);
        if (Task.Tid == 0) Add(entries, Child("task"), "task", DirectoryEntryType.DT_DIR);
        return Errno.None;
    }
}

/// <summary>Which process or thread a file of /proc is about.</summary>
[Saved]
internal sealed partial class ProcTask
{
    public int Pid { get; set; }

    /// <summary>The thread; 0 for the process as a whole.</summary>
    public int Tid { get; set; }

    public Process? FindProcess(Kernel kernel) => kernel.Processes.FindProcess(Pid);

    /// <summary>The thread, or for a process one that stands for it; null for zombies.</summary>
    public PosixThread? FindThread(Kernel kernel)
    {
        if (Tid == 0) return FindProcess(kernel)?.Leader;
        var thread = kernel.Processes.FindThread(Tid);
        return thread?.Process.Pid == Pid ? thread : null;
    }

    /// <summary>Gives an inode to the user whose process it is about.</summary>
    public void Own(Inode inode)
    {
        if (FindThread(inode.FileSystem.Kernel)?.Credentials is not { } credentials) return;
        inode.Uid = credentials.EffectiveUid;
        inode.Gid = credentials.EffectiveGid;
    }
}

/// <summary>A directory of a process whose files are fixed (net, attr ...).</summary>
[Saved]
internal sealed partial class ProcTaskSubdirectory : PseudoDirectory
{
    private ProcTask _task = null!;
    private string _base = "";

    private ProcTaskSubdirectory()
    {
    }

    public ProcTaskSubdirectory(ProcFileSystem fileSystem, ProcTask task, string basePath, string path)
        : base(fileSystem, path)
    {
        _task = task;
        _base = basePath;
        task.Own(this);
    }

    private string Relative => Path[(_base.Length + 1)..];

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = TaskFiles.Lookup((ProcFileSystem)FileSystem, _task, _base, Relative, name);
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        foreach (var (name, type) in TaskFiles.Tree.Children(Relative)) Add(entries, Child(name), name, type);
        return Errno.None;
    }
}

/// <summary>/proc/[pid]/task.</summary>
[Saved]
internal sealed partial class ProcThreadList : PseudoDirectory
{
    private ProcTask _task = null!;

    private ProcThreadList()
    {
    }

    public ProcThreadList(ProcFileSystem fileSystem, ProcTask task, string path)
        : base(fileSystem, path)
    {
        _task = task;
        task.Own(this);
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = null;
        if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int tid)) return Errno.ENOENT;
        if (Kernel.Processes.FindThread(tid)?.Process.Pid != _task.Pid) return Errno.ENOENT;
        inode = new ProcTaskDirectory((ProcFileSystem)FileSystem, Child(name), _task.Pid, tid);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        foreach (var member in _task.FindProcess(Kernel)?.Threads ?? [])
        {
            string name = member.Tid.ToString(CultureInfo.InvariantCulture);
            Add(entries, Child(name), name, DirectoryEntryType.DT_DIR);
        }

        return Errno.None;
    }
}

/// <summary>A file of a process or thread.</summary>
[Saved]
internal sealed partial class ProcTaskFile : PseudoFile
{
    private ProcTask _task = null!;
    private string _name = "";

    private ProcTaskFile()
    {
    }

    public ProcTaskFile(ProcFileSystem fileSystem, ProcTask task, string path, string name, InodeMode permissions)
        : base(fileSystem, path, permissions)
    {
        _task = task;
        _name = name;
        task.Own(this);
    }

    /// <inheritdoc/>
    internal override Errno Generate(PosixThread thread, out byte[] content)
    {
        content = [];
        if (_task.FindProcess(Kernel) is not { } process) return Errno.ESRCH;
        var subject = _task.FindThread(Kernel);
        if (_task.Tid != 0 && subject is null) return Errno.ESRCH;
        content = _name switch
        {
            "cmdline" => TaskFiles.ReadArguments(subject),
            "environ" => TaskFiles.ReadEnvironment(subject),
            "auxv" => subject?.Memory.AuxiliaryVector ?? [],
            _ => Encoding.Latin1.GetBytes(TaskFiles.Generate(thread, process, subject, _name, _task.Tid != 0)),
        };
        return Errno.None;
    }

    /// <inheritdoc/>
    internal override Errno Accept(PosixThread thread, string text)
    {
        if (_task.FindThread(Kernel) is not { } subject) return Errno.ESRCH;
        return TaskFiles.Accept(subject, _name, text.TrimEnd('\n', '\0'));
    }
}

/// <summary>/proc/[pid]/fd and fdinfo.</summary>
[Saved]
internal sealed partial class ProcDescriptorDirectory : PseudoDirectory
{
    private ProcTask _task = null!;
    private bool _info;

    private ProcDescriptorDirectory()
    {
    }

    public ProcDescriptorDirectory(ProcFileSystem fileSystem, ProcTask task, string path, bool info)
        : base(fileSystem, path, info ? (InodeMode)0x16D : (InodeMode)0x140)
    {
        _task = task;
        _info = info;
        task.Own(this);
    }

    private FileDescriptorTable? Table => _task.FindThread(Kernel)?.Files;

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = null;
        if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int fd) || Table?.Get(fd) is not { } description) return Errno.ENOENT;
        var fileSystem = (ProcFileSystem)FileSystem;
        inode = _info ? new ProcDescriptorInfo(fileSystem, _task, Child(name), fd) : new ProcDescriptorLink(fileSystem, _task, Child(name), fd, description);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        if (Table is not { } table) return Errno.None;
        foreach (int fd in table.Descriptors)
        {
            string name = fd.ToString(CultureInfo.InvariantCulture);
            Add(entries, Child(name), name, _info ? DirectoryEntryType.DT_REG : DirectoryEntryType.DT_LNK);
        }

        return Errno.None;
    }
}

/// <summary>/proc/[pid]/fdinfo/[fd].</summary>
[Saved]
internal sealed partial class ProcDescriptorInfo : PseudoFile
{
    private ProcTask _task = null!;
    private int _descriptor;

    private ProcDescriptorInfo()
    {
    }

    public ProcDescriptorInfo(ProcFileSystem fileSystem, ProcTask task, string path, int descriptor)
        : base(fileSystem, path, (InodeMode)0x124)
    {
        _task = task;
        _descriptor = descriptor;
        task.Own(this);
    }

    /// <inheritdoc/>
    internal override Errno Generate(PosixThread thread, out byte[] content)
    {
        content = [];
        if (_task.FindThread(Kernel)?.Files is not { } table || table.Get(_descriptor) is not { } description) return Errno.ENOENT;
        var flags = description.Flags | (table.IsCloseOnExec(_descriptor) ? OpenFlags.O_CLOEXEC : 0);
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"pos:\t{description.Offset}\nflags:\t0{Convert.ToString((int)flags, 8)}\nmnt_id:\t{description.Dentry?.Mount.Id ?? 0}\nino:\t{description.Inode.Number}\n");
        content = Encoding.Latin1.GetBytes(text + description.InfoText);
        return Errno.None;
    }
}

/// <summary>/proc/[pid]/fd/[fd]: leads to the open file itself, whatever its name is now.</summary>
[Saved]
internal sealed partial class ProcDescriptorLink : PseudoLink
{
    private ProcTask _task = null!;
    private int _descriptor;

    private ProcDescriptorLink()
    {
    }

    public ProcDescriptorLink(ProcFileSystem fileSystem, ProcTask task, string path, int descriptor, FileDescription description)
        : base(fileSystem, path)
    {
        _task = task;
        _descriptor = descriptor;
        task.Own(this);
        Mode = InodeMode.S_IFLNK | InodeMode.S_IXUSR | (description.CanRead ? InodeMode.S_IRUSR : 0) | (description.CanWrite ? InodeMode.S_IWUSR : 0);
    }

    /// <inheritdoc/>
    public override long Size => 64;

    /// <inheritdoc/>
    public override bool IsMagicLink => true;

    private FileDescription? Description => _task.FindThread(Kernel)?.Files.Get(_descriptor);

    /// <inheritdoc/>
    public override Dentry? FollowMagicLink(PosixThread thread)
    {
        if (Description is not { } description) return null;
        return description.Dentry ?? Kernel.Mounts.MakeAnonymous(description);
    }

    /// <inheritdoc/>
    public override Errno ReadLink(PosixThread thread, out string target)
    {
        target = "";
        if (Description is not { } description) return Errno.ENOENT;
        target = description.Dentry is { } dentry ? TaskFiles.PathOf(thread, dentry) : description.AnonymousName;
        return Errno.None;
    }
}

/// <summary>/proc/[pid]/exe, cwd and root.</summary>
[Saved]
internal sealed partial class ProcPlaceLink : PseudoLink
{
    private ProcTask _task = null!;
    private string _name = "";

    private ProcPlaceLink()
    {
    }

    public ProcPlaceLink(ProcFileSystem fileSystem, ProcTask task, string path, string name)
        : base(fileSystem, path)
    {
        _task = task;
        _name = name;
        task.Own(this);
    }

    /// <inheritdoc/>
    public override bool IsMagicLink => true;

    /// <inheritdoc/>
    public override Dentry? FollowMagicLink(PosixThread thread)
    {
        var subject = _task.FindThread(Kernel);
        return _name switch
        {
            "exe" => subject?.Memory.Executable,
            "cwd" => subject?.FileSystem.WorkingDirectory,
            _ => subject?.FileSystem.Root,
        };
    }

    /// <inheritdoc/>
    public override Errno ReadLink(PosixThread thread, out string target)
    {
        target = "";
        if (FollowMagicLink(thread) is not { } dentry) return Errno.ENOENT;
        target = TaskFiles.PathOf(thread, dentry);
        return Errno.None;
    }
}
