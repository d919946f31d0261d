namespace Ramet.Images.Store;

/// <summary>
/// A lock between processes: flock(2) on a file, which .NET takes for FileShare.None. The system releases it when its
/// holder ends, however that comes, so no lock can be stale. The file stays; its presence means nothing.
/// </summary>
public static class FileLock
{
    /// <summary>Takes the lock, waiting for its holder.</summary>
    /// <param name="path">The lock file.</param>
    /// <param name="onWait">Called once when somebody else holds the lock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<IDisposable> AcquireAsync(string path, Action? onWait, CancellationToken cancellationToken)
    {
        for (var first = true; ; first = false)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TryAcquire(path) is { } held) return held;
            if (first) onWait?.Invoke();
            await Task.Delay(50, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes the lock if it is free.</summary>
    /// <param name="path">The lock file.</param>
    /// <param name="mode">What to do when it is not there.</param>
    public static IDisposable? TryAcquire(string path, FileMode mode = FileMode.OpenOrCreate)
    {
        const int EWouldBlock = 11;
        try
        {
            return new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (e.HResult == EWouldBlock)
        {
            return null;
        }
    }
}
