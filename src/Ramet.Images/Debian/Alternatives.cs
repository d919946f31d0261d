using System.Text;

namespace Ramet.Images.Debian;

/// <summary>
/// Does what packages ask of update-alternatives(1), read out of their postinst scripts, which are not run. Handles
/// plain calls and calls with variables that the script sets to plain words; a call that needs more of the shell is passed over.
/// </summary>
internal sealed class Alternatives(ImageTree tree)
{
    private sealed record Choice(string Path, int Priority, IReadOnlyDictionary<string, (string Link, string Path)> Slaves);

    private readonly SortedDictionary<string, (string Link, List<Choice> Choices)> _groups = new(StringComparer.Ordinal);

    /// <summary>Collects the calls of a postinst script.</summary>
    public void Read(string script)
    {
        Dictionary<string, string> variables = new(StringComparer.Ordinal) { ["DPKG_ROOT"] = "", ["DEB_HOST_MULTIARCH"] = HostSystem.MultiarchTuple };
        foreach (var line in script.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
        {
            var words = Words(line, variables);
            if (words.Count == 1 && words[0] is { } word && word.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals && word.AsSpan(0, equals).IndexOfAnyExcept(s_nameCharacters) < 0)
            {
                variables[word[..equals]] = word[(equals + 1)..];
                continue;
            }
            var start = words.FindIndex(word => word is "update-alternatives" or "/usr/bin/update-alternatives");
            if (start >= 0) ReadCall(words[(start + 1)..]);
        }
    }

    /// <summary>Makes the links, the best choice of each group first.</summary>
    public void Apply()
    {
        foreach (var (name, (link, choices)) in _groups)
        {
            var present = choices.Where(choice => tree.Find(choice.Path) is not null).OrderByDescending(choice => choice.Priority).ToList();
            if (present.Count == 0) continue;
            Link(link, name, present[0].Path);
            foreach (var (slave, (slaveLink, slavePath)) in present[0].Slaves)
                if (tree.Find(slavePath) is not null) Link(slaveLink, slave, slavePath);
            tree.AddFile($"var/lib/dpkg/alternatives/{name}", Encoding.Latin1.GetBytes(Record(link, present)));
        }
    }

    private void Link(string link, string name, string path)
    {
        tree.AddSymbolicLink($"etc/alternatives/{name}", path);
        if (tree.Find(link, followLast: false) is null or { IsSymbolicLink: true }) tree.AddSymbolicLink(link, $"/etc/alternatives/{name}");
    }

    /// <summary>The administrative file of dpkg 1.21: mode, link, slaves, a blank line, then for each choice its path, priority and slaves.</summary>
    private string Record(string link, List<Choice> choices)
    {
        var slaves = choices.SelectMany(choice => choice.Slaves).GroupBy(slave => slave.Key, StringComparer.Ordinal)
            .Select(group => (Name: group.Key, group.First().Value.Link)).OrderBy(slave => slave.Name, StringComparer.Ordinal).ToList();
        var text = new StringBuilder($"auto\n{link}\n");
        foreach (var (slave, slaveLink) in slaves) text.Append(slave).Append('\n').Append(slaveLink).Append('\n');
        text.Append('\n');
        foreach (var choice in choices.OrderBy(choice => choice.Path, StringComparer.Ordinal))
        {
            text.Append(choice.Path).Append('\n').Append(choice.Priority).Append('\n');
            foreach (var (slave, _) in slaves) text.Append(choice.Slaves.TryGetValue(slave, out var value) && tree.Find(value.Path) is not null ? value.Path : "").Append('\n');
        }
        return text.Append('\n').ToString();
    }

    /// <summary>--install link name path priority [--slave link name path]...</summary>
    private void ReadCall(List<string> words)
    {
        var at = words.IndexOf("--install");
        if (at < 0 || words.Count < at + 5 || !int.TryParse(words[at + 4], out var priority)) return;
        var (link, name, path) = (words[at + 1], words[at + 2], words[at + 3]);
        if (!IsPlain(link, name, path)) return;
        Dictionary<string, (string, string)> slaves = new(StringComparer.Ordinal);
        for (var i = at + 5; i + 3 < words.Count && words[i] is "--slave" or "--force"; i += 4)
            if (words[i] is "--slave" && IsPlain(words[i + 1], words[i + 2], words[i + 3])) slaves[words[i + 2]] = (words[i + 1], words[i + 3]);
        if (!_groups.TryGetValue(name, out var group)) _groups.Add(name, group = (link, []));
        group.Choices.RemoveAll(choice => string.Equals(choice.Path, path, StringComparison.Ordinal));
        group.Choices.Add(new Choice(path, priority, slaves));
    }

    private static bool IsPlain(string link, string name, string path) =>
        link.StartsWith('/') && path.StartsWith('/') && name.Length > 0 && !name.Contains('/', StringComparison.Ordinal)
        && !(link + name + path).AsSpan().ContainsAny('$', '`', '*');

    private static readonly System.Buffers.SearchValues<char> s_nameCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    /// <summary>Splits as a shell would: quotes, known variables; stops at what ends a command. Unknown expansions stay as they are, '$' included.</summary>
    private static List<string> Words(string line, Dictionary<string, string> variables)
    {
        List<string> words = [];
        StringBuilder? word = null;
        var quote = '\0';
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (quote == '\'' ? c == '\'' : c is '"' or '\'' && (quote == '\0' || quote == c))
            {
                quote = quote == '\0' ? c : '\0';
                word ??= new StringBuilder();
            }
            else if (c == '$' && quote != '\'')
            {
                (word ??= new StringBuilder()).Append(Expand(line, ref i, variables));
            }
            else if (quote == '\0' && c is ' ' or '\t' or ';' or '&' or '|' or '>' or '<' or '#' && quote == '\0')
            {
                if (c == '#' && word is not null) word.Append(c);
                else
                {
                    if (word is not null) words.Add(word.ToString());
                    word = null;
                    if (c is '#' or '>' or '<' || (c is ';' or '&' or '|' && words.Count > 0 && words.Contains("--install", StringComparer.Ordinal))) break;
                    if (c is ';' or '&' or '|') words.Clear();
                }
            }
            else (word ??= new StringBuilder()).Append(c);
        }
        if (word is not null) words.Add(word.ToString());
        return words;
    }

    private static string Expand(string line, ref int i, Dictionary<string, string> variables)
    {
        var braces = i + 1 < line.Length && line[i + 1] == '{';
        var start = i + (braces ? 2 : 1);
        var length = line.AsSpan(start).IndexOfAnyExcept(s_nameCharacters);
        var end = length < 0 ? line.Length : start + length;
        if (end == start || (braces && (end >= line.Length || line[end] != '}')) || !variables.TryGetValue(line[start..end], out var value)) return "$";
        i = braces ? end : end - 1;
        return value;
    }
}
