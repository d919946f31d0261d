using System.Runtime.InteropServices;

namespace Ramet.Host;

/// <summary>A call to the host's kernel failed. The message names what was tried, the error, and what to do where that is known.</summary>
public class HostException : Exception
{
    /// <summary>Makes an exception with a complete message.</summary>
    public HostException(string message, int errno = 0)
        : base(message) => Errno = errno;

    /// <summary>Makes an exception with a complete message and its cause.</summary>
    public HostException(string message, Exception inner)
        : base(message, inner) { }

    /// <summary>The Linux error number, or 0 when there is none.</summary>
    public int Errno { get; }

    /// <summary>The exception for the call that has just failed on this thread (reads errno).</summary>
    /// <param name="what">What was tried, as the subject of a sentence: "mmap of 64 MiB".</param>
    public static HostException FromErrno(string what) => FromErrno(what, Marshal.GetLastPInvokeError());

    /// <summary>The exception for a call that failed with this error number.</summary>
    public static HostException FromErrno(string what, int errno) =>
        new($"{what} failed: {Name(errno)} ({Marshal.GetPInvokeErrorMessage(errno)}).{Advice(errno)}", errno);

    /// <summary>The symbol of a Linux error number, such as ENOENT.</summary>
    public static string Name(int errno) => errno switch
    {
        1 => "EPERM",
        2 => "ENOENT",
        3 => "ESRCH",
        4 => "EINTR",
        5 => "EIO",
        6 => "ENXIO",
        7 => "E2BIG",
        9 => "EBADF",
        11 => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        14 => "EFAULT",
        16 => "EBUSY",
        17 => "EEXIST",
        19 => "ENODEV",
        20 => "ENOTDIR",
        21 => "EISDIR",
        22 => "EINVAL",
        23 => "ENFILE",
        24 => "EMFILE",
        25 => "ENOTTY",
        26 => "ETXTBSY",
        27 => "EFBIG",
        28 => "ENOSPC",
        29 => "ESPIPE",
        30 => "EROFS",
        32 => "EPIPE",
        36 => "ENAMETOOLONG",
        38 => "ENOSYS",
        40 => "ELOOP",
        75 => "EOVERFLOW",
        95 => "EOPNOTSUPP",
        110 => "ETIMEDOUT",
        _ => $"errno {errno}",
    };

    private static string Advice(int errno) => errno switch
    {
        12 => " Free memory on the host, or lower the memory limit; many mappings also need a higher vm.max_map_count.",
        23 => " The host has run out of open files: raise fs.file-max.",
        24 => " The process has run out of open files: raise the limit (ulimit -n).",
        28 => " The disk is full: free space and try again.",
        _ => "",
    };
}
