using System.Text;

namespace Ramet.Kernel.Loading;

/// <summary>The first line of a script: <c>#! interpreter [argument]</c> (execve(2), "Interpreter scripts").</summary>
/// <param name="Interpreter">Path of the interpreter.</param>
/// <param name="Argument">The rest of the line as one argument, or null.</param>
public sealed record ScriptLine(string Interpreter, string? Argument)
{
    /// <summary>Bytes at the start of a file that decide how it is run (BINPRM_BUF_SIZE).</summary>
    public const int BufferSize = 256;

    /// <summary>Whether these first bytes are those of a script.</summary>
    public static bool IsScript(ReadOnlySpan<byte> start) => start.StartsWith("#!"u8);

    /// <summary>Reads the line from the first <see cref="BufferSize"/> bytes of a file; null: ENOEXEC (no name, or a name that does not end within them).</summary>
    public static ScriptLine? Parse(ReadOnlySpan<byte> start)
    {
        if (!IsScript(start)) return null;
        bool whole = start.Length < BufferSize;
        var line = start[2..Math.Min(start.Length, BufferSize)];
        int end = line.IndexOfAny((byte)'\n', (byte)0);
        bool terminated = end >= 0 || whole;
        if (end >= 0) line = line[..end];
        line = line.TrimStart(" \t"u8);
        int nameEnd = line.IndexOfAny((byte)' ', (byte)'\t');
        if (nameEnd < 0 && !terminated) return null;
        line = line.TrimEnd(" \t"u8);
        nameEnd = line.IndexOfAny((byte)' ', (byte)'\t');
        var name = nameEnd < 0 ? line : line[..nameEnd];
        if (name.IsEmpty) return null;
        var argument = nameEnd < 0 ? default : line[nameEnd..].TrimStart(" \t"u8);
        return new ScriptLine(Encoding.Latin1.GetString(name), argument.IsEmpty ? null : Encoding.Latin1.GetString(argument));
    }
}
