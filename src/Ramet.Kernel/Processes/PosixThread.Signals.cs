namespace Ramet.Kernel.Processes;

public sealed partial class PosixThread
{
    /// <summary>Whether a signal waits that is not blocked: the current call must not wait.</summary>
    public bool SignalPending => throw new NotImplementedException();
}
