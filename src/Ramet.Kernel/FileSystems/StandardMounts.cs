using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.FileSystems.Proc;
using Ramet.Kernel.Terminals;

namespace Ramet.Kernel;

/// <summary>The tree of a new sandbox: the image, and on it /dev, /dev/shm, /proc and /sys.</summary>
internal static class StandardMounts
{
    private const InodeMode Everybody = (InodeMode)0x1FF;
    private const InodeMode Readable = (InodeMode)0x1ED;

    /// <summary>Mounts everything.</summary>
    public static MountTable Create(Kernel kernel)
    {
        var mounts = new MountTable(kernel);
        var overlay = new OverlayFileSystem(kernel);
        var root = mounts.Add(overlay, null).Root;
        var top = overlay.RootDirectory;
        top.AddDirectory("tmp", Everybody | InodeMode.S_ISVTX);

        var devices = new TmpfsFileSystem(kernel, "devtmpfs", Readable);
        const MountFlags Secure = MountFlags.MS_NOSUID | MountFlags.MS_NODEV | MountFlags.MS_NOEXEC;
        mounts.Add(devices, PlaceFor(root, top, "dev"), MountFlags.MS_NOSUID, "dev");
        Populate(devices.RootDirectory, mounts.Devices);
        var shm = devices.RootDirectory.AddDirectory("shm", Everybody | InodeMode.S_ISVTX);
        mounts.Add(new TmpfsFileSystem(kernel, "tmpfs"), root.FindChild("dev")!.Down.GetChild("shm", shm), MountFlags.MS_NOSUID | MountFlags.MS_NODEV);
        kernel.Terminals.FileSystem = new DevPtsFileSystem(kernel);
        var pts = root.FindChild("dev")!.Down.GetChild("pts", devices.RootDirectory.AddDirectory("pts", Readable));
        kernel.Terminals.Mount = mounts.Add(kernel.Terminals.FileSystem, pts, MountFlags.MS_NOSUID | MountFlags.MS_NOEXEC, "devpts");
        kernel.MessageQueues = new MessageQueues.MessageQueueFileSystem(kernel);
        var queues = root.FindChild("dev")!.Down.GetChild("mqueue", devices.RootDirectory.AddDirectory("mqueue", Everybody | InodeMode.S_ISVTX));
        kernel.MessageQueueMount = mounts.Add(kernel.MessageQueues, queues, Secure, "mqueue");
        mounts.Add(new ProcFileSystem(kernel), PlaceFor(root, top, "proc"), Secure);
        mounts.Add(new SysFileSystem(kernel), PlaceFor(root, top, "sys"), Secure | MountFlags.MS_RDONLY);
        return mounts;
    }

    private static Dentry PlaceFor(Dentry root, TmpfsDirectory directory, string name) => root.GetChild(name, directory.AddDirectory(name, Readable));

    private static void Populate(TmpfsDirectory directory, DeviceTable devices)
    {
        const InodeMode Device = InodeMode.S_IFCHR | (InodeMode)0x1B6;
        (string Name, uint Minor, MemoryDeviceKind Kind)[] memory =
        [
            ("null", 3, MemoryDeviceKind.Null),
            ("zero", 5, MemoryDeviceKind.Zero),
            ("full", 7, MemoryDeviceKind.Full),
            ("random", 8, MemoryDeviceKind.Random),
            ("urandom", 9, MemoryDeviceKind.Random),
        ];
        foreach (var (name, minor, kind) in memory)
        {
            directory.AddDevice(name, Device, 1, minor);
            devices.Register(1, minor, new MemoryDevice(kind));
        }

        directory.AddDevice("tty", Device, 5, 0);
        devices.Register(5, 0, new ControllingTerminalDevice());
        directory.AddDevice("ptmx", Device, 5, 2);
        devices.Register(5, 2, new MasterDevice());
        directory.AddSymbolicLink("fd", "/proc/self/fd");
        directory.AddSymbolicLink("stdin", "/proc/self/fd/0");
        directory.AddSymbolicLink("stdout", "/proc/self/fd/1");
        directory.AddSymbolicLink("stderr", "/proc/self/fd/2");
    }
}
