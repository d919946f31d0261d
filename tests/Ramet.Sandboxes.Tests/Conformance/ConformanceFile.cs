using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Ramet.Sandboxes.Tests.Conformance;

/// <summary>A C file of tests/conformance: its cases, and the programs that gcc makes of it.</summary>
internal sealed partial class ConformanceFile
{
    private readonly Lazy<IReadOnlyList<string>> _programs;
    private readonly string _source;

    private ConformanceFile(string source)
    {
        _source = source;
        Name = Path.GetFileNameWithoutExtension(source);
        Text = File.ReadAllText(source);
        Cases = [.. CasePattern().Matches(Text).Select(match => match.Groups["name"].Value)];
        _programs = new Lazy<IReadOnlyList<string>>(Build);
    }

    /// <summary>Where the sources lie.</summary>
    public static string SourceFolder { get; } = Path.Combine(AppContext.BaseDirectory, "conformance");

    /// <summary>All files, by name.</summary>
    public static IReadOnlyDictionary<string, ConformanceFile> All { get; } = Directory.EnumerateFiles(SourceFolder, "*.c")
        .Order(StringComparer.Ordinal).Select(path => new ConformanceFile(path)).ToDictionary(file => file.Name, StringComparer.Ordinal);

    /// <summary>Name without extension.</summary>
    public string Name { get; }

    /// <summary>Names of the cases, in the order of the file.</summary>
    public IReadOnlyList<string> Cases { get; }

    /// <summary>The test program first, then its helpers. Compiled at first use.</summary>
    public IReadOnlyList<string> Programs => _programs.Value;

    private string Text { get; }

    private List<string> Build()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "conformance-programs", Name);
        Directory.CreateDirectory(folder);
        string test = Path.Combine(folder, "test");
        string flags = string.Join(' ', FlagsPattern().Matches(Text).Select(match => match.Groups["options"].Value));
        Compile(_source, test, $"-pthread {flags}");
        List<string> programs = [test];
        foreach (Match helper in HelperPattern().Matches(Text))
        {
            string output = Path.Combine(folder, helper.Groups["name"].Value);
            Compile(Path.Combine(SourceFolder, "helpers", helper.Groups["source"].Value), output, helper.Groups["options"].Value);
            programs.Add(output);
        }

        return programs;
    }

    private static void Compile(string source, string output, string options)
    {
        var start = new ProcessStartInfo("gcc") { RedirectStandardError = true, UseShellExecute = false };
        string[] fixedOptions =
        [
            "-O1", "-g", "-Wall", "-Wextra", "-Wno-nonnull", "-Wno-stringop-overread", "-Wno-stringop-overflow", "-Werror", "-I", SourceFolder, "-o", output, source,
        ];
        foreach (string option in fixedOptions.Concat(options.Split(' ', StringSplitOptions.RemoveEmptyEntries))) start.ArgumentList.Add(option);
        using var process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"gcc cannot compile {source}:\n{error}");
    }

    [GeneratedRegex(@"^CASE\((?<name>\w+)\)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10000)]
    private static partial Regex CasePattern();

    [GeneratedRegex(@"^// flags: (?<options>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10000)]
    private static partial Regex FlagsPattern();

    [GeneratedRegex(@"^// helper: (?<name>\S+) (?<source>\S+) ?(?<options>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10000)]
    private static partial Regex HelperPattern();
}
