using System.Globalization;
using System.Security.Cryptography;
using Ramet.Images.Specs;

namespace Ramet.Images.Debian;

/// <summary>
/// A private world for apt: its own lists, cache, state and an empty dpkg status, so that apt resolves and downloads for an
/// image and touches nothing of the host. Only package sources, keys, proxies and credentials of the host are used. Not for concurrent use.
/// </summary>
internal sealed class AptRoot
{
    private static readonly TimeSpan s_freshFor = TimeSpan.FromMinutes(10);

    private readonly string _directory;
    private readonly string _suite;
    private readonly Dictionary<string, string> _environment;

    /// <param name="directory">Where to keep everything; made if absent. One for each suite and architecture.</param>
    /// <param name="suite">The Debian suite.</param>
    public AptRoot(string directory, string suite)
    {
        _directory = Path.GetFullPath(directory);
        _suite = suite;
        if (_directory.AsSpan().ContainsAny('"', '\n')) throw new ImageBuildException($"apt cannot work in {_directory}: choose a data directory without quotes in its name.");
        _environment = new(StringComparer.Ordinal) { ["APT_CONFIG"] = In("apt.conf"), ["DEBIAN_FRONTEND"] = "noninteractive" };
    }

    /// <summary>Directory with the downloaded packages.</summary>
    public string Archives => In("archives");

    /// <summary>Whether the package lists were fetched a few minutes ago, from the same sources: several images are often built in a row.</summary>
    public bool HasFreshLists
    {
        get
        {
            var stamp = new FileInfo(In("updated"));
            var age = DateTime.UtcNow - stamp.LastWriteTimeUtc;
            return stamp.Exists && age >= TimeSpan.Zero && age < s_freshFor
                && string.Equals(File.ReadAllText(stamp.FullName), Stamp(AptSources.Select(_suite, HostSystem.Suite)), StringComparison.Ordinal);
        }
    }

    /// <summary>Writes the configuration and fetches the package lists.</summary>
    /// <returns>Null, or why old lists are used instead of fetched ones.</returns>
    public async Task<string?> UpdateAsync(Action<double> progress, CancellationToken cancellationToken)
    {
        foreach (var directory in new[] { "parts", "sources", "state/lists/partial", "cache", "log", "archives/partial", "none/partial" })
            Directory.CreateDirectory(In(directory));
        await File.WriteAllTextAsync(In("status"), "", cancellationToken).ConfigureAwait(false);
        var sources = AptSources.Select(_suite, HostSystem.Suite);
        File.Delete(In("updated"));
        await File.WriteAllTextAsync(In("sources/ramet.sources"), sources, cancellationToken).ConfigureAwait(false);
        await File.WriteAllTextAsync(In("apt.conf"), Configuration(await ReadHostSettingsAsync(cancellationToken).ConfigureAwait(false)), cancellationToken).ConfigureAwait(false);

        var result = await RunAsync("apt-get", ["-q", "-o", "APT::Status-Fd=1", "-o", "APT::Update::Error-Mode=any", "update"], progress, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode == 0)
        {
            await File.WriteAllTextAsync(In("updated"), Stamp(sources), cancellationToken).ConfigureAwait(false);
            return null;
        }
        ThrowIfDiskFull(result);
        var reason = Reason(result);
        return Directory.EnumerateFiles(In("state/lists"), "*_Packages*").Any()
            ? reason
            : throw new ImageBuildException($"the package lists of Debian {_suite} could not be fetched; is the network up? apt-get says: {reason}");
    }

    /// <summary>Chooses versions of packages and of all that they depend on.</summary>
    /// <exception cref="ImageSpecException">There is no such package.</exception>
    /// <exception cref="ImageBuildException">The dependencies cannot be met.</exception>
    public async Task<IReadOnlyList<DebPackage>> ResolveAsync(ImageSpec spec, IReadOnlyList<string> packages, CancellationToken cancellationToken)
    {
        await RefuseUnknownAsync(spec, packages, cancellationToken).ConfigureAwait(false);
        // With an empty archive directory every package is listed, downloaded before or not.
        var result = await RunAsync("apt-get", ["-q", "-y", "--print-uris", "-o", $"Dir::Cache::archives={In("none")}", "install", "--", .. packages], null, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0) throw Unresolvable(spec, result);
        var chosen = result.Output.Where(line => line.StartsWith('\'')).Select(ParseUriLine).ToList();
        if (chosen.Count == 0) throw new ImageBuildException("apt-get chose no packages at all.");

        var hashes = await ReadHashesAsync(chosen, cancellationToken).ConfigureAwait(false);
        return [.. chosen.Select(package => package with
        {
            Sha256 = hashes.GetValueOrDefault((package.Name, package.Version, package.Architecture), ""),
            // apt does not copy what a file: source has.
            Path = package.Uri.StartsWith("file:", StringComparison.Ordinal) ? Uri.UnescapeDataString(package.Uri["file:".Length..]) : Path.Combine(Archives, package.FileName),
        })];
    }

    /// <summary>Downloads what is not there yet, and checks everything against the signed lists.</summary>
    public async Task DownloadAsync(IReadOnlyList<DebPackage> packages, Action<double> progress, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var missing = packages.Where(package => !File.Exists(package.Path)).ToList();
            if (missing.Count > 0)
            {
                var names = packages.Select(package => $"{package.Name}={package.Version}");
                var result = await RunAsync("apt-get", ["-q", "-y", "-o", "APT::Status-Fd=1", "--download-only", "install", "--", .. names], progress, cancellationToken).ConfigureAwait(false);
                ThrowIfDiskFull(result);
                if (result.ExitCode != 0) throw new ImageBuildException($"packages could not be downloaded; is the network up? apt-get says: {Reason(result)}");
            }
            var bad = packages.Where(package => !IsIntact(package, cancellationToken)).ToList();
            if (bad.Count == 0) return;
            if (attempt == 1) throw new ImageBuildException($"package {bad[0].Name} is not what the package list promises, twice. Its file: {bad[0].Path}");
            foreach (var package in bad) File.Delete(package.Path); // Damaged on disk: fetch it again.
        }
    }

    /// <summary>What the lists were fetched for. The place as well: apt.conf holds absolute paths, which a copied data directory has to write anew.</summary>
    private string Stamp(string sources) => $"# {_directory}\n{sources}";

    private string In(string name) => Path.Combine(_directory, name);

    private string Configuration(string hostSettings) => $"""
        {hostSettings}
        Dir::Etc::parts "{In("parts")}";
        Dir::Etc::main "{In("parts/none")}";
        Dir::Etc::sourcelist "/dev/null";
        Dir::Etc::sourceparts "{In("sources")}";
        Dir::Etc::preferences "/dev/null";
        Dir::Etc::preferencesparts "{In("parts")}";
        Dir::State "{In("state")}";
        Dir::State::status "{In("status")}";
        Dir::Cache "{In("cache")}";
        Dir::Cache::archives "{Archives}";
        Dir::Log "{In("log")}";
        APT::Architecture "{HostSystem.Architecture}";
        #clear APT::Architectures;
        APT::Architectures "{HostSystem.Architecture}";
        APT::Install-Recommends "false";
        APT::Install-Suggests "false";
        APT::Get::List-Cleanup "true";
        APT::Sandbox::User "root";
        Acquire::Languages "none";
        Dpkg::Use-Pty "false";

        """;

    /// <summary>Proxies, timeouts and the like from the host's configuration; no hooks, which would act on the host.</summary>
    private async Task<string> ReadHostSettingsAsync(CancellationToken cancellationToken)
    {
        var result = await Tool.RunAsync("apt-config", ["dump"], new Dictionary<string, string>(StringComparer.Ordinal), null, cancellationToken).ConfigureAwait(false);
        return string.Join('\n', result.Output.Where(line =>
        {
            var name = line.Split(' ', 2)[0];
            if (name.EndsWith("::", StringComparison.Ordinal) || line.EndsWith(" \"\";", StringComparison.Ordinal)) return false;
            return name.StartsWith("Acquire::http", StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("Acquire::ftp::", StringComparison.OrdinalIgnoreCase)
                || (name.StartsWith("Acquire::", StringComparison.OrdinalIgnoreCase) && name.Split("::").Length == 2);
        }));
    }

    private async Task<Tool.Result> RunAsync(string tool, IEnumerable<string> arguments, Action<double>? progress, CancellationToken cancellationToken)
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var full = new FullDiskWatch(_directory, cancellation.Cancel);
        try
        {
            return await Tool.RunAsync(tool, arguments, _environment, line =>
            {
                // APT::Status-Fd (apt's README.progress-reporting): dlstatus:number:percent:text
                if (!line.StartsWith("dlstatus:", StringComparison.Ordinal)) return false;
                if (line.Split(':', 4) is [_, _, var percent, _] && double.TryParse(percent, CultureInfo.InvariantCulture, out var value)) progress?.Invoke(Math.Clamp(value / 100, 0, 1));
                return true;
            }, cancellation.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (full.IsFull && !cancellationToken.IsCancellationRequested)
        {
            throw DiskFull($"no space left in {_directory}");
        }
    }

    /// <summary>apt-get would take an unknown name for a pattern; so names are compared first, which also finds what was meant.</summary>
    private async Task RefuseUnknownAsync(ImageSpec spec, IReadOnlyList<string> packages, CancellationToken cancellationToken)
    {
        var result = await RunAsync("apt-cache", ["pkgnames"], null, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0) throw new ImageBuildException($"the package lists cannot be read. apt-cache says: {Reason(result)}");
        var names = result.Output.ToHashSet(StringComparer.Ordinal);
        foreach (var package in packages)
        {
            var name = package.Split('=')[0];
            if (!names.Contains(name)) throw new ImageSpecException(spec.Source, spec.LineOfPackage(name), $"unknown package '{name}' in Debian {_suite}.{NearestName.Suggest(name, names)}");
        }
    }

    private static Exception Unresolvable(ImageSpec spec, Tool.Result result)
    {
        ThrowIfDiskFull(result);
        foreach (var line in result.Errors)
        {
            if (line.StartsWith("E: Version '", StringComparison.Ordinal) && line.Split('\'') is [_, _, _, var versioned, ..])
                return new ImageSpecException(spec.Source, spec.LineOfPackage(versioned), line["E: ".Length..] + ".");
            if (line.StartsWith("E: Package '", StringComparison.Ordinal) && line.Split('\'') is [_, var name, ..])
                return new ImageSpecException(spec.Source, spec.LineOfPackage(name), $"package '{name}' has no version to install: it is virtual or was removed.");
        }
        var unmet = result.Output.SkipWhile(line => !line.StartsWith("The following packages have unmet", StringComparison.Ordinal)).Skip(1).Select(line => line.Trim());
        return new ImageBuildException($"the packages of image '{spec.Name}' cannot be installed together: {string.Join("; ", unmet.Take(3).DefaultIfEmpty(Reason(result)))}");
    }

    /// <summary>'uri' file-name size hash</summary>
    private static DebPackage ParseUriLine(string line)
    {
        var end = line.IndexOf('\'', 1);
        var words = line[(end + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (end < 0 || words.Length < 2 || Path.GetFileNameWithoutExtension(words[0]).Split('_') is not [var name, var version, var architecture]
            || words[0].Contains('/', StringComparison.Ordinal) || !long.TryParse(words[1], out var size))
            throw new ImageBuildException($"apt-get printed something unexpected: {line}");
        return new DebPackage(name, Uri.UnescapeDataString(version), architecture, words[0], size, line[1..end]);
    }

    private async Task<Dictionary<(string Name, string Version, string Architecture), string>> ReadHashesAsync(List<DebPackage> packages, CancellationToken cancellationToken)
    {
        var result = await RunAsync("apt-cache", ["show", .. packages.Select(package => $"{package.Name}={package.Version}")], null, cancellationToken).ConfigureAwait(false);
        Dictionary<(string, string, string), string> hashes = [];
        string name = "", version = "", architecture = "";
        foreach (var line in result.Output)
        {
            if (line.Split(": ", 2) is not [var key, var value]) continue;
            switch (key)
            {
                case "Package": name = value; break;
                case "Version": version = value; break;
                case "Architecture": architecture = value; break;
                case "SHA256": hashes.TryAdd((name, version, architecture), value.Trim()); break;
                default: break;
            }
        }
        return hashes;
    }

    private static bool IsIntact(DebPackage package, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var stream = File.OpenRead(package.Path);
        if (package.Size > 0 && stream.Length != package.Size) return false;
        return package.Sha256.Length == 0 || string.Equals(Convert.ToHexString(SHA256.HashData(stream)), package.Sha256, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The line of apt's errors that tells most.</summary>
    private static string Reason(Tool.Result result) =>
        (result.Errors.FirstOrDefault(line => line.Contains("Failed to fetch", StringComparison.Ordinal))
            ?? result.Errors.LastOrDefault(line => line.StartsWith("E: ", StringComparison.Ordinal))
            ?? (result.Errors.Count > 0 ? result.Errors[^1] : null)
            ?? $"nothing (exit code {result.ExitCode})").Trim();

    private static void ThrowIfDiskFull(Tool.Result result)
    {
        if (result.ExitCode != 0 && result.Errors.Find("No space left on device", "enough free space", "Disk quota exceeded") is { } line)
            throw DiskFull(line.Trim());
    }

    private static ImageBuildException DiskFull(string detail) =>
        new($"the disk is full: {detail}. Free some space, or choose another data directory (--data-dir).");

}

/// <summary>Searching lines of output.</summary>
internal static class LineExtensions
{
    /// <summary>The first line that contains one of the phrases, or null.</summary>
    public static string? Find(this IReadOnlyList<string> lines, params ReadOnlySpan<string> phrases)
    {
        foreach (var line in lines)
            foreach (var phrase in phrases)
                if (line.Contains(phrase, StringComparison.OrdinalIgnoreCase)) return line;
        return null;
    }
}
