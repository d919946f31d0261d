namespace Ramet.Abi;

/// <summary>AT_* (include/uapi/linux/fcntl.h).</summary>
[Flags]
public enum AtFlags
{
    None = 0,
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_REMOVEDIR = 0x200,
    AT_EACCESS = 0x200,
    AT_SYMLINK_FOLLOW = 0x400,
    AT_NO_AUTOMOUNT = 0x800,
    AT_EMPTY_PATH = 0x1000,
    AT_STATX_FORCE_SYNC = 0x2000,
    AT_STATX_DONT_SYNC = 0x4000,
    AT_STATX_SYNC_TYPE = 0x6000,
}

/// <summary>RESOLVE_* of openat2(2).</summary>
[Flags]
public enum ResolveFlags : ulong
{
    None = 0,
    RESOLVE_NO_XDEV = 0x1,
    RESOLVE_NO_MAGICLINKS = 0x2,
    RESOLVE_NO_SYMLINKS = 0x4,
    RESOLVE_BENEATH = 0x8,
    RESOLVE_IN_ROOT = 0x10,
    RESOLVE_CACHED = 0x20,
}

/// <summary>R_OK, W_OK, X_OK of access(2); also the mask of a permission check.</summary>
[Flags]
public enum AccessMode
{
    F_OK = 0,
    X_OK = 1,
    W_OK = 2,
    R_OK = 4,
}

/// <summary>SEEK_* of lseek(2).</summary>
public enum SeekWhence
{
    SEEK_SET = 0,
    SEEK_CUR = 1,
    SEEK_END = 2,
    SEEK_DATA = 3,
    SEEK_HOLE = 4,
}

/// <summary>F_* commands of fcntl(2).</summary>
public enum FcntlCommand
{
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_SETOWN = 8,
    F_GETOWN = 9,
    F_SETSIG = 10,
    F_GETSIG = 11,
    F_SETOWN_EX = 15,
    F_GETOWN_EX = 16,
    F_OFD_GETLK = 36,
    F_OFD_SETLK = 37,
    F_OFD_SETLKW = 38,
    F_SETLEASE = 1024,
    F_GETLEASE = 1025,
    F_NOTIFY = 1026,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
    F_ADD_SEALS = 1033,
    F_GET_SEALS = 1034,
    F_GET_RW_HINT = 1035,
    F_SET_RW_HINT = 1036,
}

/// <summary>F_SEAL_* of fcntl(2).</summary>
[Flags]
public enum FileSeals
{
    None = 0,
    F_SEAL_SEAL = 0x1,
    F_SEAL_SHRINK = 0x2,
    F_SEAL_GROW = 0x4,
    F_SEAL_WRITE = 0x8,
    F_SEAL_FUTURE_WRITE = 0x10,
    F_SEAL_EXEC = 0x20,
}

/// <summary>MFD_* of memfd_create(2).</summary>
[Flags]
public enum MemfdFlags : uint
{
    None = 0,
    MFD_CLOEXEC = 0x1,
    MFD_ALLOW_SEALING = 0x2,
    MFD_HUGETLB = 0x4,
    MFD_NOEXEC_SEAL = 0x8,
    MFD_EXEC = 0x10,
}

/// <summary>RENAME_* of renameat2(2).</summary>
[Flags]
public enum RenameFlags : uint
{
    None = 0,
    RENAME_NOREPLACE = 1,
    RENAME_EXCHANGE = 2,
    RENAME_WHITEOUT = 4,
}

/// <summary>FALLOC_FL_* of fallocate(2).</summary>
[Flags]
public enum FallocateMode
{
    None = 0,
    FALLOC_FL_KEEP_SIZE = 0x1,
    FALLOC_FL_PUNCH_HOLE = 0x2,
    FALLOC_FL_COLLAPSE_RANGE = 0x8,
    FALLOC_FL_ZERO_RANGE = 0x10,
    FALLOC_FL_INSERT_RANGE = 0x20,
    FALLOC_FL_UNSHARE_RANGE = 0x40,
}

/// <summary>LOCK_* of flock(2).</summary>
[Flags]
public enum FlockOperation
{
    LOCK_SH = 1,
    LOCK_EX = 2,
    LOCK_NB = 4,
    LOCK_UN = 8,
}

/// <summary>F_RDLCK, F_WRLCK, F_UNLCK of struct flock.</summary>
public enum FileLockType : short
{
    F_RDLCK = 0,
    F_WRLCK = 1,
    F_UNLCK = 2,
}

/// <summary>STATX_* of statx(2).</summary>
[Flags]
public enum StatxMask : uint
{
    None = 0,
    STATX_BASIC_STATS = 0x7FF,
    STATX_BTIME = 0x800,
    STATX_MNT_ID = 0x1000,
    STATX__RESERVED = 0x80000000,
}

/// <summary>XATTR_* of setxattr(2).</summary>
[Flags]
public enum XattrFlags
{
    None = 0,
    XATTR_CREATE = 1,
    XATTR_REPLACE = 2,
}

/// <summary>CLOSE_RANGE_* of close_range(2).</summary>
[Flags]
public enum CloseRangeFlags : uint
{
    None = 0,
    CLOSE_RANGE_UNSHARE = 2,
    CLOSE_RANGE_CLOEXEC = 4,
}

/// <summary>RWF_* of preadv2(2).</summary>
[Flags]
public enum ReadWriteFlags
{
    None = 0,
    RWF_HIPRI = 0x1,
    RWF_DSYNC = 0x2,
    RWF_SYNC = 0x4,
    RWF_NOWAIT = 0x8,
    RWF_APPEND = 0x10,
}

/// <summary>MS_* of mount(2).</summary>
[Flags]
public enum MountFlags : ulong
{
    None = 0,
    MS_RDONLY = 1,
    MS_NOSUID = 2,
    MS_NODEV = 4,
    MS_NOEXEC = 8,
    MS_SYNCHRONOUS = 16,
    MS_REMOUNT = 32,
    MS_MANDLOCK = 64,
    MS_DIRSYNC = 128,
    MS_NOSYMFOLLOW = 256,
    MS_NOATIME = 1024,
    MS_NODIRATIME = 2048,
    MS_BIND = 4096,
    MS_MOVE = 8192,
    MS_REC = 16384,
    MS_SILENT = 32768,
    MS_UNBINDABLE = 1 << 17,
    MS_PRIVATE = 1 << 18,
    MS_SLAVE = 1 << 19,
    MS_SHARED = 1 << 20,
    MS_RELATIME = 1 << 21,
    MS_STRICTATIME = 1 << 24,
    MS_LAZYTIME = 1 << 25,
}

/// <summary>MNT_* and UMOUNT_* of umount2(2).</summary>
[Flags]
public enum UnmountFlags
{
    None = 0,
    MNT_FORCE = 1,
    MNT_DETACH = 2,
    MNT_EXPIRE = 4,
    UMOUNT_NOFOLLOW = 8,
}

/// <summary>DT_* of readdir(3): the file type bits of st_mode, shifted right by 12.</summary>
public enum DirectoryEntryType : byte
{
    DT_UNKNOWN = 0,
    DT_FIFO = 1,
    DT_CHR = 2,
    DT_DIR = 4,
    DT_BLK = 6,
    DT_REG = 8,
    DT_LNK = 10,
    DT_SOCK = 12,
}

/// <summary>Device numbers (makedev(3)), in the encoding that stat(2) shows.</summary>
public static class DeviceNumber
{
    /// <summary>Makes one.</summary>
    public static ulong Make(uint major, uint minor) =>
        (ulong)(major & 0xFFF) << 8 | ((ulong)(major & 0xFFFFF000) << 32) | (minor & 0xFF) | ((ulong)(minor & 0xFFFFFF00) << 12);

    /// <summary>The major number.</summary>
    public static uint Major(ulong device) => (uint)(device >> 8 & 0xFFF) | (uint)(device >> 32 & 0xFFFFF000);

    /// <summary>The minor number.</summary>
    public static uint Minor(ulong device) => (uint)(device & 0xFF) | (uint)(device >> 12 & 0xFFFFFF00);
}
