using Ramet.Images;

namespace Ramet.Cli.Output;

/// <summary>Shows the steps of a build on stderr: live when it is a terminal, else line by line. Costs nothing until the first step.</summary>
internal sealed class BuildProgress : IProgress<BuildStep>, IDisposable
{
    private IProgress<BuildStep>? _display;

    /// <summary>Whether anything was built.</summary>
    public bool WasUsed => _display is not null;

    /// <inheritdoc/>
    public void Report(BuildStep value) => (_display ??= CreateDisplay()).Report(value);

    /// <inheritdoc/>
    public void Dispose() => (_display as IDisposable)?.Dispose();

    private static IProgress<BuildStep> CreateDisplay() =>
        StandardStream.IsTerminal(2) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb") ? CreateTerminalDisplay() : new PlainProgress();

    // A method of its own: the library is loaded when it runs.
    private static TerminalProgress CreateTerminalDisplay() => new();
}
