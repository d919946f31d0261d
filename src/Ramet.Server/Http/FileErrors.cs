using Ramet.Abi;

namespace Ramet.Server.Http;

/// <summary>Errno of a file operation, for people.</summary>
internal static class FileErrors
{
    /// <summary>A sentence.</summary>
    public static string Explain(string path, Errno error)
    {
        string what = error switch
        {
            Errno.ENOENT => "there is no such file or directory",
            Errno.EEXIST => "there is something of this name already",
            Errno.ENOTDIR => "a part of the path is not a directory",
            Errno.EISDIR => "it is a directory",
            Errno.ENOTEMPTY => "the directory is not empty; set recursive=true to remove all below it",
            Errno.ENOSPC or Errno.ENOMEM => "the sandbox's memory is full; make it with a larger memory_mb",
            Errno.EINVAL => "this cannot be the path of a regular file",
            Errno.ENAMETOOLONG => "a name is longer than 255 bytes, or the path too long",
            Errno.ELOOP => "too many symbolic links",
            Errno.EROFS => "the file system is read-only",
            Errno.EBUSY => "it is in use: a mount point, or the root",
            Errno.EXDEV => "the two paths are on different file systems",
            Errno.EACCES or Errno.EPERM => "this is not permitted",
            Errno.EFBIG => "the file would be too large",
            _ => "it cannot be done",
        };
        return $"'{Json.Shorten(path.Replace("\0", "\\0", StringComparison.Ordinal))}': {what} ({error}).";
    }

    /// <summary>The HTTP status that fits.</summary>
    public static int StatusOf(Errno error) => error switch
    {
        Errno.ENOENT => 404,
        Errno.EEXIST or Errno.ENOTEMPTY or Errno.EBUSY => 409,
        Errno.ENOSPC or Errno.ENOMEM or Errno.EFBIG => 507,
        _ => 400,
    };

    /// <summary>The problem.</summary>
    public static ProblemException Problem(string path, Errno error) => new(StatusOf(error), "The file cannot be used", Explain(path, error));
}
