using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>Where the file system tells of what happens to files (fsnotify). While nobody watches anything, each of these is one comparison.</summary>
[Saved]
internal sealed partial class FileWatches
{
    /// <summary>/proc/sys/fs/inotify/max_user_watches.</summary>
    public const int MaximumWatches = 65536;

    /// <summary>/proc/sys/fs/inotify/max_user_instances.</summary>
    public const int MaximumInstances = 128;

    private uint _lastCookie;

    /// <summary>Watches of all instances.</summary>
    public int Count { get; set; }

    /// <summary>Instances by their user.</summary>
    public Dictionary<uint, int> Instances { get; private set; } = [];

    /// <summary>Something happened to a file: tells those who watch its directory, then those who watch the file.</summary>
    public void OnFile(Dentry? dentry, Inode inode, InotifyMask what)
    {
        if (Count == 0) return;
        if (inode.IsDirectory) what |= InotifyMask.IN_ISDIR;
        if (dentry?.Parent is { Inode.Watches: not null } directory) Tell(directory.Inode, what, 0, dentry.Name, dentry.IsDeleted);
        if (inode.Watches is not null) Tell(inode, what, 0, "", false);
    }

    /// <summary>Something happened to the inode alone (its links, its end).</summary>
    public void OnInode(Inode inode, InotifyMask what)
    {
        if (inode.Watches is null) return;
        // For compatibility Linux leaves IN_ISDIR out of these.
        bool self = (what & (InotifyMask.IN_DELETE_SELF | InotifyMask.IN_MOVE_SELF)) != 0;
        Tell(inode, inode.IsDirectory && !self ? what | InotifyMask.IN_ISDIR : what, 0, "", false);
    }

    /// <summary>A name was added to a directory, or removed.</summary>
    public void OnName(Inode directory, string name, Inode target, InotifyMask what)
    {
        if (directory.Watches is not null) Tell(directory, target.IsDirectory ? what | InotifyMask.IN_ISDIR : what, 0, name, false);
    }

    /// <summary>A file got another name.</summary>
    public void OnMoved(Inode from, string name, Inode to, string newName, Inode source)
    {
        if (Count == 0) return;
        var kind = source.IsDirectory ? InotifyMask.IN_ISDIR : InotifyMask.None;
        uint cookie = ++_lastCookie;
        if (from.Watches is not null) Tell(from, InotifyMask.IN_MOVED_FROM | kind, cookie, name, false);
        if (to.Watches is not null) Tell(to, InotifyMask.IN_MOVED_TO | kind, cookie, newName, false);
        OnInode(source, InotifyMask.IN_MOVE_SELF);
    }

    /// <summary>The file is gone for good: so are its watches.</summary>
    public void OnGone(Inode inode, InotifyMask why = InotifyMask.IN_DELETE_SELF)
    {
        if (inode.Watches is null) return;
        OnInode(inode, why);
        while (inode.Watches is { Count: > 0 } left)
        {
            if (left[^1] is DirectoryNotification notification) notification.End();
            else left[^1].Owner.Remove(left[^1]);
        }
    }

    /// <summary>Adds a watch to its file.</summary>
    public void Add(InotifyWatch watch)
    {
        var watches = watch.Inode.Watches ??= [];
        watch.Index = watches.Count;
        watches.Add(watch);
        Count++;
    }

    /// <summary>Takes a watch off its file. The last one moves to its place, so that a process with very many of them ends in time.</summary>
    public void Remove(InotifyWatch watch)
    {
        var watches = watch.Inode.Watches!;
        var last = watches[^1];
        watches[watch.Index] = last;
        last.Index = watch.Index;
        watches.RemoveAt(watches.Count - 1);
        if (watches.Count == 0) watch.Inode.Watches = null;
        Count--;
    }

    private static void Tell(Inode inode, InotifyMask what, uint cookie, string name, bool unlinked)
    {
        var watches = inode.Watches!;
        for (int i = watches.Count - 1; i >= 0; i--)
        {
            var watch = watches[i];
            if ((watch.Mask & what & (InotifyMask.IN_ALL_EVENTS | InotifyMask.IN_UNMOUNT)) == 0) continue;
            if (unlinked && (watch.Mask & InotifyMask.IN_EXCL_UNLINK) != 0) continue;
            if (watch is DirectoryNotification notification)
            {
                notification.Tell();
                continue;
            }

            watch.Owner.Add(watch.Descriptor, what, cookie, name);
            if ((watch.Mask & InotifyMask.IN_ONESHOT) != 0) watch.Owner.Remove(watch);
        }
    }
}

/// <summary>A watch of one file by one inotify instance, or by fcntl(2) F_NOTIFY. It holds the inode.</summary>
[Saved]
internal partial class InotifyWatch
{
    /// <summary>The instance; null for F_NOTIFY.</summary>
    public Inotify Owner { get; set; } = null!;

    public Inode Inode { get; set; } = null!;

    /// <summary>Place in the inode's list.</summary>
    public int Index { get; set; }

    public int Descriptor { get; set; }

    public InotifyMask Mask { get; set; }
}
