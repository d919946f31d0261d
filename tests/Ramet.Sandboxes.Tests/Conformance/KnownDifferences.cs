namespace Ramet.Sandboxes.Tests.Conformance;

/// <summary>
/// known-differences.txt: cases where the sandbox is known not to do as Linux does, each with its reason. A listed case that passes is an error, so the list
/// cannot grow stale.
/// </summary>
internal static class KnownDifferences
{
    private static readonly Dictionary<string, string> Reasons = File.ReadLines(Path.Combine(ConformanceFile.SourceFolder, "known-differences.txt"))
        .Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#')
        .ToDictionary(line => line[..line.IndexOf(' ', StringComparison.Ordinal)], line => line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..], StringComparer.Ordinal);

    /// <summary>Names as FILE/CASE.</summary>
    public static IEnumerable<string> Names => Reasons.Keys;

    /// <summary>Why a case differs; null: it is expected to pass.</summary>
    public static string? Of(string file, string name) => Reasons.GetValueOrDefault($"{file}/{name}");
}
