using System.Diagnostics;
using System.Globalization;
using Ramet.Images;

namespace Ramet.Benchmarks;

/// <summary>
/// The Python of an image on the bare machine: the image's own files in a directory, entered with chroot (or a user namespace, without root). A small driver in it starts
/// each program and times it, so that what is measured is a plain Linux process.
/// </summary>
internal sealed class BareInterpreter : IDisposable
{
    private const string Driver = """
        import os, sys, time
        programs = sys.argv[1:]
        env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        for line in sys.stdin:
            program = programs[int(line)]
            r, w = os.pipe()
            started = time.perf_counter_ns()
            pid = os.posix_spawn("/usr/bin/python3", ["/usr/bin/python3", "-c", program], env, file_actions=[(os.POSIX_SPAWN_DUP2, w, 1)])
            os.close(w)
            output = b""
            while True:
                piece = os.read(r, 65536)
                if not piece: break
                output += piece
            _, status = os.waitpid(pid, 0)
            ended = time.perf_counter_ns()
            os.close(r)
            print(status, ended - started, output.decode().strip(), flush=True)
        """;

    private readonly Process _process;

    /// <summary>Starts the driver.</summary>
    /// <param name="dataDirectory">Where the image's files are kept, once exported.</param>
    /// <param name="image">The image.</param>
    /// <param name="programs">The programs that <see cref="Run"/> chooses from.</param>
    /// <exception cref="BenchmarkException">The image's files cannot be run on this machine.</exception>
    public BareInterpreter(string dataDirectory, Image image, params IReadOnlyList<string> programs)
    {
        string root = ExportedImage.Get(dataDirectory, image);
        string[] enter = ExportedImage.Enter(root);
        _process = ExportedImage.Start(enter[0], [.. enter[1..], "/usr/bin/python3", "-c", Driver, .. programs], input: true);
    }

    /// <summary>Runs a program once: its output, and the wall time from its start to its end in nanoseconds.</summary>
    public (string Output, long Nanoseconds) Run(int program)
    {
        _process.StandardInput.WriteLine(program.ToString(CultureInfo.InvariantCulture));
        _process.StandardInput.Flush();
        string[] answer = _process.StandardOutput.ReadLine()?.Split(' ', 3) ?? [];
        if (answer is not ["0", var nanoseconds, var output])
            throw new BenchmarkException($"The image's Python does not run on the bare machine: {string.Join(' ', answer)} {_process.StandardError.ReadToEnd()}".TrimEnd());
        return (output, long.Parse(nanoseconds, CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(5000)) _process.Kill();
        _process.Dispose();
    }
}
