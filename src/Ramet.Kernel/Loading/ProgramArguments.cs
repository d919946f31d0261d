namespace Ramet.Kernel.Loading;

/// <summary>What execve(2) hands to a program. Strings are bytes held as Latin-1 characters.</summary>
/// <param name="Arguments">argv; never empty.</param>
/// <param name="Environment">envp.</param>
/// <param name="Path">The path that was executed (AT_EXECFN): for a script, the script's.</param>
public sealed record ProgramArguments(IReadOnlyList<string> Arguments, IReadOnlyList<string> Environment, string Path)
{
    /// <summary>Longest single string with its NUL (MAX_ARG_STRLEN): 32 pages.</summary>
    public const int MaxStringLength = 131072;

    /// <summary>Space that programs always have, however small their stack limit (ARG_MAX).</summary>
    private const ulong MinSpace = 131072;

    /// <summary>Most space, however large the stack limit: three quarters of the default stack.</summary>
    private const ulong MaxSpace = 6UL << 20;

    /// <summary>Space for strings and pointers, bytes: a quarter of the stack limit, within bounds (execve(2), "Limits on size of arguments and environment").</summary>
    public static ulong Space(ulong stackLimit) => Math.Max(MinSpace, Math.Min(stackLimit / 4, MaxSpace));

    /// <summary>E2BIG when these do not fit.</summary>
    public Errno CheckSize(ulong stackLimit)
    {
        ulong total = (ulong)Path.Length + 1;
        foreach (string text in Arguments) Add(ref total, text);
        foreach (string text in Environment) Add(ref total, text);
        return total > Space(stackLimit) ? Errno.E2BIG : Errno.None;
    }

    private static void Add(ref ulong total, string text) =>
        total += text.Length >= MaxStringLength ? uint.MaxValue : (ulong)text.Length + 1 + sizeof(ulong);
}
