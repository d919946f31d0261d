using System.Diagnostics;
using System.Text;
using Ramet.Abi;
using Ramet.Kernel;
using Ramet.Kernel.Files;

namespace Ramet.Sandboxes.Tests.Conformance;

/// <summary>What came of a case: null text is a pass.</summary>
/// <param name="Failure">What went wrong; null: nothing.</param>
/// <param name="Skipped">Why it was not run; null: it was.</param>
internal sealed record CaseResult(string? Failure = null, string? Skipped = null)
{
    /// <summary>It ran and every check held.</summary>
    public bool Passed => Failure is null && Skipped is null;
}

/// <summary>
/// Runs the program of a file with all its cases in one go. A case that ends or hangs the whole program (or its sandbox) costs that case alone: the program is
/// started again behind it.
/// </summary>
internal static class ConformanceRun
{
    // Against hangs alone; a case has a limit of its own (CASE_SECONDS), and several of them may reach it.
    private static readonly TimeSpan RunLimit = TimeSpan.FromMinutes(10);

    /// <summary>Runs it on this machine.</summary>
    public static Dictionary<string, CaseResult> Natively(ConformanceFile file) => Run(file, arguments =>
    {
        var start = new ProcessStartInfo(file.Programs[0]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(RunLimit))
        {
            process.Kill(entireProcessTree: true);
            return (output.GetAwaiter().GetResult(), "time is up");
        }

        return (output.GetAwaiter().GetResult(), $"exit code {process.ExitCode}: {error.GetAwaiter().GetResult()}");
    });

    /// <summary>Runs it in a fresh sandbox of the image.</summary>
    public static Dictionary<string, CaseResult> InSandbox(ConformanceFile file, SandboxEngine engine, ImageLayer image, int virtualCpus) => Run(file, arguments =>
    {
        const string folder = "/opt/conformance/";
        var program = new MainProgram
        {
            Path = folder + "test",
            Arguments = [folder + "test", .. arguments],
            Environment = ["PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"],
            Files = [.. file.Programs.Select(path => new InjectedFile(folder + Path.GetFileName(path), File.ReadAllBytes(path), (InodeMode)0x1ED))],
        };
        using var sandbox = engine.Start(image, program, new SandboxOptions { Timeout = RunLimit, VirtualCpus = virtualCpus });
        sandbox.CloseInput();
        sandbox.Drive();
        var result = sandbox.Wait();
        return (Encoding.UTF8.GetString(result.Stdout), $"{result.End}, exit code {result.ExitCode} {result.Message} {Encoding.UTF8.GetString(result.Stderr)}");
    });

    private static Dictionary<string, CaseResult> Run(ConformanceFile file, Func<string[], (string Output, string End)> start)
    {
        var results = new Dictionary<string, CaseResult>(StringComparer.Ordinal);
        string[] arguments = [];
        while (true)
        {
            var (output, end) = start(arguments);
            string? running = null;
            bool done = false;
            foreach (string line in output.Split('\n'))
            {
                if (line == "done") done = true;
                else if (line.StartsWith("run ", StringComparison.Ordinal)) running = line[4..];
                else if (line.StartsWith("ok ", StringComparison.Ordinal)) results[line[3..]] = new CaseResult();
                else if (Outcome(line, "not ok ") is var (failed, failure)) results[failed] = new CaseResult(Failure: failure);
                else if (Outcome(line, "skip ") is var (skipped, why)) results[skipped] = new CaseResult(Skipped: why);
            }

            if (done) return results;
            // The case that was running ended everything. With none, the program does not even start.
            if (running is null || arguments.Contains(running)) return AllFailed(file, results, $"The program of {file.Name}.c ended too soon ({end}).");
            if (!results.ContainsKey(running)) results[running] = new CaseResult(Failure: $"It ended the whole program: {end}");
            arguments = ["--after", running];
        }
    }

    private static (string Name, string Text)? Outcome(string line, string prefix)
    {
        if (!line.StartsWith(prefix, StringComparison.Ordinal)) return null;
        int colon = line.IndexOf(": ", StringComparison.Ordinal);
        return colon < 0 ? null : (line[prefix.Length..colon], line[(colon + 2)..]);
    }

    private static Dictionary<string, CaseResult> AllFailed(ConformanceFile file, Dictionary<string, CaseResult> results, string reason)
    {
        foreach (string name in file.Cases) results.TryAdd(name, new CaseResult(Failure: reason));
        return results;
    }
}
