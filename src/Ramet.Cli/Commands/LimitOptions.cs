using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ramet.Cli.Input;

namespace Ramet.Cli.Commands;

/// <summary>Options that set limits of a sandbox, the same for all commands that run something.</summary>
internal sealed class LimitOptions
{
    private const ulong LeastMemory = 16UL << 20;
    private const ulong MostMemory = 1UL << 40;

    /// <param name="memory">Default of --memory.</param>
    /// <param name="timeout">Default of --timeout; null: none.</param>
    public LimitOptions(ulong memory, TimeSpan? timeout)
    {
        Memory = new Option<ulong>("--memory", "-m")
        {
            Description = $"Memory of the sandbox: programs and files that they write. Default: {memory >> 20}M.",
            HelpName = "SIZE",
            CustomParser = ParseMemory,
            DefaultValueFactory = _ => memory,
        };
        Timeout = new Option<TimeSpan?>("--timeout", "-t")
        {
            Description = $"Wall time, such as 30s, 500ms or 1h30m; then exit code 124. Default: {(timeout is { } time ? $"{time.TotalSeconds.ToString(CultureInfo.InvariantCulture)}s" : "none")}.",
            HelpName = "TIME",
            CustomParser = ParseTimeout,
            DefaultValueFactory = _ => timeout,
        };
        MaxOutput = new Option<ulong>("--max-output")
        {
            Description = "Bytes that the program may print; then it is cut off with exit code 153. Default: 64M.",
            HelpName = "SIZE",
            CustomParser = result => ParseSize(result, "--max-output"),
            DefaultValueFactory = _ => 64UL << 20,
        };
        Processes = new Option<int>("--max-processes")
        {
            Description = "Processes and threads. Default: 1024.",
            HelpName = "N",
            CustomParser = result => ParseCount(result, "--max-processes", 1, 32768),
            DefaultValueFactory = _ => 1024,
        };
        Cpus = new Option<int>("--cpus")
        {
            Description = "Virtual CPUs. Default: 1.",
            HelpName = "N",
            CustomParser = result => ParseCount(result, "--cpus", 1, 64),
            DefaultValueFactory = _ => 1,
        };
    }

    /// <summary>Bytes of memory.</summary>
    public Option<ulong> Memory { get; }

    /// <summary>Wall time; null: no limit.</summary>
    public Option<TimeSpan?> Timeout { get; }

    /// <summary>Bytes of output.</summary>
    public Option<ulong> MaxOutput { get; }

    /// <summary>Processes and threads.</summary>
    public Option<int> Processes { get; }

    /// <summary>Virtual CPUs.</summary>
    public Option<int> Cpus { get; }

    /// <summary>The options of a sandbox as given.</summary>
    public Sandboxes.SandboxOptions Read(ParseResult parse) => new()
    {
        MemoryBytes = parse.GetValue(Memory),
        Timeout = parse.GetValue(Timeout),
        MaxOutputBytes = (long)parse.GetValue(MaxOutput),
        MaxThreads = parse.GetValue(Processes),
        VirtualCpus = parse.GetValue(Cpus),
    };

    private static ulong ParseMemory(ArgumentResult result)
    {
        ulong size = ParseSize(result, "--memory");
        if (size is >= LeastMemory and <= MostMemory || result.Errors.Any()) return size;
        string text = result.Tokens[0].Value;
        string unit = text.All(char.IsAsciiDigit) && size < 65536 ? $" Did you mean {text}M?" : "";
        result.AddError($"--memory {text} is {ByteSize.Format((long)size)}; it must be from 16M to 1T.{unit}");
        return size;
    }

    private static ulong ParseSize(ArgumentResult result, string option)
    {
        string text = result.Tokens[0].Value;
        if (!ByteSize.TryParse(text, out ulong size)) result.AddError($"'{text}' is not a size for {option}: {ByteSize.Accepted}.");
        return size;
    }

    private static TimeSpan? ParseTimeout(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (text == "none") return null;
        if (!Duration.TryParse(text, out var duration)) result.AddError($"'{text}' is not a duration for --timeout: {Duration.Accepted}.");
        else if (duration <= TimeSpan.Zero) result.AddError("--timeout must be more than nothing: write 'none' for no limit.");
        return duration;
    }

    private static int ParseCount(ArgumentResult result, string option, int least, int most)
    {
        string text = result.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count >= least && count <= most) return count;
        result.AddError($"{option} takes a number from {least} to {most}, not '{text}'.");
        return least;
    }
}
