using System.Text;

namespace Ramet.Images;

/// <summary>What an image is made of. Read from YAML by <see cref="ImageSpecParser"/>, or made in code.</summary>
public sealed record ImageSpec
{
    /// <summary>Name of the image: lower-case letters, digits, '.', '_' and '-', at most 63.</summary>
    public required string Name { get; init; }

    /// <summary>Debian packages (without recommends), each as <c>name</c> or <c>name=version</c>.</summary>
    public required IReadOnlyList<string> Packages { get; init; }

    /// <summary>Debian suite, such as <c>bookworm</c>; null means that of the host.</summary>
    public string? Suite { get; init; }

    /// <summary>Whether a small Debian userland (<see cref="BuiltInSpecs.BasePackages"/>) comes with the packages. <c>base: none</c> turns it off.</summary>
    public bool IncludeBase { get; init; } = true;

    /// <summary>Environment of programs that run in the image.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Directory in which programs start; made if no package has it.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>Where the specification came from, for messages: a file name, or a name in angle brackets.</summary>
    public string Source { get; init; } = "<spec>";

    /// <summary>The line (from 1) of each entry of <see cref="Packages"/>; empty when the specification was made in code.</summary>
    internal IReadOnlyList<int> PackageLines { get; init; } = [];

    internal int LineOfPackage(string package)
    {
        for (var i = 0; i < Packages.Count && i < PackageLines.Count; i++)
            if (string.Equals(Packages[i], package, StringComparison.Ordinal) ||
                Packages[i].StartsWith(package + "=", StringComparison.Ordinal)) return PackageLines[i];
        return 0;
    }

    /// <summary>
    /// The specification as YAML in one fixed form: parsing it gives an equal specification, and equal specifications
    /// give equal text. It is kept with the image so that the image can be built again.
    /// </summary>
    public string ToYaml()
    {
        var text = new StringBuilder();
        text.Append("name: ").Append(Quote(Name)).Append('\n');
        if (Suite is not null) text.Append("suite: ").Append(Quote(Suite)).Append('\n');
        if (!IncludeBase) text.Append("base: none\n");
        text.Append("packages: [").AppendJoin(", ", Packages.Select(Quote)).Append("]\n");
        if (Environment.Count > 0)
        {
            text.Append("env:\n");
            foreach (var (key, value) in Environment.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                text.Append("  ").Append(Quote(key)).Append(": ").Append(Quote(value)).Append('\n');
        }
        text.Append("workdir: ").Append(Quote(WorkingDirectory)).Append('\n');
        return text.ToString();
    }

    /// <summary>A YAML double-quoted scalar (YAML 1.2, 7.3.1).</summary>
    private static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\') text.Append('\\').Append(c);
            else if (c < ' ' || c == 0x7f || c is '\u0085' or '\u2028' or '\u2029' or '\ufeff') text.Append("\\u").Append(((int)c).ToString("x4", null));
            else text.Append(c);
        }
        return text.Append('"').ToString();
    }
}
