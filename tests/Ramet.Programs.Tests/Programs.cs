using System.Diagnostics;
using Ramet.Programs.Tests;

[assembly: AssemblyFixture(typeof(Programs))]

namespace Ramet.Programs.Tests;

/// <summary>What a run left.</summary>
internal sealed record Outcome(int ExitCode, string Stdout, string Stderr, TimeSpan Time);

/// <summary>Runs programs with ./ramet as users do, and on the bare machine. Images are built from tests/images when first needed.</summary>
public sealed class Programs
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _ready = new(StringComparer.Ordinal);

    /// <summary>The repository.</summary>
    public static string Root { get; } = FindRoot();

    private static string Data => Environment.GetEnvironmentVariable("RAMET_TEST_DATA_DIR") is { Length: > 0 } given ? given : Path.Combine(Root, "artifacts", "test-data");

    /// <summary>Runs a script of the folder Scripts in a sandbox, and on the bare machine if that has the programs.</summary>
    /// <param name="name">The script.</param>
    /// <param name="bare">Programs that the bare machine needs; null: it is not to run there (it wants ports, or changes the system).</param>
    internal void Check(string name, string[]? bare)
    {
        var script = Script.Read(name);
        script.Check(RunInSandbox(script.Image, script.Options, "mkdir /work && cd /work\n" + script.Body), "in a sandbox");
        if (bare?.All(IsOnPath) == true) script.Check(RunBare(script.Body), "on the bare machine");
    }

    /// <summary>Runs a script with bash in a fresh sandbox.</summary>
    internal Outcome RunInSandbox(string image, string[] options, string script)
    {
        Prepare(image);
        return Run(
            Path.Combine(Root, "ramet"),
            ["run", "--image", image, "--timeout", "3m", "-e", "LC_ALL=C", "-e", "TZ=UTC", "-e", "HOME=/work", .. options, "--", "bash", "-c", script, "script"], Root, []);
    }

    /// <summary>Runs ./ramet itself.</summary>
    internal static Outcome RunRamet(params string[] arguments) => Run(Path.Combine(Root, "ramet"), arguments, Root, []);

    /// <summary>Runs a script with bash on this machine, in a folder of its own.</summary>
    internal static Outcome RunBare(string script)
    {
        string folder = Directory.CreateTempSubdirectory("ramet-programs-").FullName;
        try
        {
            // .NET ignores SIGPIPE, and children inherit that.
            return Run("/usr/bin/env", ["--default-signal=PIPE", "bash", "-c", script, "script"], folder, new() { ["LC_ALL"] = "C", ["TZ"] = "UTC", ["HOME"] = folder, ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" });
        }
        finally
        {
            // Whatever modes the script left; shells that were hung up may still write their history.
            using var remove = Process.Start("sh", ["-c", "rm -rf \"$0\" 2> /dev/null || { sleep 1; rm -rf \"$0\"; }", folder]);
            remove.WaitForExit();
        }
    }

    private static bool IsOnPath(string program) => ((string[])["/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]).Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>Builds an image, unless it is there as its specification says.</summary>
    private void Prepare(string image)
    {
        lock (_lock)
        {
            if (_ready.Contains(image)) return;
            string specification = Path.Combine(Root, "tests", "images", image + ".yaml");
            string built = Path.Combine(Data, "specifications", image + ".yaml");
            bool current = File.Exists(built) && File.ReadAllText(built) == File.ReadAllText(specification) && Directory.Exists(Path.Combine(Data, "images", image));
            if (!current)
            {
                var build = Run(Path.Combine(Root, "ramet"), ["image", "build", specification], Root, []);
                Assert.True(build.ExitCode == 0, $"The image {image} cannot be built: {build.Stderr}");
                Directory.CreateDirectory(Path.GetDirectoryName(built)!);
                File.Copy(specification, built, overwrite: true);
            }

            _ready.Add(image);
        }
    }

    private static Outcome Run(string file, string[] arguments, string folder, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(file, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        foreach (string name in (string[])["RAMET_KVM_DEVICE", "RAMET_TRACE_STARTUP", "RAMET_DEBUG"]) start.Environment.Remove(name);
        if (environment.Count > 0) start.Environment.Clear();
        foreach (var (name, value) in environment) start.Environment[name] = value;
        start.Environment["RAMET_DATA_DIR"] = Data;
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var stdout = Task.Run(process.StandardOutput.ReadToEnd);
        var stderr = Task.Run(process.StandardError.ReadToEnd);
        if (!process.WaitForExit(TimeSpan.FromMinutes(15)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{file} {arguments[0]} did not end. stderr: {stderr.Result}");
        }

        return new Outcome(process.ExitCode, stdout.Result, stderr.Result, clock.Elapsed);
    }

    private static string FindRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Ramet.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests run outside the repository.");
        return folder;
    }
}
