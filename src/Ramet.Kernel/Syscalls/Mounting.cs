using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.FileSystems.Proc;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>mount(2), umount2(2), memfd_create(2), file handles.</summary>
internal static class Mounting
{
    private const int MaxMounts = 1024;

    [Syscall(SyscallNumber.mount, Missing = "file systems other than tmpfs, proc, sysfs, mqueue, devpts (always the same) and bind mounts; propagation is accepted and there is none")]
    internal static SyscallResult Mount(PosixThread thread, UserPath source, UserPath target, UserPath type, MountFlags flags, UserAddress data)
    {
        const MountFlags Propagation = MountFlags.MS_PRIVATE | MountFlags.MS_SLAVE | MountFlags.MS_SHARED | MountFlags.MS_UNBINDABLE;

        // What flags began with before Linux 2.4; bubblewrap still says it.
        const uint Magic = 0xC0ED_0000, MagicMask = 0xFFFF_0000;
        if (((uint)flags & MagicMask) == Magic) flags = (MountFlags)((uint)flags & ~MagicMask);
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EPERM;
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, target, WalkFlags.None, out var place);
        if (error != Errno.None) return error;
        var mounts = thread.Kernel.Mounts;
        var space = thread.FileSystem.Namespace;
        // A place in another namespace can be reached through an open directory, but not be changed.
        if (place.Mount.Namespace != space) return Errno.EINVAL;
        if ((flags & MountFlags.MS_REMOUNT) != 0)
        {
            if (place.Parent is not null) return Errno.EINVAL;
            const MountFlags Kept = MountFlags.MS_RDONLY | MountFlags.MS_NOSUID | MountFlags.MS_NODEV | MountFlags.MS_NOEXEC | MountFlags.MS_NOATIME;
            place.Mount.Flags = flags & Kept;
            return 0;
        }

        if ((flags & Propagation) != 0) return place.Parent is null ? 0 : Errno.EINVAL;
        place = place.Down;
        if ((flags & MountFlags.MS_MOVE) != 0) return Move(thread, source, place);
        if (space.Mounts.Count >= MaxMounts) return Errno.ENOSPC;
        if ((flags & MountFlags.MS_BIND) != 0) return Bind(thread, source, place, flags);

        error = thread.Memory.User.ReadPath(type, out string typeName);
        if (error != Errno.None) return error;
        if (!place.Inode.IsDirectory) return Errno.ENOTDIR;
        string name = "none", options = "";
        if (!source.Address.IsNull && thread.Memory.User.ReadPath(source, out name) != Errno.None) return Errno.EFAULT;
        if (!data.IsNull && thread.Memory.User.ReadString(data, out options) != Errno.None) return Errno.EFAULT;
        FileSystem? made = typeName switch
        {
            "tmpfs" or "ramfs" => new TmpfsFileSystem(thread.Kernel, typeName, ModeOption(options)),
            "proc" => new ProcFileSystem(thread.Kernel),
            "sysfs" => new SysFileSystem(thread.Kernel),
            "mqueue" => thread.Kernel.MessageQueues,
            "devpts" => thread.Kernel.Terminals.FileSystem,
            _ => null,
        };
        if (made is null) return Errno.ENODEV;
        mounts.Add(made, place, flags, name);
        return 0;
    }

    [Syscall(SyscallNumber.umount2)]
    internal static SyscallResult Unmount2(PosixThread thread, UserPath target, UnmountFlags flags)
    {
        if ((flags & ~(UnmountFlags.MNT_FORCE | UnmountFlags.MNT_DETACH | UnmountFlags.MNT_EXPIRE | UnmountFlags.UMOUNT_NOFOLLOW)) != 0) return Errno.EINVAL;
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EPERM;
        var walk = (flags & UnmountFlags.UMOUNT_NOFOLLOW) != 0 ? WalkFlags.NoFollow : WalkFlags.None;
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, target, walk, out var dentry);
        if (error != Errno.None) return error;
        var space = thread.FileSystem.Namespace;
        if (dentry.Parent is not null || dentry.Mount.MountPoint is null || dentry.Mount.Namespace != space) return Errno.EINVAL;
        bool detach = (flags & UnmountFlags.MNT_DETACH) != 0;
        return !detach && IsBusy(thread.Kernel, dentry.Mount) ? Errno.EBUSY : space.Remove(dentry.Mount, detach);
    }

    [Syscall(SyscallNumber.memfd_create, Missing = "MFD_HUGETLB")]
    internal static SyscallResult MemfdCreate(PosixThread thread, UserPath name, MemfdFlags flags)
    {
        const MemfdFlags Known = MemfdFlags.MFD_CLOEXEC | MemfdFlags.MFD_ALLOW_SEALING | MemfdFlags.MFD_NOEXEC_SEAL | MemfdFlags.MFD_EXEC;
        const int MaxName = 249;
        if ((flags & ~Known) != 0) return Errno.EINVAL;
        var error = thread.Memory.User.ReadString(name.Address, out string text, MaxName + 1);
        if (error != Errno.None) return error == Errno.ENAMETOOLONG ? Errno.EINVAL : error;
        error = thread.Files.CheckSpace();
        if (error != Errno.None) return error;
        var fileSystem = thread.Kernel.Mounts.SharedMemory;
        bool noExecute = (flags & MemfdFlags.MFD_NOEXEC_SEAL) != 0;
        error = fileSystem.Root.CreateUnnamed(thread, InodeMode.S_IFREG | (InodeMode)(noExecute ? 0x1B6 : 0x1FF), out var inode);
        if (error != Errno.None) return error;
        var file = (TmpfsFile)inode!;
        file.IsMemfd = true;
        if (noExecute) file.Seals = FileSeals.F_SEAL_EXEC;
        else if ((flags & MemfdFlags.MFD_ALLOW_SEALING) != 0) file.Seals = FileSeals.None;

        var description = new RegularFileDescription(file, OpenFlags.O_RDWR | OpenFlags.O_LARGEFILE);
        description.Dentry = thread.Kernel.Mounts.MakeMemfd(file, text);
        error = thread.Files.Install(description, (flags & MemfdFlags.MFD_CLOEXEC) != 0, out int descriptor);
        if (error == Errno.None) return descriptor;
        description.Release(thread.Kernel);
        return error;
    }

    [Syscall(SyscallNumber.name_to_handle_at, Missing = "file handles: always EOPNOTSUPP")]
    internal static SyscallResult NameToHandleAt(PosixThread thread, int dirfd, UserPath path, UserAddress handle, UserAddress mountId, AtFlags flags) =>
        Errno.EOPNOTSUPP;

    private static SyscallResult Bind(PosixThread thread, UserPath source, Dentry place, MountFlags flags)
    {
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, source, WalkFlags.None, out var from);
        if (error != Errno.None) return error;
        if (from.Mount.IsAnonymous) return Errno.EINVAL;
        if (from.Inode.IsDirectory != place.Inode.IsDirectory) return Errno.ENOTDIR;
        return thread.Kernel.Mounts.Bind(from, place, (flags & MountFlags.MS_REC) != 0, MaxMounts);
    }

    private static SyscallResult Move(PosixThread thread, UserPath source, Dentry place)
    {
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, source, WalkFlags.None, out var from);
        if (error != Errno.None) return error;
        if (from.Parent is not null) return Errno.EINVAL;
        if (from.Inode.IsDirectory != place.Inode.IsDirectory) return Errno.ENOTDIR;
        return thread.FileSystem.Namespace.Move(from.Mount, place);
    }

    [Syscall(SyscallNumber.pivot_root)]
    internal static SyscallResult PivotRoot(PosixThread thread, UserPath newRoot, UserPath putOld)
    {
        if (!thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EPERM;
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, newRoot, WalkFlags.None, out var root);
        if (error != Errno.None) return error;
        error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, putOld, WalkFlags.None, out var place);
        if (error != Errno.None) return error;
        if (!root.Inode.IsDirectory || !place.Inode.IsDirectory) return Errno.ENOTDIR;
        var space = thread.FileSystem.Namespace;
        var old = thread.FileSystem.Root;
        place = place.Down;
        if (root.Mount.Namespace != space || place.Mount.Namespace != space || old.Mount.Namespace != space) return Errno.EINVAL;
        if (root.IsUnlinked) return Errno.ENOENT;
        if (root.Mount == old.Mount || place.Mount == old.Mount) return Errno.EBUSY;
        // Both roots must be those of mounts, and the place for the old one within the new one.
        if (old.Parent is not null || root.Parent is not null || root.Mount.MountPoint is null) return Errno.EINVAL;
        if (!MountNamespace.IsBelow(place, root.Mount) || !MountNamespace.IsBelow(root.Mount.MountPoint, old.Mount)) return Errno.EINVAL;
        space.Pivot(old.Mount, root.Mount, place);
        foreach (var other in thread.Kernel.Processes.All.SelectMany(process => process.Threads))
        {
            if (other.FileSystem.Namespace != space) continue;
            if (other.FileSystem.Root == old) other.FileSystem.Root = root;
            if (other.FileSystem.WorkingDirectory == old) other.FileSystem.WorkingDirectory = root;
        }

        return 0;
    }

    /// <summary>Whether a process works or has a file open in a mount.</summary>
    private static bool IsBusy(Kernel kernel, Mount mount)
    {
        foreach (var thread in kernel.Processes.All.SelectMany(process => process.Threads))
        {
            if (thread.FileSystem.WorkingDirectory.Mount == mount || thread.FileSystem.Root.Mount == mount) return true;
            foreach (int fd in thread.Files.Descriptors)
                if (thread.Files.Get(fd)?.Dentry?.Mount == mount) return true;
        }

        return false;
    }

    private static InodeMode ModeOption(string options)
    {
        foreach (string option in options.Split(','))
        {
            if (!option.StartsWith("mode=", StringComparison.Ordinal)) continue;
            int mode = 0;
            foreach (char c in option.AsSpan(5)) mode = c is >= '0' and <= '7' ? ((mode << 3) | (c - '0')) & 0xFFF : mode;
            return (InodeMode)mode;
        }

        return (InodeMode)0x3FF;
    }
}
