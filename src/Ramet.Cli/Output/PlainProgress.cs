using Ramet.Images;

namespace Ramet.Cli.Output;

/// <summary>Progress when stderr is not a terminal: one line for each step.</summary>
internal sealed class PlainProgress : IProgress<BuildStep>
{
    private string? _last;

    /// <inheritdoc/>
    public void Report(BuildStep value)
    {
        if (Interlocked.Exchange(ref _last, value.Text) != value.Text) Message.Write(value.Text);
    }
}
