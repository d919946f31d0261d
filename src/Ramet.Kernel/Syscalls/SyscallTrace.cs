using System.Text;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>The memory that tracing looks at.</summary>
internal interface ITraceMemory
{
    /// <summary>Copies bytes; returns how many could be read.</summary>
    int Read(ulong address, Span<byte> destination);
}

/// <summary>The memory of a thread.</summary>
internal sealed class ThreadTraceMemory(PosixThread thread) : ITraceMemory
{
    public int Read(ulong address, Span<byte> destination) => thread.Memory.User.Read(new UserAddress(address), destination);
}

/// <summary>One line of a trace in the making, as strace(1) prints it. Generated code adds the arguments.</summary>
internal sealed class SyscallTrace(ITraceMemory memory, string name)
{
    /// <summary>Bytes of a buffer that are shown.</summary>
    private const int Shown = 32;

    /// <summary>AT_FDCWD.</summary>
    private const int WorkingDirectory = -100;

    private readonly StringBuilder _text = new StringBuilder(name).Append('(');
    private bool _any;

    public void Signed(long value) => Next().Append(value);

    /// <summary>A size or a count; what cannot be one (-1) is in hexadecimal.</summary>
    public void Unsigned(ulong value)
    {
        if (value <= long.MaxValue) Next().Append(value);
        else Hex(value);
    }

    public void Hex(ulong value) => AppendHex(Next(), value);

    public void Address(ulong value) => AppendAddress(Next(), value);

    public void Directory(int descriptor)
    {
        if (descriptor == WorkingDirectory) Next().Append("AT_FDCWD");
        else Signed(descriptor);
    }

    public void Enum(ulong value, TraceEnum names) => names.Append(Next(), value);

    public void Path(ulong address)
    {
        Next();
        var bytes = new List<byte>();
        Span<byte> piece = stackalloc byte[256];
        while (address != 0 && bytes.Count < UserMemory.PathMax)
        {
            // Never past the end of the page: the next one may not be there, and the path may end in this one.
            ulong from = address + (ulong)bytes.Count;
            int wanted = (int)Math.Min((ulong)piece.Length, 4096 - (from & 4095));
            int got = memory.Read(from, piece[..wanted]);
            if (got <= 0) break;
            int end = piece[..got].IndexOf((byte)0);
            bytes.AddRange(piece[..(end < 0 ? got : end)]);
            if (end < 0) continue;
            AppendQuoted(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes), cut: false);
            return;
        }

        AppendAddress(_text, address);
    }

    /// <summary>A buffer that the call reads.</summary>
    public void In(ulong address, ulong length)
    {
        Next();
        // A length that was negative is nobody's: the address says more.
        if (length > long.MaxValue) AppendAddress(_text, address);
        else AppendBuffer(address, length);
    }

    /// <summary>A buffer that the call fills.</summary>
    public void Out(ulong address, long? result)
    {
        Next();
        if (result is { } count and >= 0) AppendBuffer(address, (ulong)count);
        else AppendAddress(_text, address);
    }

    public string End() => _text.Append(')').ToString();

    /// <summary>What follows the call: " = 3", " = -1 ENOENT (No such file or directory)", " = ?".</summary>
    public static string FormatOutcome(int number, SyscallResult result)
    {
        if (result.IsBlocked) return " <unfinished ...>";
        if (result.IsNoReturn) return " = ?";
        if (result.IsError && SyscallTraceErrors.RestartName(-result.Value) is { } restart) return $" = ? {restart}";
        if (result.IsError) return $" = -1 {result.Error} ({SyscallTraceErrors.Describe(result.Error)})";
        bool isAddress = (SyscallNumber)number is SyscallNumber.mmap or SyscallNumber.mremap or SyscallNumber.brk or SyscallNumber.shmat;
        return isAddress ? $" = 0x{result.Value:x}" : $" = {result.Value}";
    }

    private StringBuilder Next()
    {
        if (_any) _text.Append(", ");
        _any = true;
        return _text;
    }

    private void AppendBuffer(ulong address, ulong length)
    {
        Span<byte> bytes = stackalloc byte[Shown];
        int wanted = (int)Math.Min(length, Shown);
        if (address == 0 || memory.Read(address, bytes[..wanted]) < wanted)
        {
            AppendAddress(_text, address);
            return;
        }

        AppendQuoted(bytes[..wanted], cut: length > Shown);
    }

    private void AppendQuoted(ReadOnlySpan<byte> bytes, bool cut)
    {
        _text.Append('"');
        for (int i = 0; i < bytes.Length; i++)
        {
            string? escape = bytes[i] switch
            {
                (byte)'"' => "\\\"",
                (byte)'\\' => "\\\\",
                (byte)'\n' => "\\n",
                (byte)'\r' => "\\r",
                (byte)'\t' => "\\t",
                (byte)'\v' => "\\v",
                (byte)'\f' => "\\f",
                _ => null,
            };
            if (escape is not null) _text.Append(escape);
            else if (bytes[i] is >= 0x20 and < 0x7F) _text.Append((char)bytes[i]);
            else AppendOctal(bytes[i], full: i + 1 < bytes.Length && bytes[i + 1] is >= (byte)'0' and <= (byte)'9');
        }

        _text.Append(cut ? "\"..." : "\"");
    }

    /// <summary>An octal escape, in full when a digit follows that would otherwise seem part of it.</summary>
    private void AppendOctal(byte value, bool full) =>
        _text.Append('\\').Append(full ? Convert.ToString(value, 8).PadLeft(3, '0') : Convert.ToString(value, 8));

    private static void AppendAddress(StringBuilder text, ulong value)
    {
        if (value == 0) text.Append("NULL");
        else AppendHex(text, value);
    }

    private static void AppendHex(StringBuilder text, ulong value) => text.Append(value == 0 ? "0" : $"0x{value:x}");
}
