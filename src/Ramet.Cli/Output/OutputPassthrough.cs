using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Cli.Output;

/// <summary>Passes a sandbox's output on as it comes.</summary>
internal sealed class OutputPassthrough : IOutputReceiver
{
    private volatile int _failure;

    /// <inheritdoc/>
    public void Write(int stream, ReadOnlySpan<byte> bytes)
    {
        try
        {
            StandardStream.Write(stream, bytes);
        }
        catch (BrokenPipeException)
        {
            _failure = CommandLine.BrokenPipe;
            throw;
        }
        catch (HostException e)
        {
            // A full disk, for example. The program gets SIGPIPE; the user is told why.
            _failure = CommandLine.Failure;
            Message.Write(e.Message);
            throw new IOException(e.Message, e);
        }
    }

    /// <summary>
    /// The exit code of the command, when the program's is <paramref name="exitCode"/> and its output has been passed on: not 0 if some of that was lost, which a program that had printed
    /// everything before could not know.
    /// </summary>
    public int Conclude(int exitCode) => exitCode != 0 ? exitCode : _failure;
}
