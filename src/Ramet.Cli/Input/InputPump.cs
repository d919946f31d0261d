using Ramet.Cli.Output;
using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Cli.Input;

/// <summary>Passes this process's stdin on to a sandbox, no faster than its programs read.</summary>
internal static class InputPump
{
    private const int Ahead = 1 << 20;

    /// <summary>Starts a thread that pumps until the end of stdin, or of the process.</summary>
    public static void Start(Sandbox sandbox) => new Thread(() => Pump(sandbox)) { IsBackground = true, Name = "ramet stdin" }.Start();

    private static void Pump(Sandbox sandbox)
    {
        var buffer = new byte[65536];
        try
        {
            for (int count; !sandbox.HasEnded && (count = StandardStream.ReadInput(buffer)) > 0;)
            {
                sandbox.WriteInput(buffer.AsSpan(0, count));
                for (int wait = 1; !sandbox.HasEnded && Unread(sandbox) > Ahead; wait = Math.Min(wait * 2, 16)) Thread.Sleep(wait);
            }
        }
        catch (HostException e)
        {
            // A directory as stdin, for example: to the program it is empty.
            Message.Write(e.Message);
        }
        catch (ObjectDisposedException)
        {
            return; // The sandbox ended meanwhile.
        }

        sandbox.CloseInput();
    }

    private static long Unread(Sandbox sandbox)
    {
        lock (sandbox.Kernel.Lock) return sandbox.Kernel.HostStreams.Input.Count;
    }
}
