using System.Diagnostics;
using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using Xunit;

[assembly: AssemblyFixture(typeof(Ramet.Runtimes.Tests.RametCli))]

namespace Ramet.Runtimes.Tests;

/// <summary>Runs ./ramet as users do, on the data directory that test projects share. Images of tests/images are built when they are first needed.</summary>
public sealed class RametCli
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _templates = new(StringComparer.Ordinal);

    public RametCli()
    {
        Root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(Root, "Ramet.slnx"))) Root = Path.GetDirectoryName(Root) ?? throw new InvalidOperationException("The tests run outside the repository.");
        Data = Environment.GetEnvironmentVariable("RAMET_TEST_DATA_DIR") is { Length: > 0 } given ? given : Path.Combine(Root, "artifacts", "test-data");
    }

    public string Root { get; }

    public string Data { get; }

    /// <summary>Executes code in a fork of a template.</summary>
    internal Outcome Exec(string template, string code, params string[] arguments)
    {
        lock (_lock)
        {
            if (_templates.Add(template))
            {
                var built = Start(["exec", "--template", template, "-t", "5m", "0"], null, TimeSpan.FromMinutes(15));
                Assert.True(Directory.Exists(Path.Combine(Data, "templates", template)), $"The template cannot be built: {built.Error}");
            }
        }

        return Start(["exec", "--template", template, "-t", "2m", .. arguments, "--", code], null);
    }

    /// <summary>
    /// Runs a command in a sandbox of an image of tests/images, in a directory with the files of tests/programs/<paramref name="programs"/>.
    /// </summary>
    internal Outcome Run(string image, string programs, params string[] command) => Run(image, programs, [], command);

    internal Outcome Run(string image, string programs, string[] options, string[] command) => Run(image, programs, options, command, TimeSpan.FromMinutes(4));

    internal Outcome Run(string image, string programs, string[] options, string[] command, TimeSpan limit)
    {
        EnsureImage(image);
        using var files = new MemoryStream();
        TarFile.CreateFromDirectory(Path.Combine(Root, "tests", "programs", programs), files, includeBaseDirectory: false);
        return Start(
            [
                "run", "--image", image, "-t", $"{(int)limit.TotalSeconds}s", .. options.Contains("-m") ? options : ["-m", "2G", .. options],
                "--", "sh", "-c", "mkdir /work && cd /work && tar -x && exec \"$@\" </dev/null", "sh", .. command,
            ],
            files.ToArray(),
            limit + TimeSpan.FromMinutes(1));
    }

    /// <summary>Runs a command on this machine, in the directory of its program files.</summary>
    internal Outcome RunBare(string programs, params string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.Combine(Root, "tests", "programs", programs),
        })!;
        process.StandardInput.Close();
        return Finish(process, command[0]);
    }

    private void EnsureImage(string image)
    {
        string file = Path.Combine(Root, "tests", "images", image + ".yaml");
        string hash = Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));
        string mark = Path.Combine(Data, $"built-{image}");
        lock (_lock)
        {
            if (Directory.Exists(Path.Combine(Data, "images", image)) && File.Exists(mark) && File.ReadAllText(mark) == hash) return;
            var built = Start(["image", "build", file], null, TimeSpan.FromMinutes(15));
            Assert.True(built.ExitCode == 0, $"Image {image} cannot be built: {built.Error}");
            File.WriteAllText(mark, hash);
        }
    }

    private Outcome Start(string[] arguments, byte[]? input, TimeSpan? limit = null)
    {
        var start = new ProcessStartInfo(Path.Combine(Root, "ramet"), arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
            StandardOutputEncoding = Encoding.UTF8,
            WorkingDirectory = Root,
        };
        start.Environment["RAMET_DATA_DIR"] = Data;
        using var process = Process.Start(start)!;
        if (input is not null)
        {
            try
            {
                process.StandardInput.BaseStream.Write(input);
            }
            catch (IOException)
            {
                // It ended before it had read all.
            }
        }

        process.StandardInput.Close();
        return Finish(process, string.Join(' ', arguments), limit);
    }

    private static Outcome Finish(Process process, string what, TimeSpan? limit = null)
    {
        var error = Task.Run(process.StandardError.ReadToEnd);
        var output = Task.Run(process.StandardOutput.ReadToEnd);
        if (!process.WaitForExit(limit ?? TimeSpan.FromMinutes(5)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{what} did not end. stderr: {error.GetAwaiter().GetResult()}");
        }

        return new Outcome(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }
}
