namespace Ramet.Host;

/// <summary>
/// Directories that are there whole or not at all. One is made under another name beside its own, <see cref="NewTemporary"/>, and takes the place of what is there in one step, so that a kill at any moment
/// leaves one of the two. Only one at a time may do this for a path; a lock is the caller's.
/// </summary>
public static class WholeDirectory
{
    private const string Temporary = ".tmp-", Replaced = ".old-";
    private const int DigitsOfGuid = 32;

    /// <summary>A new name beside a directory's own, to make it under: .tmp-NAME-GUID.</summary>
    public static string NewTemporary(string path) => Beside(path, Temporary);

    /// <summary>Of which directory something is that <see cref="NewTemporary"/> has named; null: it is nothing such.</summary>
    public static string? NameOfTemporary(string path) => NameOf(path, Temporary);

    /// <summary>Makes all that is in a directory durable, and puts it in the place of another, or where none is. What was there is under the name of the new one then, to be deleted.</summary>
    /// <param name="made">The new one, complete; on the file system of the other.</param>
    /// <param name="path">The name that it gets.</param>
    /// <exception cref="HostException">It cannot be written to disk, or not get its name.</exception>
    /// <exception cref="IOException">It cannot get its name.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not get its name.</exception>
    public static void Replace(string made, string path)
    {
        Synchronize(made);
        if (!Directory.Exists(path)) Directory.Move(made, path);
        else if (!TryExchange(made, path)) ReplaceInSteps(made, path);
        FileDescriptor.SynchronizeDirectory(Parent(path));
    }

    /// <summary>For file systems that cannot exchange two names (NFS, some of FUSE): a kill after the first step leaves what <see cref="Recover"/> puts back.</summary>
    internal static void ReplaceInSteps(string made, string path)
    {
        string old = Beside(path, Replaced);
        Directory.Move(path, old);
        Directory.Move(made, path);
        Directory.Move(old, made);
    }

    /// <summary>Directories of a directory whose replacement was not finished, or is under way: their paths.</summary>
    public static IReadOnlyList<string> ListHalfReplaced(string parent) => !Directory.Exists(parent) ? [] :
        [.. Directory.EnumerateDirectories(parent, Replaced + "*").Select(old => NameOf(old, Replaced)).OfType<string>().Distinct(StringComparer.Ordinal).Select(name => Path.Combine(parent, name))];

    /// <summary>Puts back what a killed process had moved away to replace it; when the new one is there already, deletes it. Whoever calls it has the lock. True: the directory is there.</summary>
    /// <exception cref="IOException">It cannot be moved or deleted.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be moved or deleted.</exception>
    public static bool Recover(string path)
    {
        string name = Path.GetFileName(path);
        foreach (string old in Directory.GetDirectories(Parent(path), Replaced + "*"))
        {
            if (NameOf(old, Replaced) != name) continue;
            if (Directory.Exists(path)) Directory.Delete(old, recursive: true);
            else Directory.Move(old, path);
        }

        return Directory.Exists(path);
    }

    /// <summary>renameat2(2), RENAME_EXCHANGE.</summary>
    private static bool TryExchange(string one, string other)
    {
        if (Libc.Syscall(Libc.SYS_renameat2, Libc.AT_FDCWD, one, Libc.AT_FDCWD, other, Libc.RENAME_EXCHANGE) == 0) return true;
        var failed = HostException.FromErrno($"Exchanging {one} and {other}");
        return failed.Errno is not (Libc.EINVAL or Libc.ENOSYS) ? throw failed : false;
    }

    private static void Synchronize(string directory)
    {
        foreach (string path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            using var file = FileDescriptor.OpenRead(path);
            file.Synchronize();
        }

        foreach (string path in Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories)) FileDescriptor.SynchronizeDirectory(path);
        FileDescriptor.SynchronizeDirectory(directory);
    }

    private static string Parent(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;

    private static string Beside(string path, string prefix) => Path.Combine(Parent(path), $"{prefix}{Path.GetFileName(path)}-{Guid.NewGuid():n}");

    /// <summary>The name between a prefix and a GUID: with 'a-b' about, not all that begins with .tmp-a- is of 'a'.</summary>
    private static string? NameOf(string path, string prefix)
    {
        string name = Path.GetFileName(path);
        int end = name.Length - DigitsOfGuid - 1;
        return end > prefix.Length && name.StartsWith(prefix, StringComparison.Ordinal) && name[end] == '-'
            && Guid.TryParseExact(name.AsSpan(end + 1), "N", out _) ? name[prefix.Length..end] : null;
    }
}
