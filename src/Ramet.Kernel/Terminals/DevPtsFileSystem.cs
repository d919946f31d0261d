using System.Globalization;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>devpts: a directory with a node for each terminal (Documentation/filesystems/devpts.rst).</summary>
[Saved]
internal sealed partial class DevPtsFileSystem : FileSystem
{
    /// <summary>Group tty, to which terminals belong.</summary>
    public const uint TerminalGroup = 5;

    private const long Magic = 0x1CD1;
    private DevPtsDirectory _root = null!;

    private DevPtsFileSystem()
    {
    }

    public DevPtsFileSystem(Kernel kernel)
        : base(kernel, "devpts") => _root = new DevPtsDirectory(this);

    /// <inheritdoc/>
    public override Inode Root => _root;

    /// <inheritdoc/>
    public override string OptionText => ",gid=5,mode=620,ptmxmode=666";

    /// <inheritdoc/>
    public override StatFs GetStatistics() => new() { f_type = Magic, f_bsize = 4096, f_frsize = 4096, f_namelen = 255 };
}

/// <summary>/dev/pts.</summary>
[Saved]
internal sealed partial class DevPtsDirectory : Inode
{
    private const ulong RootNumber = 1;
    private MasterInode _master = null!;

    private DevPtsDirectory()
    {
    }

    public DevPtsDirectory(DevPtsFileSystem fileSystem)
    {
        FileSystem = fileSystem;
        Number = RootNumber;
        Mode = InodeMode.S_IFDIR | (InodeMode)0x1ED;
        LinkCount = 2;
        AccessTime = ModifyTime = ChangeTime = fileSystem.Kernel.RealtimeNow;
        _master = new MasterInode(fileSystem);
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = new DirectoryDescription(this, flags);
        return 0;
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = name == "ptmx" ? _master : null;
        bool isNumber = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && name == number.ToString(CultureInfo.InvariantCulture);
        if (isNumber) inode = FileSystem.Kernel.Terminals.Find(number)?.Inode;
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno Create(PosixThread thread, string name, InodeMode mode, ulong device, out Inode? inode)
    {
        inode = null;
        return Errno.EACCES;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        entries.Add(new DirectoryEntry("ptmx", _master.Number, _master.EntryType));
        foreach (var terminal in FileSystem.Kernel.Terminals.All)
            entries.Add(new DirectoryEntry(terminal.Number.ToString(CultureInfo.InvariantCulture), terminal.Inode.Number, terminal.Inode.EntryType));
        return Errno.None;
    }
}

/// <summary>/dev/pts/ptmx.</summary>
[Saved]
internal sealed partial class MasterInode : Inode
{
    private MasterInode()
    {
    }

    public MasterInode(DevPtsFileSystem fileSystem)
    {
        FileSystem = fileSystem;
        Number = 2;
        Mode = InodeMode.S_IFCHR | (InodeMode)0x1B6;
        Device = DeviceNumber.Make(5, 2);
        AccessTime = ModifyTime = ChangeTime = fileSystem.Kernel.RealtimeNow;
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description) =>
        thread.Kernel.Mounts.Devices.Open(thread, this, flags, out description);
}

/// <summary>/dev/pts/N.</summary>
[Saved]
internal sealed partial class TerminalInode : Inode
{
    private const ulong FirstNumber = 3;
    private Terminal _terminal = null!;

    private TerminalInode()
    {
    }

    public TerminalInode(DevPtsFileSystem fileSystem, Terminal terminal, uint owner)
    {
        _terminal = terminal;
        FileSystem = fileSystem;
        Number = FirstNumber + (ulong)terminal.Number;
        Mode = InodeMode.S_IFCHR | (InodeMode)0x190;
        Device = terminal.Device;
        Uid = owner;
        Gid = DevPtsFileSystem.TerminalGroup;
        AccessTime = ModifyTime = ChangeTime = fileSystem.Kernel.RealtimeNow;
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description) =>
        thread.Kernel.Terminals.OpenTerminal(thread, _terminal, this, flags, out description);
}
