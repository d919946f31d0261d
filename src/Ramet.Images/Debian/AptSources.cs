using System.Text;

namespace Ramet.Images.Debian;

/// <summary>
/// Picks, from the package sources of the host (sources.list(5)), those of one Debian suite, so that images come from the
/// mirrors that the machine is set up for. Other sources (of single vendors) are left out: what an image holds should not depend on them.
/// </summary>
internal static class AptSources
{
    private static readonly string[] s_pockets = ["", "-updates", "-security", "/updates"];

    /// <summary>Sources of a suite in deb822 form.</summary>
    /// <param name="suite">The suite that is wanted.</param>
    /// <param name="hostSuite">The suite of the host; its sources serve, renamed, when the host has none of <paramref name="suite"/>.</param>
    /// <param name="directory">apt's directory, normally /etc/apt.</param>
    /// <exception cref="ImageBuildException">The machine names no mirror for it.</exception>
    public static string Select(string suite, string hostSuite, string directory = "/etc/apt")
    {
        var sources = ReadAll(directory).ToList();
        var found = Pick(sources, suite, suite);
        if (found.Length == 0) found = Pick(sources, hostSuite, suite);
        return found.Length > 0 ? found : throw new ImageBuildException(
            $"apt has no package source for Debian {suite}: add one to {directory}/sources.list.d (its mirror, 'Suites: {suite}', 'Components: main'; see sources.list(5)).");
    }

    private static string Pick(List<Source> sources, string suite, string rename)
    {
        var text = new StringBuilder();
        foreach (var source in sources)
        {
            var suites = source.Suites.Where(name => s_pockets.Any(pocket => string.Equals(name, suite + pocket, StringComparison.Ordinal)))
                .Select(name => rename + name[suite.Length..]);
            var joined = string.Join(' ', suites);
            if (joined.Length > 0) text.Append(Stanza(source.Uris, joined, source.Components, source.Options));
        }
        return text.ToString();
    }

    private static string Stanza(string uris, string suites, string components, IEnumerable<string> options) =>
        $"Types: deb\nURIs: {uris}\nSuites: {suites}\nComponents: {components}\n{string.Concat(options.Select(option => option + "\n"))}\n";

    private sealed record Source(string Uris, string[] Suites, string Components, IReadOnlyList<string> Options);

    private static IEnumerable<Source> ReadAll(string directory)
    {
        var parts = Path.Combine(directory, "sources.list.d");
        IEnumerable<string> files = [Path.Combine(directory, "sources.list")];
        if (Directory.Exists(parts)) files = files.Concat(Directory.EnumerateFiles(parts).Order(StringComparer.Ordinal));
        foreach (var file in files)
        {
            var isDeb822 = file.EndsWith(".sources", StringComparison.Ordinal);
            if (!isDeb822 && !file.EndsWith(".list", StringComparison.Ordinal)) continue;
            string[] lines;
            try
            {
                lines = File.ReadAllLines(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue; // Absent or private: another source may do, and apt says what is missing if none does.
            }
            foreach (var source in isDeb822 ? ReadDeb822(lines) : lines.Select(ReadLine))
                if (source is not null) yield return source;
        }
    }

    /// <summary>deb [ option=value ... ] uri suite component ...</summary>
    private static Source? ReadLine(string line)
    {
        var text = line.Split('#')[0].Trim();
        if (!text.StartsWith("deb ", StringComparison.Ordinal) && !text.StartsWith("deb\t", StringComparison.Ordinal)) return null;
        text = text[4..].Trim();
        List<string> options = [];
        if (text.StartsWith('['))
        {
            var end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 0) return null;
            foreach (var option in text[1..end].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                var parts = option.Split('=', 2);
                var name = parts[0] switch { "signed-by" => "Signed-By", "trusted" => "Trusted", "check-valid-until" => "Check-Valid-Until", _ => null };
                if (name is not null && parts.Length == 2) options.Add($"{name}: {parts[1].Replace(',', ' ')}");
            }
            text = text[(end + 1)..].Trim();
        }
        var words = text.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return words.Length >= 3 ? new Source(words[0], [words[1]], string.Join(' ', words[2..]), options) : null;
    }

    private static IEnumerable<Source?> ReadDeb822(string[] lines)
    {
        Dictionary<string, string> fields = new(StringComparer.OrdinalIgnoreCase);
        string? last = null;
        foreach (var line in lines.Append(""))
        {
            if (line.StartsWith('#')) continue;
            if (string.IsNullOrWhiteSpace(line))
            {
                yield return FromFields(fields);
                fields.Clear();
                last = null;
            }
            else if (char.IsWhiteSpace(line[0]) && last is not null)
            {
                fields[last] += "\n" + line;
            }
            else if (line.Split(':', 2) is [var key, var value])
            {
                last = key.Trim();
                fields[last] = value.Trim();
            }
        }
    }

    private static Source? FromFields(Dictionary<string, string> fields)
    {
        string Get(string key) => fields.GetValueOrDefault(key, "");
        string[] Words(string key) => Get(key).Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (!Words("Types").Contains("deb", StringComparer.Ordinal) || Get("Enabled").Equals("no", StringComparison.OrdinalIgnoreCase) || Words("URIs").Length == 0) return null;
        var options = new[] { "Signed-By", "Trusted", "Check-Valid-Until" }.Where(fields.ContainsKey).Select(key => $"{key}: {Get(key)}");
        return new Source(string.Join(' ', Words("URIs")), Words("Suites"), string.Join(' ', Words("Components")), [.. options]);
    }
}
