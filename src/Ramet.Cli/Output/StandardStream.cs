using System.Text;
using Ramet.Host;

namespace Ramet.Cli.Output;

/// <summary>Nobody reads our stdout any more.</summary>
internal sealed class BrokenPipeException() : IOException("Nobody reads the output any more.");

/// <summary>
/// The process's own stdin, stdout and stderr as they are: write(2) at the position that other holders of the same open file share, bytes as they come, and an error when the
/// reader is gone. Console's streams translate, buffer and keep quiet about the last.
/// </summary>
internal static class StandardStream
{
    private const int EAgain = -11, EPipe = -32;

    private static readonly FileDescriptor[] s_descriptors = [new(0), new(1), new(2)];

    /// <summary>Reads stdin; 0 at its end. Waits.</summary>
    /// <exception cref="HostException">stdin cannot be read.</exception>
    public static int ReadInput(Span<byte> buffer)
    {
        while (true)
        {
            int count = s_descriptors[0].TryRead(buffer);
            if (count >= 0) return count;
            if (count != EAgain) throw HostException.FromErrno("Reading stdin", -count);
            Thread.Sleep(1);
        }
    }

    /// <summary>Writes all bytes to stdout (1) or stderr (2). Waits while the reader is slow, also when somebody made the pipe non-blocking.</summary>
    /// <exception cref="BrokenPipeException">Nobody reads any more.</exception>
    /// <exception cref="HostException">The bytes cannot be written, for example because the disk is full.</exception>
    public static void Write(int stream, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int count = s_descriptors[stream].TryWrite(bytes);
            if (count >= 0) bytes = bytes[count..];
            else if (count == EPipe) throw new BrokenPipeException();
            else if (count == EAgain) Thread.Sleep(1);
            else throw HostException.FromErrno(stream == 1 ? "Writing to stdout" : "Writing to stderr", -count);
        }
    }

    /// <summary>Writes text as UTF-8.</summary>
    public static void Write(int stream, string text) => Write(stream, Encoding.UTF8.GetBytes(text));

    /// <summary>All of stdin.</summary>
    /// <exception cref="HostException">stdin cannot be read.</exception>
    public static byte[] ReadAllInput()
    {
        using var all = new MemoryStream();
        var buffer = new byte[65536];
        for (int count; (count = ReadInput(buffer)) > 0;) all.Write(buffer, 0, count);
        return all.ToArray();
    }

    /// <summary>Whether stdin (0), stdout (1) or stderr (2) is a terminal.</summary>
    public static bool IsTerminal(int stream)
    {
        // Only what may be a terminal is asked properly: Console costs milliseconds.
        string? target = new FileInfo($"/proc/self/fd/{stream}").LinkTarget;
        if (target?.StartsWith("/dev/", StringComparison.Ordinal) != true || target == "/dev/null") return false;
        return !(stream switch
        {
            0 => Console.IsInputRedirected,
            1 => Console.IsOutputRedirected,
            _ => Console.IsErrorRedirected,
        });
    }
}
