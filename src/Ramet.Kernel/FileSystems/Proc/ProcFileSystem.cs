using System.Globalization;
using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc (proc(5)).</summary>
[Saved]
public sealed partial class ProcFileSystem : PseudoFileSystem
{
    private Inode _root = null!;

    private ProcFileSystem()
    {
    }

    /// <summary>The proc file system of a kernel.</summary>
    public ProcFileSystem(Kernel kernel)
        : base(kernel, "proc") =>
        _root = new ProcRoot(this);

    /// <inheritdoc/>
    public override Inode Root => _root;

    /// <inheritdoc/>
    private protected override long Magic => 0x9FA0;
}

/// <summary>The top: files of the system, and a directory per process.</summary>
[Saved]
internal sealed partial class ProcRoot : PseudoDirectory
{
    private ProcRoot()
    {
    }

    public ProcRoot(ProcFileSystem fileSystem)
        : base(fileSystem, "")
    {
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        var fileSystem = (ProcFileSystem)FileSystem;
        inode = name switch
        {
            "self" or "thread-self" => new ProcSelfLink(fileSystem, name),
            "mounts" or "net" => new ProcTextLink(fileSystem, name, "self/" + name),
            _ => null,
        };
        if (inode is null && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && name[0] != '0')
        {
            // A thread's id leads to its process as well, though it is not listed.
            var process = Kernel.Processes.FindProcess(pid) ?? Kernel.Processes.FindThread(pid)?.Process;
            if (process is not null) inode = new ProcTaskDirectory(fileSystem, name, process.Pid, 0);
        }

        inode ??= ProcSystemDirectory.LookupIn(fileSystem, "", name);
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        foreach (var (name, type) in SystemFiles.Tree.Children("")) Add(entries, name, name, type);
        foreach (string name in (string[])["self", "thread-self", "mounts", "net"]) Add(entries, name, name, DirectoryEntryType.DT_LNK);
        foreach (int pid in Kernel.Processes.All.Select(process => process.Pid).Order())
        {
            string name = pid.ToString(CultureInfo.InvariantCulture);
            Add(entries, name, name, DirectoryEntryType.DT_DIR);
        }

        return Errno.None;
    }
}

/// <summary>A directory of the system's own files (sys/kernel ...).</summary>
[Saved]
internal sealed partial class ProcSystemDirectory : PseudoDirectory
{
    private ProcSystemDirectory()
    {
    }

    public ProcSystemDirectory(ProcFileSystem fileSystem, string path)
        : base(fileSystem, path)
    {
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = LookupIn((ProcFileSystem)FileSystem, Path, name);
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        foreach (var (name, type) in SystemFiles.Tree.Children(Path)) Add(entries, Child(name), name, type);
        return Errno.None;
    }

    internal static Inode? LookupIn(ProcFileSystem fileSystem, string directory, string name)
    {
        string path = directory.Length == 0 ? name : directory + "/" + name;
        if (!SystemFiles.Tree.TryGet(path, out var mode)) return null;
        return (mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR
            ? new ProcSystemDirectory(fileSystem, path)
            : new ProcSystemFile(fileSystem, path, mode & InodeMode.Permissions);
    }
}

/// <summary>A file of the system's own.</summary>
[Saved]
internal sealed partial class ProcSystemFile : PseudoFile
{
    private ProcSystemFile()
    {
    }

    public ProcSystemFile(ProcFileSystem fileSystem, string path, InodeMode permissions)
        : base(fileSystem, path, permissions)
    {
    }

    /// <inheritdoc/>
    internal override Errno Generate(PosixThread thread, out byte[] content)
    {
        content = Encoding.Latin1.GetBytes(SystemFiles.Generate(Kernel, thread.Uts, Path));
        return Errno.None;
    }

    /// <inheritdoc/>
    internal override Errno Accept(PosixThread thread, string text) => SystemFiles.Accept(thread.Uts, Path, text.TrimEnd('\n', '\0'));
}

/// <summary>self and thread-self.</summary>
[Saved]
internal sealed partial class ProcSelfLink : PseudoLink
{
    private ProcSelfLink()
    {
    }

    public ProcSelfLink(ProcFileSystem fileSystem, string path)
        : base(fileSystem, path)
    {
    }

    /// <inheritdoc/>
    public override Errno ReadLink(PosixThread thread, out string target)
    {
        target = string.Create(CultureInfo.InvariantCulture, $"{thread.Process.Pid}");
        if (Path == "thread-self") target += string.Create(CultureInfo.InvariantCulture, $"/task/{thread.Tid}");
        return Errno.None;
    }
}

/// <summary>A symbolic link with a fixed target.</summary>
[Saved]
internal sealed partial class ProcTextLink : PseudoLink
{
    private string _target = "";

    private ProcTextLink()
    {
    }

    public ProcTextLink(PseudoFileSystem fileSystem, string path, string target)
        : base(fileSystem, path) =>
        _target = target;

    /// <inheritdoc/>
    public override Errno ReadLink(PosixThread thread, out string target)
    {
        target = _target;
        return Errno.None;
    }
}
