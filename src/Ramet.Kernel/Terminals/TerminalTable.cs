using System.Globalization;
using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>The terminals of a sandbox by number.</summary>
[Saved]
public sealed partial class TerminalTable
{
    /// <summary>Most terminals at a time (/proc/sys/kernel/pty/max).</summary>
    public const int Maximum = 1024;

    private SortedDictionary<int, Terminal> _terminals = [];

    /// <summary>Terminals in use.</summary>
    public int Count => _terminals.Count;

    /// <summary>The terminal whose master is the host (ramet run -t); null: there is none.</summary>
    public HostTerminal? Host { get; internal set; }

    /// <summary>Where devpts is mounted.</summary>
    internal Mount Mount { get; set; } = null!;

    internal DevPtsFileSystem FileSystem { get; set; } = null!;

    internal IEnumerable<Terminal> All => _terminals.Values;

    /// <summary>A device number as TIOCGDEV and /proc/PID/stat have it.</summary>
    internal static int EncodeDevice(ulong device)
    {
        uint major = DeviceNumber.Major(device), minor = DeviceNumber.Minor(device);
        return (int)((minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12));
    }

    internal Terminal? Find(int number) => _terminals.GetValueOrDefault(number);

    /// <summary>The place in /dev/pts.</summary>
    internal Dentry DentryOf(Terminal terminal) => Mount.Root.GetChild(terminal.Number.ToString(CultureInfo.InvariantCulture), terminal.Inode);

    /// <summary>A new terminal with the lowest free number. Null: there are too many (ENOSPC).</summary>
    internal Terminal? Create(Kernel kernel, uint owner)
    {
        int number = 0;
        foreach (int taken in _terminals.Keys)
        {
            if (taken != number) break;
            number++;
        }

        if (number >= Maximum) return null;
        var terminal = new Terminal(kernel, number);
        terminal.Inode = new TerminalInode(FileSystem, terminal, owner);
        _terminals.Add(number, terminal);
        return terminal;
    }

    internal void Remove(Terminal terminal)
    {
        if (!_terminals.Remove(terminal.Number)) return;
        Mount.Root.FindChild(terminal.Number.ToString(CultureInfo.InvariantCulture))?.MarkDeleted();
    }

    /// <summary>Opens a terminal. EIO while it is locked or its master is gone, EBUSY when somebody has it to himself (TIOCEXCL).</summary>
    internal Errno OpenTerminal(PosixThread thread, Terminal terminal, Inode inode, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        if (terminal.IsMasterClosed || terminal.IsLocked) return Errno.EIO;
        if (terminal.IsExclusive && !thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EBUSY;
        description = new TerminalDescription(terminal, inode, flags);
        return Errno.None;
    }
}

/// <summary>/dev/ptmx: each open makes a terminal.</summary>
[Saved]
internal sealed partial class MasterDevice : CharacterDevice
{
    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, Inode inode, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        var terminal = thread.Kernel.Terminals.Create(thread.Kernel, thread.Credentials.FileSystemUid);
        if (terminal is null) return Errno.ENOSPC;
        description = new TerminalMaster(terminal, inode, flags);
        return 0;
    }
}

/// <summary>/dev/tty: the controlling terminal of who opens it.</summary>
[Saved]
internal sealed partial class ControllingTerminalDevice : CharacterDevice
{
    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, Inode inode, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        return thread.Process.ControllingTerminal is not { } terminal
            ? Errno.ENXIO
            : thread.Kernel.Terminals.OpenTerminal(thread, terminal, inode, flags, out description);
    }
}
