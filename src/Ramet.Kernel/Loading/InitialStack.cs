using System.Buffers.Binary;
using System.Text;

namespace Ramet.Kernel.Loading;

/// <summary>
/// The stack that a program finds at its entry point: argc, argv, envp and the auxiliary vector at RSP, the strings above (System V ABI, AMD64 supplement, 3.4.1).
/// The order of the strings is that of Linux, as programs that rewrite their command line rely on it: argv and envp without gaps, in ascending order.
/// </summary>
public sealed class InitialStack
{
    private readonly byte[] _bytes;

    private InitialStack(byte[] bytes) => _bytes = bytes;

    /// <summary>RSP at the entry point; a multiple of 16.</summary>
    public ulong StackPointer { get; private init; }

    /// <summary>Bytes from <see cref="StackPointer"/> up to the end of the stack.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Where the strings of argv start (/proc/self/cmdline), and end.</summary>
    public (ulong Start, ulong End) ArgumentStrings { get; private init; }

    /// <summary>Where the strings of envp start (/proc/self/environ), and end.</summary>
    public (ulong Start, ulong End) EnvironmentStrings { get; private init; }

    /// <summary>The auxiliary vector as in memory (/proc/self/auxv).</summary>
    public byte[] AuxiliaryVector { get; private init; } = [];

    /// <summary>Builds the stack.</summary>
    /// <param name="top">End of the stack, a multiple of 16.</param>
    /// <param name="arguments">Strings; they have been checked to fit.</param>
    /// <param name="auxiliary">The auxiliary vector without AT_RANDOM, AT_EXECFN, AT_PLATFORM and AT_NULL, which are added here.</param>
    /// <param name="random">16 random bytes for AT_RANDOM.</param>
    /// <param name="shift">Random bytes to leave free below the strings (0 to 8191).</param>
    public static InitialStack Build(
        ulong top, ProgramArguments arguments, IReadOnlyList<(AuxvType Type, ulong Value)> auxiliary, ReadOnlySpan<byte> random, int shift)
    {
        int argc = arguments.Arguments.Count;
        int envc = arguments.Environment.Count;
        ulong argumentLength = Length(arguments.Arguments);
        ulong environmentLength = Length(arguments.Environment);

        // From the top: eight zero bytes, the path, the strings of envp, those of argv.
        ulong path = top - 8 - (ulong)(arguments.Path.Length + 1);
        ulong environment = path - environmentLength;
        ulong argument = environment - argumentLength;
        ulong platform = ((argument - (ulong)(shift & 8191)) & ~15UL) - 16;
        ulong randomBytes = platform - 16;
        ulong words = 1 + (ulong)argc + 1 + (ulong)envc + 1 + (2 * (ulong)(auxiliary.Count + 4));
        ulong pointer = (randomBytes - (words * 8)) & ~15UL;

        byte[] bytes = new byte[(int)(top - pointer)];
        var writer = new Writer(bytes, pointer);
        writer.Word((ulong)argc);
        ulong argumentEnd = writer.Strings(arguments.Arguments, argument);
        ulong environmentEnd = writer.Strings(arguments.Environment, environment);
        int auxiliaryStart = writer.Position;
        foreach (var (type, value) in auxiliary) writer.Pair(type, value);
        writer.Pair(AuxvType.AT_RANDOM, randomBytes);
        writer.Pair(AuxvType.AT_EXECFN, path);
        writer.Pair(AuxvType.AT_PLATFORM, platform);
        writer.Pair(AuxvType.AT_NULL, 0);
        byte[] vector = bytes[auxiliaryStart..writer.Position];
        writer.Text(arguments.Path, path);
        writer.Text("x86_64", platform);
        random[..16].CopyTo(bytes.AsSpan((int)(randomBytes - pointer)));
        return new InitialStack(bytes)
        {
            StackPointer = pointer,
            ArgumentStrings = (argument, argumentEnd),
            EnvironmentStrings = (environment, environmentEnd),
            AuxiliaryVector = vector,
        };
    }

    private static ulong Length(IReadOnlyList<string> texts)
    {
        ulong length = 0;
        foreach (string text in texts) length += (ulong)text.Length + 1;
        return length;
    }

    private ref struct Writer(Span<byte> bytes, ulong start)
    {
        private readonly Span<byte> _bytes = bytes;

        public int Position { get; private set; }

        public void Word(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_bytes[Position..], value);
            Position += 8;
        }

        public void Pair(AuxvType type, ulong value)
        {
            Word((ulong)type);
            Word(value);
        }

        public readonly void Text(string text, ulong address) => Encoding.Latin1.GetBytes(text, _bytes[(int)(address - start)..]);

        /// <summary>Writes strings one after the other, and a pointer to each, and NULL.</summary>
        public ulong Strings(IReadOnlyList<string> texts, ulong address)
        {
            foreach (string text in texts)
            {
                Word(address);
                Text(text, address);
                address += (ulong)text.Length + 1;
            }

            Word(0);
            return address;
        }
    }
}
