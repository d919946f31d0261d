using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Extended attributes (xattr(7)): the user, trusted and security name spaces. There are no ACLs.</summary>
internal static class ExtendedAttributes
{
    private const int MaxName = 255;
    private const int MaxValue = 65536;

    [Syscall(SyscallNumber.setxattr)]
    internal static SyscallResult SetXAttr(PosixThread thread, UserPath path, UserPath name, [In("size")] UserAddress value, ulong size, XattrFlags flags)
    {
        var error = Find(thread, path, WalkFlags.None, out var inode, out var dentry);
        return error != Errno.None ? error : Set(thread, inode, dentry, name, value, size, flags);
    }

    [Syscall(SyscallNumber.lsetxattr)]
    internal static SyscallResult LSetXAttr(PosixThread thread, UserPath path, UserPath name, [In("size")] UserAddress value, ulong size, XattrFlags flags)
    {
        var error = Find(thread, path, WalkFlags.NoFollow, out var inode, out var dentry);
        return error != Errno.None ? error : Set(thread, inode, dentry, name, value, size, flags);
    }

    [Syscall(SyscallNumber.fsetxattr)]
    internal static SyscallResult FSetXAttr(PosixThread thread, int fd, UserPath name, [In("size")] UserAddress value, ulong size, XattrFlags flags)
    {
        var error = Find(thread, fd, out var inode, out var dentry);
        return error != Errno.None ? error : Set(thread, inode, dentry, name, value, size, flags);
    }

    [Syscall(SyscallNumber.getxattr)]
    internal static SyscallResult GetXAttr(PosixThread thread, UserPath path, UserPath name, [Out] UserAddress value, ulong size)
    {
        var error = Find(thread, path, WalkFlags.None, out var inode, out _);
        return error != Errno.None ? error : Get(thread, inode, name, value, size);
    }

    [Syscall(SyscallNumber.lgetxattr)]
    internal static SyscallResult LGetXAttr(PosixThread thread, UserPath path, UserPath name, [Out] UserAddress value, ulong size)
    {
        var error = Find(thread, path, WalkFlags.NoFollow, out var inode, out _);
        return error != Errno.None ? error : Get(thread, inode, name, value, size);
    }

    [Syscall(SyscallNumber.fgetxattr)]
    internal static SyscallResult FGetXAttr(PosixThread thread, int fd, UserPath name, [Out] UserAddress value, ulong size)
    {
        var error = Find(thread, fd, out var inode, out _);
        return error != Errno.None ? error : Get(thread, inode, name, value, size);
    }

    [Syscall(SyscallNumber.listxattr)]
    internal static SyscallResult ListXAttr(PosixThread thread, UserPath path, UserAddress list, ulong size)
    {
        var error = Find(thread, path, WalkFlags.None, out var inode, out _);
        return error != Errno.None ? error : List(thread, inode, list, size);
    }

    [Syscall(SyscallNumber.llistxattr)]
    internal static SyscallResult LListXAttr(PosixThread thread, UserPath path, UserAddress list, ulong size)
    {
        var error = Find(thread, path, WalkFlags.NoFollow, out var inode, out _);
        return error != Errno.None ? error : List(thread, inode, list, size);
    }

    [Syscall(SyscallNumber.flistxattr)]
    internal static SyscallResult FListXAttr(PosixThread thread, int fd, UserAddress list, ulong size)
    {
        var error = Find(thread, fd, out var inode, out _);
        return error != Errno.None ? error : List(thread, inode, list, size);
    }

    [Syscall(SyscallNumber.removexattr)]
    internal static SyscallResult RemoveXAttr(PosixThread thread, UserPath path, UserPath name)
    {
        var error = Find(thread, path, WalkFlags.None, out var inode, out var dentry);
        return error != Errno.None ? error : Remove(thread, inode, dentry, name);
    }

    [Syscall(SyscallNumber.lremovexattr)]
    internal static SyscallResult LRemoveXAttr(PosixThread thread, UserPath path, UserPath name)
    {
        var error = Find(thread, path, WalkFlags.NoFollow, out var inode, out var dentry);
        return error != Errno.None ? error : Remove(thread, inode, dentry, name);
    }

    [Syscall(SyscallNumber.fremovexattr)]
    internal static SyscallResult FRemoveXAttr(PosixThread thread, int fd, UserPath name)
    {
        var error = Find(thread, fd, out var inode, out var dentry);
        return error != Errno.None ? error : Remove(thread, inode, dentry, name);
    }

    private static Errno Find(PosixThread thread, UserPath path, WalkFlags flags, out Inode inode, out Dentry? dentry)
    {
        var error = PathArguments.Resolve(thread, PathArguments.CurrentDirectory, path, flags, out dentry);
        inode = dentry?.Inode!;
        return error;
    }

    private static Errno Find(PosixThread thread, int fd, out Inode inode, out Dentry? dentry)
    {
        inode = null!;
        dentry = null;
        if (thread.Files.Get(fd) is not { } description || (description.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
        inode = description.Inode;
        dentry = description.Dentry;
        return Errno.None;
    }

    /// <summary>Copies a name in and checks that the thread may use it. ERANGE, EOPNOTSUPP, EPERM, EACCES, ENODATA.</summary>
    private static Errno ReadName(PosixThread thread, Inode inode, UserPath address, bool write, out string name)
    {
        var error = thread.Memory.User.ReadString(address.Address, out name, MaxName + 1);
        if (error == Errno.ENAMETOOLONG || (error == Errno.None && name.Length == 0)) return Errno.ERANGE;
        if (error != Errno.None) return error;
        if (name.StartsWith("trusted.", StringComparison.Ordinal))
        {
            if (thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.None;
            return write ? Errno.EPERM : Errno.ENODATA;
        }

        if (name == FileCapabilities.Attribute && write) return thread.Credentials.HasCapability(Capability.CAP_SETFCAP) ? Errno.None : Errno.EPERM;
        if (name.StartsWith("security.", StringComparison.Ordinal))
            return write && !thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN) ? Errno.EPERM : Errno.None;
        if (!name.StartsWith("user.", StringComparison.Ordinal) || name.Length == 5) return Errno.EOPNOTSUPP;

        // User attributes are for regular files and directories only.
        if (!inode.IsRegular && !inode.IsDirectory) return write ? Errno.EPERM : Errno.ENODATA;
        return Permissions.Check(thread, inode, write ? AccessMode.W_OK : AccessMode.R_OK);
    }

    private static SyscallResult Set(PosixThread thread, Inode inode, Dentry? dentry, UserPath nameAddress, UserAddress value, ulong size, XattrFlags flags)
    {
        if ((flags & ~(XattrFlags.XATTR_CREATE | XattrFlags.XATTR_REPLACE)) != 0) return Errno.EINVAL;
        if (dentry is { Mount.IsReadOnly: true }) return Errno.EROFS;
        if (size > MaxValue) return Errno.E2BIG;
        var error = ReadName(thread, inode, nameAddress, write: true, out string name);
        if (error != Errno.None) return error;
        if (inode.ExtendedAttributes is not { } attributes) return Errno.EOPNOTSUPP;
        byte[] bytes = new byte[size];
        if (thread.Memory.User.Read(value, bytes) != bytes.Length) return Errno.EFAULT;
        if (name == FileCapabilities.Attribute && !FileCapabilities.IsValid(bytes)) return Errno.EINVAL;
        bool exists = attributes.TryGetValue(name, out byte[]? previous);
        if (exists && (flags & XattrFlags.XATTR_CREATE) != 0) return Errno.EEXIST;
        if (!exists && (flags & XattrFlags.XATTR_REPLACE) != 0) return Errno.ENODATA;
        if (!inode.TryChargeAttributes(Cost(name, bytes) - (exists ? Cost(name, previous!) : 0))) return Errno.ENOSPC;
        error = inode.BeforeChange();
        if (error != Errno.None) return error;
        attributes[name] = bytes;
        inode.ChangeTime = thread.Kernel.RealtimeNow;
        thread.Kernel.Watches.OnFile(dentry, inode, InotifyMask.IN_ATTRIB);
        return 0;
    }

    private static SyscallResult Get(PosixThread thread, Inode inode, UserPath nameAddress, UserAddress value, ulong size)
    {
        var error = ReadName(thread, inode, nameAddress, write: false, out string name);
        if (error != Errno.None) return error;
        if (inode.ExtendedAttributes is not { } attributes) return Errno.EOPNOTSUPP;
        if (!attributes.TryGetValue(name, out byte[]? bytes)) return Errno.ENODATA;
        if (size == 0) return bytes.Length;
        if ((ulong)bytes.Length > size) return Errno.ERANGE;
        return thread.Memory.User.Write(value, bytes) == bytes.Length ? bytes.Length : Errno.EFAULT;
    }

    private static SyscallResult List(PosixThread thread, Inode inode, UserAddress list, ulong size)
    {
        if (inode.ExtendedAttributes is not { } attributes) return 0;
        bool seesTrusted = thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN);
        var text = new StringBuilder();
        foreach (string name in attributes.Keys)
            if (seesTrusted || !name.StartsWith("trusted.", StringComparison.Ordinal)) text.Append(name).Append('\0');
        byte[] bytes = Encoding.Latin1.GetBytes(text.ToString());
        if (size == 0) return bytes.Length;
        if ((ulong)bytes.Length > size) return Errno.ERANGE;
        return thread.Memory.User.Write(list, bytes) == bytes.Length ? bytes.Length : Errno.EFAULT;
    }

    private static SyscallResult Remove(PosixThread thread, Inode inode, Dentry? dentry, UserPath nameAddress)
    {
        if (dentry is { Mount.IsReadOnly: true }) return Errno.EROFS;
        var error = ReadName(thread, inode, nameAddress, write: true, out string name);
        if (error != Errno.None) return error;
        if (inode.ExtendedAttributes is not { } attributes) return Errno.EOPNOTSUPP;
        if (!attributes.TryGetValue(name, out byte[]? bytes)) return Errno.ENODATA;
        error = inode.BeforeChange();
        if (error != Errno.None) return error;
        attributes.Remove(name);
        inode.TryChargeAttributes(-Cost(name, bytes));
        inode.ChangeTime = thread.Kernel.RealtimeNow;
        thread.Kernel.Watches.OnFile(dentry, inode, InotifyMask.IN_ATTRIB);
        return 0;
    }

    // As in the sum that is given back when the file goes.
    private static long Cost(string name, byte[] value) => name.Length + value.Length + 64L;
}
