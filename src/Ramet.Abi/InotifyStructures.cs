using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct inotify_event (inotify(7)); the name follows.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct InotifyEvent
{
    public int wd;
    public InotifyMask mask;
    public uint cookie;
    public uint len;
}

/// <summary>IN_* (inotify(7)).</summary>
[Flags]
public enum InotifyMask : uint
{
    None = 0,
    IN_ACCESS = 0x1,
    IN_MODIFY = 0x2,
    IN_ATTRIB = 0x4,
    IN_CLOSE_WRITE = 0x8,
    IN_CLOSE_NOWRITE = 0x10,
    IN_OPEN = 0x20,
    IN_MOVED_FROM = 0x40,
    IN_MOVED_TO = 0x80,
    IN_CREATE = 0x100,
    IN_DELETE = 0x200,
    IN_DELETE_SELF = 0x400,
    IN_MOVE_SELF = 0x800,
    IN_ALL_EVENTS = 0xFFF,
    IN_UNMOUNT = 0x2000,
    IN_Q_OVERFLOW = 0x4000,
    IN_IGNORED = 0x8000,
    IN_ONLYDIR = 0x0100_0000,
    IN_DONT_FOLLOW = 0x0200_0000,
    IN_EXCL_UNLINK = 0x0400_0000,
    IN_MASK_CREATE = 0x1000_0000,
    IN_MASK_ADD = 0x2000_0000,
    IN_ISDIR = 0x4000_0000,
    IN_ONESHOT = 0x8000_0000,
}
