using System.CommandLine;
using System.Globalization;
using Ramet.Cli.Input;

namespace Ramet.Cli.Commands;

/// <summary>
/// Options that set limits of a sandbox, the same for all commands that run something. Their values are read as text and parsed here: each other type would be
/// compiled at start-up for the parser's generic code.
/// </summary>
internal sealed class LimitOptions
{
    private const ulong LeastMemory = 16UL << 20;
    private const ulong MostMemory = 1UL << 40;

    private readonly Option<string?> _memory = Option("--memory", "-m", "SIZE", "Memory of the sandbox: programs and files that they write.");
    private readonly Option<string?> _timeout = Option("--timeout", "-t", "TIME", "Wall time, such as 30s, 500ms or 1h30m; then exit code 124.");
    private readonly Option<string?> _maxOutput = Option("--max-output", null, "SIZE", "Bytes that the program may print; then it is cut off with exit code 153. Default: 64M.");
    private readonly Option<string?> _processes = Option("--max-processes", null, "N", "Processes and threads. Default: 1024.");
    private readonly Option<string?> _files = Option("--max-files", null, "N", "Open files. Default: 65536.");
    private readonly Option<string?> _cpus = Option("--cpus", null, "N", "Virtual CPUs. Default: 1.");
    private readonly ulong _defaultMemory;
    private readonly TimeSpan? _defaultTimeout;

    /// <param name="memory">Default of --memory.</param>
    /// <param name="timeout">Default of --timeout; null: none.</param>
    public LimitOptions(ulong memory, TimeSpan? timeout)
    {
        (_defaultMemory, _defaultTimeout) = (memory, timeout);
        _memory.Description += $" Default: {memory >> 20}M.";
        _timeout.Description += timeout is { } time ? $" Default: {(int)time.TotalSeconds}s." : " Default: none.";
    }

    /// <summary>Defines the options for a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_timeout);
        command.Options.Add(_memory);
        command.Options.Add(_cpus);
        command.Options.Add(_processes);
        command.Options.Add(_files);
        command.Options.Add(_maxOutput);
    }

    /// <summary>The limits of a sandbox as given.</summary>
    /// <exception cref="UsageException">One of them is not understood, or out of range.</exception>
    public Sandboxes.SandboxOptions Read(ParseResult parse) => new()
    {
        MemoryBytes = ParseMemory(parse.GetValue(_memory)),
        Timeout = ParseTimeout(parse.GetValue(_timeout)),
        MaxOutputBytes = parse.GetValue(_maxOutput) is { } output ? (long)ParseSize(output, "--max-output") : 64L << 20,
        MaxThreads = ParseCount(parse.GetValue(_processes), "--max-processes", 1024, 32768),
        MaxOpenFiles = ParseCount(parse.GetValue(_files), "--max-files", 65536, 1 << 20),
        VirtualCpus = ParseCount(parse.GetValue(_cpus), "--cpus", 1, 64),
    };

    private static Option<string?> Option(string name, string? alias, string value, string description) =>
        new(name, alias is null ? [] : [alias]) { Description = description, HelpName = value };

    private ulong ParseMemory(string? text)
    {
        if (text is null) return _defaultMemory;
        ulong size = ParseSize(text, "--memory");
        if (size is >= LeastMemory and <= MostMemory) return size;
        string unit = text.All(char.IsAsciiDigit) && size < 65536 ? $" Did you mean {text}M?" : "";
        throw new UsageException($"--memory {text} is {ByteSize.Format((long)size)}; it must be from 16M to 1T.{unit}");
    }

    private static ulong ParseSize(string text, string option) =>
        ByteSize.TryParse(text, out ulong size) ? size : throw new UsageException($"'{text}' is not a size for {option}: {ByteSize.Accepted}.");

    private TimeSpan? ParseTimeout(string? text)
    {
        if (text is null) return _defaultTimeout;
        if (text == "none") return null;
        if (!Duration.TryParse(text, out var duration)) throw new UsageException($"'{text}' is not a duration for --timeout: {Duration.Accepted}.");
        return duration > TimeSpan.Zero ? duration : throw new UsageException("--timeout must be more than nothing: write 'none' for no limit.");
    }

    private static int ParseCount(string? text, string option, int byDefault, int most)
    {
        if (text is null) return byDefault;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count >= 1 && count <= most
            ? count
            : throw new UsageException($"{option} takes a number from 1 to {most}, not '{text}'.");
    }
}

/// <summary>An option that is there or not.</summary>
internal static class Flag
{
    /// <summary>Defines one. Not of bool: see <see cref="LimitOptions"/>.</summary>
    public static Option<string?> Create(string name, string? alias, string description) =>
        new(name, alias is null ? [] : [alias]) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>Whether it was given.</summary>
    public static bool Has(this ParseResult parse, Option<string?> flag) => parse.GetResult(flag) is { Implicit: false };
}
