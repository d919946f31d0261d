namespace Ramet.Kernel.Files;

public abstract partial class FileDescription
{
    /// <summary>Whom signals about it go to; null until somebody asks (fcntl(2) F_SETOWN, F_SETSIG, O_ASYNC).</summary>
    internal FileSignals? Signals { get; private set; }

    /// <summary>Whether O_ASYNC sends signals: pipes, sockets, terminals and inotify. On other files it cannot be set.</summary>
    internal virtual bool SupportsAsync => false;

    /// <summary><see cref="Signals"/>, made when it is not there.</summary>
    internal FileSignals GetSignals(Kernel kernel) => Signals ??= new FileSignals(kernel, this);
}
