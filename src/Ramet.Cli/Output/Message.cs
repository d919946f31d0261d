using Ramet.Host;

namespace Ramet.Cli.Output;

/// <summary>What Ramet itself has to say: lines on stderr that begin with its name.</summary>
internal static class Message
{
    /// <summary>Writes one line. If nobody listens, so be it.</summary>
    public static void Write(string text)
    {
        try
        {
            StandardStream.Write(2, $"ramet: {OneLine(text)}\n");
        }
        catch (Exception e) when (e is IOException or HostException)
        {
        }
    }

    private static string OneLine(string text) =>
        text.AsSpan().ContainsAny('\n', '\r') ? string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)) : text;
}
