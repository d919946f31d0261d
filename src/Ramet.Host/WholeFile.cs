namespace Ramet.Host;

/// <summary>Files that are there whole or not at all.</summary>
public static class WholeFile
{
    /// <summary>
    /// Writes a file under another name beside it, makes it durable, and gives it its name. Whatever happens meanwhile, kill -9 and a full disk too, the path holds either what it held before or all of the
    /// new file. A process that is killed leaves the other one behind: .tmp- and 32 digits.
    /// </summary>
    /// <param name="path">Where it goes; its directory must be there.</param>
    /// <param name="mode">Permission bits of a new file, less the umask.</param>
    /// <param name="write">Writes what is in it.</param>
    /// <exception cref="HostException">The file cannot be made, or not be written.</exception>
    /// <exception cref="IOException">It cannot get its name.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not get its name.</exception>
    public static void Write(string path, UnixFileMode mode, Action<FileDescriptor> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var temporary = Path.Combine(directory, $".tmp-{Guid.NewGuid():n}");
        try
        {
            using (var file = FileDescriptor.Create(temporary, (uint)mode))
            {
                write(file);
                file.Synchronize();
            }
            File.Move(temporary, path, overwrite: true);
            // The name is durable when the directory is.
            FileDescriptor.SynchronizeDirectory(directory);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
