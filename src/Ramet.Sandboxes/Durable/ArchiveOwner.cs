using Ramet.Images.Store;

namespace Ramet.Sandboxes.Durable;

/// <summary>
/// A server among those that use a directory: it goes by a GUID, and holds the lock of a file of that name for as long as it lives. Numbers of processes would not tell whether one lives: two containers
/// have the same ones, and they are given anew.
/// </summary>
internal sealed class ArchiveOwner(string directory) : IDisposable
{
    private const string Prefix = ".lock-";

    private readonly Lock _lock = new();
    private IDisposable? _held;
    private string? _id;
    private bool _disposed;

    /// <summary>32 digits. The file is made when this is asked for first.</summary>
    /// <exception cref="IOException">The file cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be made.</exception>
    public string Id
    {
        get
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _id ??= Begin();
            }
        }
    }

    /// <summary>Whether no server lives that goes by this.</summary>
    public static bool IsGone(string directory, string id)
    {
        try
        {
            using var held = FileLock.TryAcquire(FileOf(directory, id), FileMode.Open);
            return held is not null;
        }
        catch (FileNotFoundException)
        {
            return true;
        }
    }

    /// <summary>Removes the files of those that live no more.</summary>
    public static void RemoveDead(string directory)
    {
        foreach (string path in Directory.EnumerateFiles(directory, Prefix + "*"))
        {
            try
            {
                using var held = FileLock.TryAcquire(path, FileMode.Open);
                if (held is not null) File.Delete(path);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Somebody else does the same.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            if (_held is null) return;
            try
            {
                File.Delete(FileOf(directory, _id!));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The next to start removes it.
            }

            _held.Dispose();
            _held = null;
        }
    }

    private string Begin()
    {
        Directory.CreateDirectory(directory);
        while (true)
        {
            string id = Guid.NewGuid().ToString("n"), path = FileOf(directory, id);
            var held = FileLock.TryAcquire(path);
            // One who looks for the dead may have come between making the file and locking it, and have removed it.
            if (held is not null && File.Exists(path))
            {
                _held = held;
                return id;
            }

            held?.Dispose();
        }
    }

    private static string FileOf(string directory, string id) => Path.Combine(directory, Prefix + id);
}
