using System.Diagnostics;
using System.Reflection;

namespace Ramet.Benchmarks.Fuzzing;

/// <summary>The guest's side of the fuzzer: C sources that are part of this assembly, and the program that gcc makes of them.</summary>
internal static class FuzzProgram
{
    private const string Prefix = "Ramet.Benchmarks.Fuzzing.";

    /// <summary>Compiles it.</summary>
    /// <exception cref="BenchmarkException">There is no gcc, or it cannot compile the program.</exception>
    public static byte[] Compile()
    {
        var folder = Directory.CreateTempSubdirectory("ramet-fuzz-");
        try
        {
            var assembly = Assembly.GetExecutingAssembly();
            List<string> sources = [];
            foreach (string name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
            {
                string path = Path.Combine(folder.FullName, name[Prefix.Length..]);
                using var stream = assembly.GetManifestResourceStream(name)!;
                using var file = File.Create(path);
                stream.CopyTo(file);
                if (path.EndsWith(".c", StringComparison.Ordinal)) sources.Add(path);
            }

            string program = Path.Combine(folder.FullName, "fuzz");
            Run([.. sources, "-O1", "-g", "-pthread", "-Wall", "-Wextra", "-Werror", "-o", program]);
            return File.ReadAllBytes(program);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Run(IEnumerable<string> arguments)
    {
        try
        {
            using var gcc = Process.Start(new ProcessStartInfo("gcc", arguments) { RedirectStandardError = true, UseShellExecute = false })!;
            string error = gcc.StandardError.ReadToEnd();
            gcc.WaitForExit();
            if (gcc.ExitCode != 0) throw new BenchmarkException($"gcc cannot compile the fuzzer: {error}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new BenchmarkException("The fuzzer is a C program and needs gcc. Install it: sudo apt-get install gcc libc6-dev");
        }
    }
}
