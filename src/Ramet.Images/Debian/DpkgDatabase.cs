using System.Security.Cryptography;
using System.Text;

namespace Ramet.Images.Debian;

/// <summary>Writes dpkg's database (dpkg(1), FILES), so that <c>dpkg -l</c>, <c>dpkg -L</c> and apt inside know what is there.</summary>
internal sealed class DpkgDatabase(ImageTree tree)
{
    private const string Directory = "var/lib/dpkg";
    private readonly List<(string Name, string Stanza)> _stanzas = [];

    /// <summary>Enters a package.</summary>
    public void Add(UnpackedPackage package)
    {
        var control = package.ControlText("control").TrimEnd('\n');
        var fields = control.Split('\n');
        string Field(string name) => fields.FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim() ?? "";
        var name = Field("Package");
        if (name.Length == 0) throw new ImageBuildException("a package without a name was downloaded.");
        var stem = Field("Multi-Arch").Equals("same", StringComparison.Ordinal) ? $"{name}:{Field("Architecture")}" : name;

        tree.AddFile($"{Directory}/info/{stem}.list", Encoding.Latin1.GetBytes(string.Join('\n', package.Paths) + "\n"));
        foreach (var (member, bytes) in package.Control)
        {
            if (member is "control") continue;
            var isScript = member is "preinst" or "postinst" or "prerm" or "postrm" or "config";
            tree.AddFile($"{Directory}/info/{stem}.{member}", bytes, isScript ? 0x1EDu : 0x1A4u);
        }

        var stanza = new StringBuilder();
        foreach (var line in fields)
        {
            stanza.Append(line).Append('\n');
            if (line.StartsWith("Package:", StringComparison.OrdinalIgnoreCase)) stanza.Append("Status: install ok installed\n");
        }
        var conffiles = package.ControlText("conffiles").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(line => line.StartsWith('/')).ToList();
        if (conffiles.Count > 0) stanza.Append("Conffiles:\n");
        foreach (var file in conffiles)
            if (tree.ReadFile(file) is { } bytes) stanza.Append(' ').Append(file).Append(' ').Append(Md5(bytes)).Append('\n');
        _stanzas.Add((name, stanza.ToString()));
    }

    /// <summary>Writes the status file, after the last package.</summary>
    public void Finish()
    {
        var status = string.Join('\n', _stanzas.OrderBy(stanza => stanza.Name, StringComparer.Ordinal).Select(stanza => stanza.Stanza));
        tree.AddFile($"{Directory}/status", Encoding.Latin1.GetBytes(status));
        tree.AddFile($"{Directory}/available", "");
        tree.AddFile($"{Directory}/info/format", "1\n");
        tree.AddFile($"{Directory}/diversions", "");
        tree.AddFile($"{Directory}/statoverride", "");
        tree.AddDirectory($"{Directory}/updates");
        tree.AddDirectory($"{Directory}/triggers");
        tree.AddDirectory($"{Directory}/alternatives");
    }

    // dpkg's format asks for MD5; nothing is secured by it.
#pragma warning disable CA5351
    private static string Md5(byte[] bytes) => Convert.ToHexStringLower(MD5.HashData(bytes));
#pragma warning restore CA5351
}
