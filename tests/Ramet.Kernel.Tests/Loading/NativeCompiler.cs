using System.Diagnostics;
using Xunit;

namespace Ramet.Kernel.Tests.Loading;

/// <summary>Runs the machine's C compiler and what it makes.</summary>
internal static class NativeCompiler
{
    /// <summary>Runs a command; returns its exit code and output.</summary>
    public static (int ExitCode, string Output, string Error) Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    /// <summary>Compiles C into a file in this folder.</summary>
    public static string Compile(TemporaryFolder folder, string source, params string[] options)
    {
        string input = folder.File("source.c");
        string output = folder.File("program");
        File.WriteAllText(input, source);
        var (code, _, error) = Run("gcc", [input, "-o", output, .. options]);
        Assert.True(code == 0, error);
        return output;
    }
}

/// <summary>A folder that goes when the test is over.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ramet-test-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
