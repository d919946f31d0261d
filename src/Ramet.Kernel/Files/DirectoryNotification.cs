using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>DN_* of fcntl(2) F_NOTIFY.</summary>
[Flags]
internal enum DirectoryNotifyMask : uint
{
    None = 0,
    DN_ACCESS = 1,
    DN_MODIFY = 2,
    DN_CREATE = 4,
    DN_DELETE = 8,
    DN_RENAME = 0x10,
    DN_ATTRIB = 0x20,
    DN_MULTISHOT = 0x8000_0000,
}

/// <summary>What fcntl(2) F_NOTIFY asked for on an open directory: a signal when something happens to the files in it. The older form of inotify.</summary>
[Saved]
internal sealed partial class DirectoryNotification : InotifyWatch
{
    private FileDescription _directory = null!;
    private Kernel _kernel = null!;
    private bool _multishot;

    private DirectoryNotification()
    {
    }

    /// <summary>F_NOTIFY. A second request of the same descriptor adds to the first; none ends it. ENOTDIR, EINVAL.</summary>
    public static SyscallResult Set(PosixThread thread, FileDescription directory, int descriptor, DirectoryNotifyMask mask)
    {
        const DirectoryNotifyMask Events = DirectoryNotifyMask.DN_ACCESS | DirectoryNotifyMask.DN_MODIFY | DirectoryNotifyMask.DN_CREATE | DirectoryNotifyMask.DN_DELETE
            | DirectoryNotifyMask.DN_RENAME | DirectoryNotifyMask.DN_ATTRIB;
        var known = Find(directory);
        if ((mask & ~DirectoryNotifyMask.DN_MULTISHOT) == 0)
        {
            known?.End();
            return 0;
        }

        if (!directory.Inode.IsDirectory) return Errno.ENOTDIR;
        if ((mask & ~(Events | DirectoryNotifyMask.DN_MULTISHOT)) != 0) return Errno.EINVAL;
        var kernel = thread.Kernel;
        if (known is null)
        {
            if (kernel.Watches.Count >= FileWatches.MaximumWatches) return Errno.ENOSPC;
            known = new DirectoryNotification { Inode = directory.Inode, _directory = directory, _kernel = kernel };
            kernel.Watches.Add(known);
            directory.GetSignals(kernel).Notification = known;
        }

        known.Mask |= Translate(mask);
        known._multishot |= (mask & DirectoryNotifyMask.DN_MULTISHOT) != 0;
        var signals = directory.GetSignals(kernel);
        signals.Descriptor = descriptor;
        return signals.SetOwner(thread, FileOwnerType.F_OWNER_PID, thread.Process.Pid);
    }

    /// <summary>The request of an open directory.</summary>
    public static DirectoryNotification? Find(FileDescription directory) => directory.Signals?.Notification;

    /// <summary>Something that was asked for has happened.</summary>
    public void Tell()
    {
        _directory.Signals?.Send(FileSignals.POLL_MSG);
        if (!_multishot) End();
    }

    /// <summary>No more signals.</summary>
    public void End()
    {
        if (_directory.Signals?.Notification != this) return;
        _directory.Signals.Notification = null;
        _kernel.Watches.Remove(this);
    }

    private static InotifyMask Translate(DirectoryNotifyMask mask)
    {
        var events = InotifyMask.None;
        if ((mask & DirectoryNotifyMask.DN_ACCESS) != 0) events |= InotifyMask.IN_ACCESS;
        if ((mask & DirectoryNotifyMask.DN_MODIFY) != 0) events |= InotifyMask.IN_MODIFY;
        if ((mask & DirectoryNotifyMask.DN_CREATE) != 0) events |= InotifyMask.IN_CREATE | InotifyMask.IN_MOVED_TO;
        if ((mask & DirectoryNotifyMask.DN_DELETE) != 0) events |= InotifyMask.IN_DELETE | InotifyMask.IN_MOVED_FROM;
        if ((mask & DirectoryNotifyMask.DN_RENAME) != 0) events |= InotifyMask.IN_MOVED_FROM;
        if ((mask & DirectoryNotifyMask.DN_ATTRIB) != 0) events |= InotifyMask.IN_ATTRIB;
        return events;
    }
}
