using System.Diagnostics;
using System.Text;
using Ramet.Cli.Tests;

[assembly: AssemblyFixture(typeof(Cli))]

namespace Ramet.Cli.Tests;

/// <summary>What a run of ./ramet left.</summary>
public sealed record Outcome(int ExitCode, byte[] StdoutBytes, string Stderr, TimeSpan Time)
{
    public string Stdout => Encoding.UTF8.GetString(StdoutBytes);

    /// <summary>Ramet refused: this exit code, nothing on stdout, one line on stderr. Gives the line.</summary>
    public string AssertRefused(int exitCode)
    {
        Assert.Equal("", Stdout);
        string line = Assert.Single(Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("ramet: ", line, StringComparison.Ordinal);
        Assert.True(exitCode == ExitCode, $"exit code {ExitCode}: {line}");
        return line;
    }

    public Outcome AssertOk(string stdout)
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Stderr}");
        Assert.Equal(stdout, Stdout);
        return this;
    }
}

/// <summary>Runs ./ramet as users do, with one data directory for all tests, in which image and template are built once.</summary>
public sealed class Cli
{
    public Cli()
    {
        Root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(Root, "Ramet.slnx"))) Root = Path.GetDirectoryName(Root) ?? throw new InvalidOperationException("The tests run outside the repository.");
        Data = Environment.GetEnvironmentVariable("RAMET_TEST_DATA_DIR") is { Length: > 0 } given ? given : Path.Combine(Root, "artifacts", "test-data");
        var first = Run(["exec", "--timeout", "5m", "print('warm')"], limit: TimeSpan.FromMinutes(15));
        Assert.True(first.ExitCode == 0 && first.Stdout == "warm\n", $"The template cannot be built: {first.Stdout}{first.Stderr}");
    }

    public string Root { get; }

    public string Data { get; }

    public string Executable => Path.Combine(Root, "ramet");

    /// <summary>The executable itself, without the launcher: the process that signals go to.</summary>
    public string Native => Path.Combine(Root, "artifacts", "cli", "current", "ramet");

    public Outcome Run(params string[] arguments) => Run(arguments, input: null);

    public Outcome Run(string[] arguments, byte[]? input = null, IReadOnlyDictionary<string, string?>? environment = null, TimeSpan? limit = null)
    {
        var clock = Stopwatch.StartNew();
        using var process = Start(Executable, arguments, environment);
        var stdout = Task.Run(() =>
        {
            using var all = new MemoryStream();
            process.StandardOutput.BaseStream.CopyTo(all);
            return all.ToArray();
        });
        var stderr = Task.Run(process.StandardError.ReadToEnd);
        try
        {
            if (input is not null) process.StandardInput.BaseStream.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It did not want all of it.
        }

        if (!process.WaitForExit(limit ?? TimeSpan.FromMinutes(2)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"ramet {string.Join(' ', arguments)} did not end. stderr: {stderr.Result}");
        }

        return new Outcome(process.ExitCode, stdout.Result, stderr.Result, clock.Elapsed);
    }

    /// <summary>Starts it with all three streams as pipes.</summary>
    public Process Start(string file, string[] arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = Root,
        };
        foreach (string name in new[] { "RAMET_KVM_DEVICE", "RAMET_TRACE_STARTUP", "RAMET_DEBUG" }) start.Environment.Remove(name);
        start.Environment["RAMET_DATA_DIR"] = Data;
        start.Environment["DOTNET_ROOT"] = File.Exists(Path.Combine(Root, "artifacts/cli/current/dotnet-root")) ? File.ReadAllText(Path.Combine(Root, "artifacts/cli/current/dotnet-root")).Trim() : null;
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>()) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Runs another program, such as a shell, with the data directory set.</summary>
    public Outcome Shell(string script)
    {
        var clock = Stopwatch.StartNew();
        using var process = Start("/bin/bash", ["-c", script]);
        process.StandardInput.Close();
        var stderr = Task.Run(process.StandardError.ReadToEnd);
        string stdout = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, Encoding.UTF8.GetBytes(stdout), stderr.Result, clock.Elapsed);
    }

    /// <summary>A data directory of a test's own, with the shared image (linked) and a copy of the template.</summary>
    public TemporaryData CopyData(bool withTemplate = true) => new(this, withTemplate);
}

/// <summary>Gone at the end of the test.</summary>
public sealed class TemporaryData : IDisposable
{
    internal TemporaryData(Cli cli, bool withTemplate)
    {
        Path = Directory.CreateTempSubdirectory("ramet-cli-tests-").FullName;
        Directory.CreateSymbolicLink(System.IO.Path.Combine(Path, "images"), System.IO.Path.Combine(cli.Data, "images"));
        if (!withTemplate) return;
        Directory.CreateDirectory(TemplateDirectory);
        foreach (string file in Directory.EnumerateFiles(System.IO.Path.Combine(cli.Data, "templates", "python")))
            File.Copy(file, System.IO.Path.Combine(TemplateDirectory, System.IO.Path.GetFileName(file)));
    }

    public string Path { get; }

    public string TemplateDirectory => System.IO.Path.Combine(Path, "templates", "python");

    public string Snapshot => System.IO.Path.Combine(TemplateDirectory, "snapshot.bin");

    public IEnumerable<string> Leftovers => Directory.Exists(System.IO.Path.Combine(Path, "templates"))
        ? Directory.EnumerateFileSystemEntries(System.IO.Path.Combine(Path, "templates"), ".tmp-*")
        : [];

    public void Dispose()
    {
        Directory.Delete(System.IO.Path.Combine(Path, "images")); // The link alone.
        Directory.Delete(Path, recursive: true);
    }
}
