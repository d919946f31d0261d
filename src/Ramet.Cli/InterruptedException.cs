namespace Ramet.Cli;

/// <summary>A signal ended what was going on.</summary>
/// <param name="exitCode">128 + the signal.</param>
internal sealed class InterruptedException(int exitCode) : Exception("Interrupted.")
{
    /// <summary>128 + the signal.</summary>
    public int ExitCode { get; } = exitCode;
}
