namespace Ramet.Images.Debian;

/// <summary>
/// Notices that a disk stays full. apt's http method can wait forever, without a word, for a transfer that it could not
/// write, so somebody else has to look.
/// </summary>
internal sealed class FullDiskWatch : IDisposable
{
    private const long Full = 256 * 1024;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private const int Patience = 4; // apt empties partial files when it gives up by itself.

    private readonly DriveInfo _drive;
    private readonly Action _onFull;
    private readonly Timer _timer;
    private int _count;

    /// <param name="directory">A directory on the disk.</param>
    /// <param name="onFull">Called once, from another thread, when the disk has been full for some seconds.</param>
    public FullDiskWatch(string directory, Action onFull)
    {
        _drive = new DriveInfo(directory);
        _onFull = onFull;
        _timer = new Timer(_ => Look(), null, s_interval, s_interval);
    }

    /// <summary>Whether <c>onFull</c> was called.</summary>
    public bool IsFull { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Wait for a running callback: it uses what the caller is about to dispose.
        using var done = new ManualResetEvent(false);
        if (_timer.Dispose(done)) done.WaitOne();
    }

    private void Look()
    {
        try
        {
            // Root may use the reserved blocks.
            var free = Environment.IsPrivilegedProcess ? _drive.TotalFreeSpace : _drive.AvailableFreeSpace;
            _count = free < Full ? _count + 1 : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return; // Nothing known, nothing to report.
        }
        if (_count < Patience || IsFull) return;
        IsFull = true;
        _onFull();
    }
}
