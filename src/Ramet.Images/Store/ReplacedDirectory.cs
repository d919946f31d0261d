using Ramet.Host;

namespace Ramet.Images.Store;

/// <summary>Directories that are replaced under a lock (<see cref="WholeDirectory"/>), as those who only read them see it.</summary>
public static class ReplacedDirectory
{
    /// <summary>Puts back what a killed process was about to replace. Whoever replaces it now is left alone. True: it is there.</summary>
    /// <param name="path">The directory.</param>
    /// <param name="lockFile">Held by whoever replaces it.</param>
    public static bool TryRecover(string path, string lockFile)
    {
        if (Directory.Exists(path) || !WholeDirectory.ListHalfReplaced(Path.GetDirectoryName(path)!).Contains(path, StringComparer.Ordinal)) return false;
        try
        {
            using var held = FileLock.TryAcquire(lockFile);
            return held is not null && WholeDirectory.Recover(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
