using System.Text;
using Ramet.Kernel.Platform;

namespace Ramet.Cli.Output;

/// <summary>Prints system calls as they end.</summary>
internal sealed class StraceWriter : ISyscallTracer
{
    /// <inheritdoc/>
    public void OnSyscall(int tid, string text)
    {
        try
        {
            StandardStream.Write(2, Encoding.UTF8.GetBytes($"[{tid}] {text}\n"));
        }
        catch (Exception e) when (e is IOException or Host.HostException)
        {
            // Nobody reads: the program goes on.
        }
    }
}
