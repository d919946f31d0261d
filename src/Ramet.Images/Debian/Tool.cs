using System.ComponentModel;
using System.Diagnostics;

namespace Ramet.Images.Debian;

/// <summary>Runs apt's and dpkg's programs.</summary>
internal static class Tool
{
    private const int SigInt = 2;

    /// <summary>What a program left.</summary>
    internal sealed record Result(int ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors);

    /// <summary>Runs a program to its end. When cancelled, ends it and its children first.</summary>
    /// <param name="name">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables to set.</param>
    /// <param name="onLine">Called for each line of output; true keeps the line out of the result.</param>
    /// <param name="cancellationToken">Ends the program.</param>
    /// <exception cref="ImageBuildException">The program is not installed.</exception>
    public static async Task<Result> RunAsync(
        string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, Func<string, bool>? onLine, CancellationToken cancellationToken)
    {
        using var process = Start(name, arguments, environment);
        List<string> output = [], errors = [];
        using (cancellationToken.UnsafeRegister(static state => Kill((Process)state!), process))
        {
            var readErrors = Task.Run(async () =>
            {
                while (await process.StandardError.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
                    if (line.Length > 0) errors.Add(line);
            }, CancellationToken.None);
            while (await process.StandardOutput.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
                if (onLine is null || !onLine(line)) output.Add(line);
            await readErrors.ConfigureAwait(false);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
        cancellationToken.ThrowIfCancellationRequested();
        // Ctrl-C goes to the whole process group: the tool may be gone before our own token is set.
        if (process.ExitCode == 128 + SigInt) throw new OperationCanceledException($"{name} was interrupted.");
        return new Result(process.ExitCode, output, errors);
    }

    /// <summary>Starts a program with its output and errors as pipes and nothing to read.</summary>
    public static Process Start(string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(name, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        start.Environment["LC_ALL"] = "C";
        foreach (var (key, value) in environment) start.Environment[key] = value;
        try
        {
            var process = Process.Start(start)!;
            process.StandardInput.Close();
            return process;
        }
        catch (Win32Exception e)
        {
            throw new ImageBuildException($"{name} was not found: images are built with Debian's package tools. Install them with: apt-get install apt dpkg", e);
        }
    }

    /// <summary>Ends a program and its children, if it still runs.</summary>
    public static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It has ended already.
        }
    }
}
