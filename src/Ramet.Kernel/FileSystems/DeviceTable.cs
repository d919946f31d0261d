using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems;

/// <summary>Drivers of character devices by number: where device nodes lead.</summary>
[Saved]
public sealed partial class DeviceTable
{
    private Dictionary<ulong, CharacterDevice> _devices = [];

    /// <summary>Registers a driver, or replaces one.</summary>
    public void Register(uint major, uint minor, CharacterDevice device) => _devices[DeviceNumber.Make(major, minor)] = device;

    /// <summary>Opens a device node. ENXIO when there is no such device.</summary>
    internal SyscallResult Open(PosixThread thread, Inode inode, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        return _devices.TryGetValue(inode.Device, out var device) ? device.Open(thread, inode, flags, out description) : Errno.ENXIO;
    }
}

/// <summary>A driver.</summary>
[Saved]
public abstract partial class CharacterDevice
{
    /// <summary>Opens a node of this device. May block the thread, as <see cref="Inode.Open"/>.</summary>
    public abstract SyscallResult Open(PosixThread thread, Inode inode, OpenFlags flags, out FileDescription? description);
}
