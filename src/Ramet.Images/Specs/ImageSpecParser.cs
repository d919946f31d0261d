using System.Text.RegularExpressions;
using Ramet.Images.Specs;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Ramet.Images;

/// <summary>
/// Reads image specifications: YAML with the keys <c>name</c>, <c>packages</c>, <c>suite</c>, <c>base</c>, <c>env</c>
/// and <c>workdir</c>. Anything else is refused, with the line and the nearest right key.
/// </summary>
public static partial class ImageSpecParser
{
    private static readonly string[] Keys = ["name", "packages", "suite", "base", "env", "workdir"];

    /// <summary>Largest specification that is read, in bytes.</summary>
    private const int MaximumLength = 1 << 20;

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,62}$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ImageName { get; }

    // Debian Policy 5.6.1 and 5.6.12. A trailing '-' would mean "remove" to apt-get, and no package has one.
    [GeneratedRegex("^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](=[0-9A-Za-z.+:~-]+)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PackageName { get; }

    [GeneratedRegex("^[a-z][a-z0-9._-]*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SuiteName { get; }

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VariableName { get; }

    /// <summary>Whether a string may name an image.</summary>
    public static bool IsValidImageName(string name) => ImageName.IsMatch(name);

    /// <summary>Reads a specification file.</summary>
    /// <exception cref="ImageSpecException">The file cannot be read, or is not a specification.</exception>
    public static ImageSpec ParseFile(string path)
    {
        string text;
        try
        {
            if (new FileInfo(path).Length > MaximumLength) throw new ImageSpecException(path, 0, "too large for an image specification (over 1 MiB).");
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ImageSpecException(path, 0, e is FileNotFoundException or DirectoryNotFoundException ? "no such file." : $"cannot be read: {e.Message}");
        }
        return Parse(text, path);
    }

    /// <summary>Reads a specification.</summary>
    /// <param name="text">The YAML.</param>
    /// <param name="source">What to call it in messages.</param>
    /// <exception cref="ImageSpecException">It is not a specification.</exception>
    public static ImageSpec Parse(string text, string source)
    {
        var root = Load(text, source);
        string? name = null, suite = null, workdir = null;
        var includeBase = true;
        List<string>? packages = null;
        List<int> packageLines = [];
        Dictionary<string, string> environment = new(StringComparer.Ordinal);

        foreach (var (keyNode, value) in root.Children)
        {
            var key = Scalar(keyNode, source, "a key");
            switch (key)
            {
                case "name":
                    name = Checked(value, source, "name", ImageName, "lower-case letters, digits, '.', '_' and '-', starting with a letter or digit, at most 63");
                    break;
                case "suite":
                    suite = Checked(value, source, "suite", SuiteName, "the code name of a Debian suite, such as bookworm");
                    break;
                case "base":
                    var word = Scalar(value, source, "base");
                    includeBase = word switch
                    {
                        "debian" => true,
                        "none" => false,
                        _ => throw Refuse(source, value, $"base is '{word}'; it must be 'debian' (a small Debian userland) or 'none'."),
                    };
                    break;
                case "workdir":
                    workdir = Scalar(value, source, "workdir");
                    if (!workdir.StartsWith('/') || workdir.Contains('\0', StringComparison.Ordinal) || workdir.Split('/').Contains("..", StringComparer.Ordinal))
                        throw Refuse(source, value, $"workdir is '{workdir}'; it must be an absolute path without '..'.");
                    break;
                case "packages":
                    packages = [];
                    foreach (var item in Sequence(value, source, "packages"))
                    {
                        var package = Scalar(item, source, "a package");
                        if (!PackageName.IsMatch(package))
                            throw Refuse(source, item, $"'{package}' is not a package name; expected a Debian package such as python3 or python3=3.11.2-1+b1.");
                        if (packages.Contains(package, StringComparer.Ordinal)) throw Refuse(source, item, $"package '{package}' is listed twice.");
                        packages.Add(package);
                        packageLines.Add((int)item.Start.Line);
                    }
                    break;
                case "env":
                    foreach (var (variable, content) in Mapping(value, source, "env").Children)
                    {
                        var variableName = Scalar(variable, source, "a variable");
                        if (!VariableName.IsMatch(variableName)) throw Refuse(source, variable, $"'{variableName}' is not the name of an environment variable.");
                        var variableValue = Scalar(content, source, $"env {variableName}");
                        if (variableValue.Contains('\0', StringComparison.Ordinal)) throw Refuse(source, content, $"env {variableName} contains a NUL character.");
                        environment.Add(variableName, variableValue);
                    }
                    break;
                default:
                    throw Refuse(source, keyNode, $"unknown key '{key}'.{NearestName.Suggest(key, Keys)} Known keys: {string.Join(", ", Keys)}.");
            }
        }

        if (name is null) throw new ImageSpecException(source, 0, "the key 'name' is missing.");
        if (packages is null || (packages.Count == 0 && !includeBase)) throw new ImageSpecException(source, 0, "the key 'packages' is missing: list at least one Debian package.");
        return new ImageSpec
        {
            Name = name,
            Packages = packages,
            PackageLines = packageLines,
            Suite = suite,
            IncludeBase = includeBase,
            Environment = environment,
            WorkingDirectory = workdir ?? "/",
            Source = source,
        };
    }

    private static YamlMappingNode Load(string text, string source)
    {
        if (text.Length > MaximumLength) throw new ImageSpecException(source, 0, "too large for an image specification (over 1 MiB).");
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new ImageSpecException(source, (int)e.Start.Line, $"not valid YAML: {e.Message.ReplaceLineEndings(" ")}");
        }
        if (stream.Documents.Count == 0) throw new ImageSpecException(source, 0, "empty; expected an image specification with the keys 'name' and 'packages'.");
        if (stream.Documents.Count > 1) throw new ImageSpecException(source, (int)stream.Documents[1].RootNode.Start.Line, "one specification a file; this one has several YAML documents.");
        return Mapping(stream.Documents[0].RootNode, source, "an image specification");
    }

    private static string Checked(YamlNode node, string source, string what, Regex pattern, string expected)
    {
        var value = Scalar(node, source, what);
        return pattern.IsMatch(value) ? value : throw Refuse(source, node, $"{what} is '{value}'; expected {expected}.");
    }

    private static string Scalar(YamlNode node, string source, string what) =>
        node is YamlScalarNode { Value: { } value } ? value : throw Refuse(source, node, $"{what} must be a single value.");

    private static YamlSequenceNode Sequence(YamlNode node, string source, string what) =>
        node as YamlSequenceNode ?? throw Refuse(source, node, $"{what} must be a list, such as [python3, python3-numpy].");

    private static YamlMappingNode Mapping(YamlNode node, string source, string what) =>
        node as YamlMappingNode ?? throw Refuse(source, node, $"{what} must be a mapping of keys to values.");

    private static ImageSpecException Refuse(string source, YamlNode node, string message) => new(source, (int)node.Start.Line, message.ReplaceLineEndings(" "));
}
