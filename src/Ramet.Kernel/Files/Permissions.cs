using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Files;

/// <summary>Who may do what with a file (path_resolution(7), capabilities(7)).</summary>
internal static class Permissions
{
    /// <summary>Whether a thread may read, write or execute (search) a file, by its file system ids. EACCES.</summary>
    public static Errno Check(PosixThread thread, Inode inode, AccessMode mask)
    {
        var credentials = thread.Credentials;
        return Check(credentials, credentials.FileSystemUid, credentials.IsInGroup(inode.Gid), inode, mask);
    }

    /// <summary>access(2): the same by the real ids. A process whose real user is not root has no capabilities there.</summary>
    public static Errno CheckReal(PosixThread thread, Inode inode, AccessMode mask)
    {
        var credentials = thread.Credentials;
        bool inGroup = credentials.Gid == inode.Gid || Array.IndexOf(credentials.Groups, inode.Gid) >= 0;
        var capabilities = credentials.Uid == 0 ? credentials.Permitted : 0;
        return Check(credentials.Uid, inGroup, capabilities, inode, mask);
    }

    /// <summary>Whether the thread owns the file or may act as if it did (CAP_FOWNER).</summary>
    public static bool IsOwner(PosixThread thread, Inode inode) =>
        thread.Credentials.FileSystemUid == inode.Uid || thread.Credentials.HasCapability(Capability.CAP_FOWNER);

    /// <summary>Whether an entry may be taken out of a directory: write and search permission, and ownership if the sticky bit is set. EACCES, EPERM.</summary>
    public static Errno CheckDelete(PosixThread thread, Inode directory, Inode target)
    {
        var error = Check(thread, directory, AccessMode.W_OK | AccessMode.X_OK);
        if (error != Errno.None) return error;
        if ((directory.Mode & InodeMode.S_ISVTX) == 0) return Errno.None;
        uint uid = thread.Credentials.FileSystemUid;
        return uid == target.Uid || uid == directory.Uid || thread.Credentials.HasCapability(Capability.CAP_FOWNER) ? Errno.None : Errno.EPERM;
    }

    /// <summary>Whether a thread may look into another's memory and descriptors (ptrace(2), access mode checking, with the file system ids' role taken by the real ones).</summary>
    public static bool MayTrace(PosixThread thread, PosixThread target)
    {
        if (thread.Process == target.Process) return true;
        var own = thread.Credentials;
        var other = target.Credentials;
        if (own.HasCapability(Capability.CAP_SYS_PTRACE)) return true;
        return own.Uid == other.Uid && own.Uid == other.EffectiveUid && own.Uid == other.SavedUid
            && own.Gid == other.Gid && own.Gid == other.EffectiveGid && own.Gid == other.SavedGid
            && target.Process.Dumpable == 1 && (other.Permitted & ~own.Permitted) == 0;
    }

    private static Errno Check(Credentials credentials, uint uid, bool inGroup, Inode inode, AccessMode mask) =>
        Check(uid, inGroup, credentials.Effective, inode, mask);

    private static Errno Check(uint uid, bool inGroup, ulong capabilities, Inode inode, AccessMode mask)
    {
        uint mode = (uint)inode.Mode;
        uint granted = uid == inode.Uid ? mode >> 6 : inGroup ? mode >> 3 : mode;
        uint wanted = (uint)mask & 7;
        if ((wanted & ~granted) == 0) return Errno.None;

        bool overrides = Has(capabilities, Capability.CAP_DAC_OVERRIDE);
        bool readsAll = overrides || Has(capabilities, Capability.CAP_DAC_READ_SEARCH);
        bool allowed = inode.IsDirectory
            ? overrides || ((mask & AccessMode.W_OK) == 0 && readsAll)
            : (mask == AccessMode.R_OK && readsAll) || (overrides && ((mask & AccessMode.X_OK) == 0 || (mode & 0x49) != 0));
        return allowed ? Errno.None : Errno.EACCES;
    }

    private static bool Has(ulong capabilities, Capability capability) => (capabilities >> (int)capability & 1) != 0;
}
