using System.Diagnostics;
using System.Globalization;

namespace Ramet.Sdk.Tests;

/// <summary>What a finished command left.</summary>
public sealed record Outcome(int ExitCode, string Stdout, string Stderr)
{
    /// <summary>All that it said.</summary>
    public string Text => Stdout + Stderr;

    /// <summary>The number in the one line that begins with this, between it and what follows.</summary>
    public int Number(string before, string after)
    {
        var lines = Text.Split('\n').Where(one => one.StartsWith(before, StringComparison.Ordinal)).ToList();
        Assert.True(lines.Count == 1, $"Not one line begins with '{before}', but {lines.Count}:\n{Text}");
        string rest = lines[0][before.Length..].TrimEnd();
        return int.Parse(after.Length > 0 ? rest[..rest.IndexOf(after, StringComparison.Ordinal)] : rest, CultureInfo.InvariantCulture);
    }
}

/// <summary>Starts the tools of other ecosystems.</summary>
internal static class Tools
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(10);

    static Tools()
    {
        Root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(Root, "Ramet.slnx"))) Root = Path.GetDirectoryName(Root) ?? throw new InvalidOperationException("The tests run outside the repository.");
    }

    /// <summary>The repository.</summary>
    public static string Root { get; }

    /// <summary>Path of a tool; the test fails when it is not there.</summary>
    public static string Find(string package, params string[] candidates)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        string? found = candidates.SelectMany(name => name[0] == '/' ? [name] : folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        Assert.True(found is not null, $"{candidates[^1]} is missing. Install it: sudo apt-get install {package}");
        return found!;
    }

    /// <summary>Runs a command to its end.</summary>
    public static Outcome Run(string directory, IReadOnlyDictionary<string, string>? environment, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = directory, RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("RAMET_", StringComparison.Ordinal) || name is "PYTHONPATH" or "NODE_OPTIONS").ToList()) start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var stderr = process.StandardError.ReadToEndAsync();
        var stdout = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(s_longest))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} has not ended: {stdout.Result}{stderr.Result}");
        }

        return new Outcome(process.ExitCode, stdout.Result, stderr.Result);
    }

    /// <summary>Runs a command that must succeed.</summary>
    public static Outcome Must(string directory, IReadOnlyDictionary<string, string>? environment, string program, params string[] arguments)
    {
        var outcome = Run(directory, environment, program, arguments);
        Assert.True(outcome.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {outcome.ExitCode}:\n{outcome.Text}");
        return outcome;
    }

    /// <summary>Copies a folder, without what builds leave in it.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string folder in Directory.GetDirectories(from))
        {
            if (Path.GetFileName(folder) is not ("node_modules" or "dist" or "build" or "target" or "__pycache__")) Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
        }
    }
}

/// <summary>A folder of a test's own.</summary>
internal sealed class Workplace : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ramet-sdk-tests-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
