using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct stat of stat(2) on x86-64 (arch/x86/include/uapi/asm/stat.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Stat
{
    public ulong st_dev;
    public ulong st_ino;
    public ulong st_nlink;
    public uint st_mode;
    public uint st_uid;
    public uint st_gid;
    public uint __pad0;
    public ulong st_rdev;
    public long st_size;
    public long st_blksize;
    public long st_blocks;
    public long st_atime;
    public long st_atime_nsec;
    public long st_mtime;
    public long st_mtime_nsec;
    public long st_ctime;
    public long st_ctime_nsec;
    public long __unused0;
    public long __unused1;
    public long __unused2;
}

/// <summary>struct statx_timestamp (include/uapi/linux/stat.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StatxTimestamp
{
    public long tv_sec;
    public uint tv_nsec;
    public int __reserved;
}

/// <summary>struct statx of statx(2) (include/uapi/linux/stat.h).</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
public struct Statx
{
    public uint stx_mask;
    public uint stx_blksize;
    public ulong stx_attributes;
    public uint stx_nlink;
    public uint stx_uid;
    public uint stx_gid;
    public ushort stx_mode;
    public ushort __spare0;
    public ulong stx_ino;
    public ulong stx_size;
    public ulong stx_blocks;
    public ulong stx_attributes_mask;
    public StatxTimestamp stx_atime;
    public StatxTimestamp stx_btime;
    public StatxTimestamp stx_ctime;
    public StatxTimestamp stx_mtime;
    public uint stx_rdev_major;
    public uint stx_rdev_minor;
    public uint stx_dev_major;
    public uint stx_dev_minor;
    public ulong stx_mnt_id;
    public uint stx_dio_mem_align;
    public uint stx_dio_offset_align;
}

/// <summary>struct statfs of statfs(2) (include/uapi/asm-generic/statfs.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StatFs
{
    public long f_type;
    public long f_bsize;
    public ulong f_blocks;
    public ulong f_bfree;
    public ulong f_bavail;
    public ulong f_files;
    public ulong f_ffree;
    public int f_fsid0;
    public int f_fsid1;
    public long f_namelen;
    public long f_frsize;
    public long f_flags;
    public long f_spare0;
    public long f_spare1;
    public long f_spare2;
    public long f_spare3;
}

/// <summary>struct flock of fcntl(2) (include/uapi/asm-generic/fcntl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Flock
{
    public short l_type;
    public short l_whence;
    public long l_start;
    public long l_len;
    public int l_pid;
}

/// <summary>struct f_owner_ex of fcntl(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FileOwner
{
    public int type;
    public int pid;
}

/// <summary>struct open_how of openat2(2) (include/uapi/linux/openat2.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct OpenHow
{
    public ulong flags;
    public ulong mode;
    public ulong resolve;
}

/// <summary>struct utimbuf of utime(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct UtimBuf
{
    public long actime;
    public long modtime;
}

/// <summary>struct iovec of readv(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoVec
{
    public ulong iov_base;
    public ulong iov_len;
}
