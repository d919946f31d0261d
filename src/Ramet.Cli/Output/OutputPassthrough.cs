using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Cli.Output;

/// <summary>Passes a sandbox's output on as it comes.</summary>
internal sealed class OutputPassthrough : IOutputReceiver
{
    /// <inheritdoc/>
    public void Write(int stream, ReadOnlySpan<byte> bytes)
    {
        try
        {
            StandardStream.Write(stream, bytes);
        }
        catch (HostException e)
        {
            // A full disk, for example. The program gets SIGPIPE; the user is told why.
            Message.Write(e.Message);
            throw new IOException(e.Message, e);
        }
    }
}
