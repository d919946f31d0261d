using Ramet.Images.Specs;

namespace Ramet.Images;

/// <summary>The specifications that come with Ramet, and what every Debian image holds.</summary>
public static class BuiltInSpecs
{
    private const string Prefix = "Ramet.Images.Specs.";

    /// <summary>
    /// The small userland of <c>base: debian</c>: a shell, the usual tools, user names, certificates and time zones.
    /// usr-is-merged keeps usrmerge, and with it Perl, out.
    /// </summary>
    public static IReadOnlyList<string> BasePackages { get; } =
    [
        "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "debianutils", "diffutils", "dpkg", "findutils", "grep",
        "gzip", "hostname", "libc-bin", "mawk", "ncurses-base", "netbase", "sed", "tar", "tzdata", "usr-is-merged",
    ];

    /// <summary>Names of the built-in specifications.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. typeof(BuiltInSpecs).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(".yaml", StringComparison.Ordinal))
        .Select(name => name[Prefix.Length..^".yaml".Length]).Order(StringComparer.Ordinal)];

    /// <summary>Whether there is a built-in specification of that name.</summary>
    public static bool Contains(string name) => Names.Contains(name, StringComparer.Ordinal);

    /// <summary>The built-in specification of that name.</summary>
    /// <exception cref="ImageNotFoundException">There is none.</exception>
    public static ImageSpec Get(string name) => ImageSpecParser.Parse(GetText(name), SourceOf(name));

    internal static string SourceOf(string name) => $"<built-in {name}>";

    /// <summary>The YAML of a built-in specification.</summary>
    internal static string GetText(string name)
    {
        using var stream = (Contains(name) ? typeof(BuiltInSpecs).Assembly.GetManifestResourceStream($"{Prefix}{name}.yaml") : null)
            ?? throw new ImageNotFoundException($"no built-in image '{name}'.{NearestName.Suggest(name, Names)} Built in: {string.Join(", ", Names)}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
