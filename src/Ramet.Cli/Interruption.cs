using System.Runtime.InteropServices;

namespace Ramet.Cli;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP, turned into a cancellation: a build removes what it has begun, a sandbox ends, and the process leaves with 128 + signal. The second signal
/// does not wait for that.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _exitCode;

    public Interruption()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
        ];
    }

    /// <summary>Set when a signal came.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>128 + the signal that came; 0: none.</summary>
    public int ExitCode => Volatile.Read(ref _exitCode);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        int code = 128 + context.Signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => 2,
            _ => 15,
        };
        context.Cancel = true;
        if (Interlocked.CompareExchange(ref _exitCode, code, 0) != 0) Environment.Exit(code);
        _source.Cancel();
    }
}
