using Ramet.Kernel.Files;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems;

/// <summary>
/// A directory: entries of the writable layer over those of the image's directory. A name of the image that was removed or replaced is a whiteout.
/// </summary>
[Saved]
public sealed partial class TmpfsDirectory : TmpfsInode
{
    private Dictionary<string, TmpfsInode>? _entries;
    private HashSet<string>? _whiteouts;

    private TmpfsDirectory()
    {
    }

    internal TmpfsDirectory(TmpfsFileSystem fileSystem, ulong number, InodeMode mode, uint uid, uint gid)
        : base(fileSystem, number, mode, uid, gid) =>
        LinkCount = 2;

    internal TmpfsDirectory(OverlayFileSystem fileSystem, int node, in ImageNode from)
        : base(fileSystem, node, from) =>
        LinkCount = Math.Max(LinkCount, 2);

    /// <inheritdoc/>
    public override long Size => 4096;

    /// <inheritdoc/>
    public override long Blocks => 8;

    /// <summary>Whether there are no names.</summary>
    internal bool IsEmpty =>
        _entries is not { Count: > 0 }
        && (Node < 0 || !Kernel.Image.EnumerateDirectory(Node).Any(entry => _whiteouts?.Contains(entry.Key) != true));

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = new DirectoryDescription(this, flags);
        return 0;
    }

    /// <inheritdoc/>
    public override Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = Find(name);
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    public override Errno List(PosixThread thread, List<DirectoryEntry> entries)
    {
        if (_entries is not null)
            foreach (var (name, inode) in _entries) entries.Add(new DirectoryEntry(name, inode.Number, inode.EntryType));
        if (Node < 0) return Errno.None;
        foreach (var (name, node) in Kernel.Image.EnumerateDirectory(Node))
        {
            if (_entries?.ContainsKey(name) == true || _whiteouts?.Contains(name) == true) continue;
            uint type = (Kernel.Image.GetNode(node).Mode & (uint)InodeMode.S_IFMT) >> 12;
            entries.Add(new DirectoryEntry(name, OverlayFileSystem.NumberOf(node), (DirectoryEntryType)type));
        }

        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno Create(PosixThread thread, string name, InodeMode mode, ulong device, out Inode? inode)
    {
        var error = Prepare(thread, name, ref mode, out ulong number, out uint gid);
        inode = null;
        if (error != Errno.None) return error;
        uint uid = thread.Credentials.FileSystemUid;
        TmpfsInode? made;
        if ((mode & InodeMode.S_IFMT) == InodeMode.S_IFREG) error = Owner.CreateFile(thread, number, mode, uid, gid, out made);
        else made = new TmpfsSpecialFile(Owner, number, mode, uid, gid, device);
        if (error != Errno.None || made is null)
        {
            Owner.FreeNumber();
            Owner.Uncharge(CostOf(name));
            return error;
        }

        Put(name, made);
        Kernel.Watches.OnName(this, name, made, InotifyMask.IN_CREATE);
        inode = made;
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno CreateUnnamed(PosixThread thread, InodeMode mode, out Inode? inode)
    {
        inode = null;
        if (LinkCount == 0) return Errno.ENOENT;
        if (!Owner.TryAllocateNumber(out ulong number)) return Errno.ENOSPC;
        uint gid = (Mode & InodeMode.S_ISGID) != 0 ? Gid : thread.Credentials.FileSystemGid;
        inode = new TmpfsFile(Owner, number, mode, thread.Credentials.FileSystemUid, gid) { LinkCount = 0 };
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno MakeDirectory(PosixThread thread, string name, InodeMode mode, out Inode? inode)
    {
        inode = null;
        mode = InodeMode.S_IFDIR | (mode & InodeMode.Permissions);
        var error = Prepare(thread, name, ref mode, out ulong number, out uint gid);
        if (error != Errno.None) return error;
        var made = new TmpfsDirectory(Owner, number, mode, thread.Credentials.FileSystemUid, gid);
        Put(name, made);
        LinkCount++;
        Kernel.Watches.OnName(this, name, made, InotifyMask.IN_CREATE);
        inode = made;
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno MakeSymbolicLink(PosixThread thread, string name, string target, out Inode? inode)
    {
        inode = null;
        var mode = InodeMode.S_IFLNK;
        var error = Prepare(thread, name, ref mode, out ulong number, out uint gid);
        if (error != Errno.None) return error;
        if (!Owner.TryCharge(target.Length * 2L))
        {
            Owner.FreeNumber();
            Owner.Uncharge(CostOf(name));
            return Errno.ENOSPC;
        }

        var made = new TmpfsSymbolicLink(Owner, number, thread.Credentials.FileSystemUid, gid, target);
        Put(name, made);
        Kernel.Watches.OnName(this, name, made, InotifyMask.IN_CREATE);
        inode = made;
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno Link(PosixThread thread, string name, Inode target)
    {
        if (LinkCount == 0) return Errno.ENOENT;
        if (Find(name) is not null) return Errno.EEXIST;
        if (target.LinkCount >= int.MaxValue) return Errno.EMLINK;
        if (!Owner.TryCharge(CostOf(name))) return Errno.ENOSPC;
        var file = (TmpfsInode)target;
        Put(name, file);
        file.OnLinked();
        Kernel.Watches.OnInode(file, InotifyMask.IN_ATTRIB);
        Kernel.Watches.OnName(this, name, file, InotifyMask.IN_CREATE);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno Unlink(PosixThread thread, string name, Inode target)
    {
        if (target.IsDirectory) return Errno.EISDIR;
        Remove(name);
        Kernel.Watches.OnInode(target, InotifyMask.IN_ATTRIB);
        ((TmpfsInode)target).OnUnlinked();
        Kernel.Watches.OnName(this, name, target, InotifyMask.IN_DELETE);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno RemoveDirectory(PosixThread thread, string name, Inode target)
    {
        if (target is not TmpfsDirectory directory) return Errno.ENOTDIR;
        if (!directory.IsEmpty) return Errno.ENOTEMPTY;
        Remove(name);
        directory.OnUnlinked();
        Kernel.Watches.OnName(this, name, target, InotifyMask.IN_DELETE);
        LinkCount--;
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno Rename(PosixThread thread, string name, Inode newDirectory, string newName, uint flags)
    {
        var to = (TmpfsDirectory)newDirectory;
        if (to.LinkCount == 0 || Find(name) is not { } source) return Errno.ENOENT;
        var target = to.Find(newName);
        if ((flags & (uint)RenameFlags.RENAME_EXCHANGE) != 0)
        {
            if (target is null) return Errno.ENOENT;
            long cost = (_entries?.ContainsKey(name) == true ? 0 : CostOf(name)) + (to._entries?.ContainsKey(newName) == true ? 0 : CostOf(newName));
            if (!Owner.TryCharge(cost)) return Errno.ENOSPC;
            Put(name, target);
            to.Put(newName, source);
            LinkCount += (target.IsDirectory ? 1u : 0u) - (source.IsDirectory ? 1u : 0u);
            to.LinkCount += (source.IsDirectory ? 1u : 0u) - (target.IsDirectory ? 1u : 0u);
            Kernel.Watches.OnMoved(this, name, to, newName, source);
            Kernel.Watches.OnMoved(to, newName, this, name, target);
        }
        else
        {
            if (target == source) return Errno.None;
            if (target is not null && (flags & (uint)RenameFlags.RENAME_NOREPLACE) != 0) return Errno.EEXIST;
            if (target is TmpfsDirectory { IsEmpty: false }) return Errno.ENOTEMPTY;
            bool whiteout = (flags & (uint)RenameFlags.RENAME_WHITEOUT) != 0;
            long cost = (to._entries?.ContainsKey(newName) == true ? 0 : CostOf(newName)) + (whiteout ? CostOf(name) : 0);
            if (cost > 0 && !Owner.TryCharge(cost)) return Errno.ENOSPC;
            ulong number = 0;
            if (whiteout && !Owner.TryAllocateNumber(out number))
            {
                Owner.Uncharge(cost);
                return Errno.ENOSPC;
            }

            Remove(name);
            to.Put(newName, source);
            // What overlay file systems take for "not here": a device 0:0.
            if (whiteout) Put(name, new TmpfsSpecialFile(Owner, number, InodeMode.S_IFCHR, thread.Credentials.FileSystemUid, thread.Credentials.FileSystemGid, 0));
            if (source.IsDirectory)
            {
                LinkCount--;
                to.LinkCount++;
            }

            Kernel.Watches.OnMoved(this, name, to, newName, source);
            if (target is not null)
            {
                if (!target.IsDirectory) Kernel.Watches.OnInode(target, InotifyMask.IN_ATTRIB);
                if (target.IsDirectory) to.LinkCount--;
                target.OnUnlinked();
            }
        }

        source.BeforeChange();
        source.ChangeTime = Kernel.RealtimeNow;
        return Errno.None;
    }

    /// <summary>Adds a directory while a file system is being made; an existing one is returned.</summary>
    internal TmpfsDirectory AddDirectory(string name, InodeMode mode)
    {
        if (Find(name) is TmpfsDirectory known) return known;
        var made = new TmpfsDirectory(Owner, AllocateNumber(), InodeMode.S_IFDIR | mode, 0, 0);
        Owner.TryCharge(CostOf(name));
        Put(name, made);
        LinkCount++;
        return made;
    }

    /// <summary>Adds a device node while a file system is being made.</summary>
    internal void AddDevice(string name, InodeMode mode, uint major, uint minor)
    {
        Owner.TryCharge(CostOf(name));
        Put(name, new TmpfsSpecialFile(Owner, AllocateNumber(), mode, 0, 0, DeviceNumber.Make(major, minor)));
    }

    /// <summary>Adds a symbolic link while a file system is being made.</summary>
    internal void AddSymbolicLink(string name, string target)
    {
        Owner.TryCharge(CostOf(name) + (target.Length * 2L));
        Put(name, new TmpfsSymbolicLink(Owner, AllocateNumber(), 0, 0, target));
    }

    /// <summary>Adds a file with this content, or replaces it, on behalf of the host (etc/hostname ...). False when memory or inodes are used up.</summary>
    internal bool AddFile(string name, InodeMode mode, ReadOnlySpan<byte> content)
    {
        if (Find(name) is { } previous)
        {
            Remove(name);
            previous.OnUnlinked();
        }

        if (!Owner.TryCharge(CostOf(name)) || !Owner.TryAllocateNumber(out ulong number)) return false;
        var made = new TmpfsFile(Owner, number, InodeMode.S_IFREG | mode, 0, 0);
        byte[] bytes = content.ToArray();
        var buffer = new IoBuffer(bytes);
        made.Pages.Write(ref buffer, 0, out var error);
        Put(name, made);
        return error == Errno.None;
    }

    private TmpfsInode? Find(string name)
    {
        if (_entries is not null && _entries.TryGetValue(name, out var inode)) return inode;
        if (Node < 0 || LinkCount == 0 || _whiteouts?.Contains(name) == true) return null;
        return Kernel.Image.TryLookup(Node, name, out int node) ? Owner.GetImageInode(node) : null;
    }

    private Errno Prepare(PosixThread thread, string name, ref InodeMode mode, out ulong number, out uint gid)
    {
        number = 0;
        gid = thread.Credentials.FileSystemGid;
        if (LinkCount == 0) return Errno.ENOENT;
        if (Find(name) is not null) return Errno.EEXIST;
        if ((Mode & InodeMode.S_ISGID) != 0)
        {
            gid = Gid;
            if ((mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR) mode |= InodeMode.S_ISGID;
        }

        if (!Owner.TryCharge(CostOf(name))) return Errno.ENOSPC;
        if (Owner.TryAllocateNumber(out number)) return Errno.None;
        Owner.Uncharge(CostOf(name));
        return Errno.ENOSPC;
    }

    /// <summary>About what an entry of the writable layer costs the host.</summary>
    private static long CostOf(string name) => 300 + (name.Length * 2L);

    private void Put(string name, TmpfsInode inode)
    {
        (_entries ??= [])[name] = inode;
        _whiteouts?.Remove(name);
        OnEntriesChanged();
    }

    private void Remove(string name)
    {
        if (_entries?.Remove(name) == true)
        {
            Owner.Uncharge(CostOf(name));

            // The room for names that were here is the host's memory, and no longer charged.
            if (_entries.Count == 0) _entries = null;
            else if (_entries.Capacity > 64 && _entries.Count < _entries.Capacity / 8) _entries.TrimExcess(_entries.Count * 2);
        }

        if (Node >= 0 && Kernel.Image.TryLookup(Node, name, out _)) (_whiteouts ??= []).Add(name);
        OnEntriesChanged();
    }

    private void OnEntriesChanged()
    {
        BeforeChange();
        ModifyTime = ChangeTime = Kernel.RealtimeNow;
    }

    private ulong AllocateNumber() =>
        Owner.TryAllocateNumber(out ulong number) ? number : throw new InvalidOperationException("No inodes are left for the file systems of the sandbox.");
}
