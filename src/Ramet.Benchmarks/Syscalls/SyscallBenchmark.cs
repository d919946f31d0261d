using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text;
using Ramet.Host;
using Ramet.Images;
using Ramet.Kernel;
using Ramet.Kernel.Files;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks.Syscalls;

/// <summary>
/// What programs ask of a kernel, on the bare machine, in Ramet and in gVisor: one static binary (probe.c), made by the image's own gcc, runs from the same files in turn and times itself. Its answers
/// are checked by itself, its clock from outside.
/// </summary>
public sealed class SyscallBenchmark(SandboxEngine engine, ImageLayer layer, Image image)
{
    /// <summary>The image that has all programs.</summary>
    public const string ImageName = "bench";

    /// <summary>The probe runs this often in each place: what differs from process to process is in the medians as well.</summary>
    private const int Rounds = 2;

    private const string ProbePath = "/tmp/probe/probe", WorkingDirectory = "/tmp/probe/work";
    private const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static readonly SandboxOptions s_options = new() { MemoryBytes = 1UL << 30, Timeout = TimeSpan.FromMinutes(10) };

    /// <summary>Measures.</summary>
    /// <param name="runs">Measurements of each thing in each place, at least.</param>
    /// <exception cref="BenchmarkException">An answer was wrong, or the image's files do not run on this machine.</exception>
    public SyscallReport Run(int runs)
    {
        string root = ExportedImage.Get(engine.DataDirectory, image);
        string folder = root + "/tmp/probe";
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        try
        {
            byte[] probe = Compile(root);
            var report = new SyscallReport { RunscVersion = RunscVersion() };
            string count = ((runs + Rounds - 1) / Rounds).ToString(CultureInfo.InvariantCulture);
            for (int i = 0; i < Rounds; i++)
            {
                Take(report, Place.Bare, () => RunBare(root, count));
                Take(report, Place.Ramet, () => RunInSandbox(probe, count));
                if (report.RunscVersion is not null) Take(report, Place.Runsc, () => RunInRunsc(root, count));
            }

            return report;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Take(SyscallReport report, Place place, Func<string> run)
    {
        long started = HostClock.MonotonicNanoseconds;
        string output = run();
        double outside = HostClock.MonotonicNanoseconds - started;
        double? total = null;
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            if (words.Length != 2 || !double.TryParse(words[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double nanoseconds) || nanoseconds <= 0)
                throw new BenchmarkException($"The probe printed '{line}' on {place}.");
            if (words[0] == "total") total = nanoseconds;
            else report.Add(words[0], place, nanoseconds / 1000);
        }

        if (total is null) throw new BenchmarkException($"The probe did not come to its end on {place}.");
        // The probe lives for seconds; starting it takes a fraction of one. Half: the machine may be busy.
        if (total > outside || total < outside / 2) throw new BenchmarkException($"The clock is wrong on {place}: {total / 1e9:F2} s inside, {outside / 1e9:F2} s outside.");
    }

    private static byte[] Compile(string root)
    {
        using (var source = Assembly.GetExecutingAssembly().GetManifestResourceStream("Ramet.Benchmarks.Syscalls.probe.c")!)
        using (var file = File.Create(root + ProbePath + ".c"))
            source.CopyTo(file);
        RunHere(ExportedImage.EnterWithDevices(root), "gcc", "-O1", "-static", "-o", ProbePath, ProbePath + ".c");
        return File.ReadAllBytes(root + ProbePath);
    }

    private static string RunBare(string root, string count)
    {
        string output = RunHere(ExportedImage.EnterWithDevices(root), ProbePath, WorkingDirectory, count);
        Directory.Delete(root + WorkingDirectory, recursive: true);
        return output;
    }

    private static string RunInRunsc(string root, string count) => RunHere(
        ["runsc", "--rootless", "--network=none", "--ignore-cgroups", "--platform=ptrace", "do", "-quiet", "-root", root, "-cwd", "/tmp", ProbePath], WorkingDirectory, count);

    private string RunInSandbox(byte[] probe, string count)
    {
        engine.WaitForTeardown();
        var program = new MainProgram
        {
            Path = ProbePath,
            Arguments = [ProbePath, WorkingDirectory, count],
            Environment = ["PATH=" + SearchPath, "LC_ALL=C.UTF-8"],
            Files = [new InjectedFile(ProbePath, probe, (Abi.InodeMode)0x1ED)],
        };
        using var sandbox = engine.Start(layer, program, s_options);
        sandbox.CloseInput();
        sandbox.Drive();
        var result = sandbox.Wait();
        if (result.End == SandboxEnd.Exited && result.ExitCode == 0) return Encoding.UTF8.GetString(result.Stdout);
        throw new BenchmarkException($"The probe ended as {result.End} with exit code {result.ExitCode} in Ramet. {result.Message} {Encoding.UTF8.GetString(result.Stderr)}".TrimEnd());
    }

    private static string? RunscVersion()
    {
        try
        {
            string first = RunHere(["runsc"], "--version").Split('\n')[0];
            return first.Replace("runsc version", "", StringComparison.Ordinal).Trim();
        }
        catch (BenchmarkException)
        {
            return null; // Not installed: the report says so.
        }
    }

    private static string RunHere(string[] words, params string[] more)
    {
        string[] all = [.. words, .. more];
        using var process = ExportedImage.Start(all[0], all[1..], input: true);
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new BenchmarkException($"{string.Join(' ', all)} ended with {process.ExitCode}: {error.GetAwaiter().GetResult()}".TrimEnd());
    }
}
