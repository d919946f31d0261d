using System.Text;
using Ramet.Images;
using Ramet.Kernel;
using Ramet.Kernel.FileSystems;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// Compiles the Python modules of an image to byte code, as Debian's py3compile does when packages are installed: without it every start of Python compiles what it imports.
/// Done by the image's own Python, in a sandbox on the draft. Where KVM cannot be used the image is left as it is: it works, more slowly.
/// </summary>
/// <param name="kvmDevice">The KVM device.</param>
public sealed class PythonByteCode(string kvmDevice = "/dev/kvm") : IImageFinisher
{
    private const string Interpreter = "/usr/bin/python3";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    /// <inheritdoc/>
    public string Id => "Python byte code 1";

    /// <summary>Options for a store whose images are those that sandboxes use. All stores of a data directory must agree, or they would build images again in turn.</summary>
    /// <param name="kvmDevice">The KVM device.</param>
    public static ImageStoreOptions StoreOptions(string kvmDevice = "/dev/kvm") => new() { Finishers = [new PythonByteCode(kvmDevice)] };

    /// <inheritdoc/>
    public bool AppliesTo(ImageSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.Packages.Any(package => package.StartsWith("python3", StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    public Task FinishAsync(Image draft, ImageTree tree, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tree);
        string[] directories = [.. FindDirectories(tree)];
        if (directories.Length == 0 || tree.Find(Interpreter) is null) return Task.CompletedTask;
        SandboxEngine engine;
        try
        {
            engine = new SandboxEngine(draft.Directory, kvmDevice);
        }
        catch (KvmException)
        {
            return Task.CompletedTask;
        }

        using (engine) Compile(engine, draft, tree, directories, cancellationToken);
        return Task.CompletedTask;
    }

    /// <summary>/usr/lib/python3.N and the directories of modules that packages bring.</summary>
    private static IEnumerable<string> FindDirectories(ImageTree tree)
    {
        foreach (string parent in new[] { "/usr/lib", "/usr/local/lib" })
        {
            if (tree.Find(parent) is not { } directory) continue;
            foreach (var (name, node) in directory.Entries)
            {
                if (name.StartsWith("python3", StringComparison.Ordinal) && node.IsDirectory) yield return $"{parent}/{name}";
            }
        }
    }

    private static void Compile(SandboxEngine engine, Image draft, ImageTree tree, string[] directories, CancellationToken cancellationToken)
    {
        // The engine's other images are closed with it; the draft is the caller's.
        using var layer = new ImageLayer(draft, static () => throw new InvalidOperationException("A draft has no manifest."));
        var program = new MainProgram
        {
            Path = Interpreter,
            // Tests of packages are left out: few run them, and they are as long as the rest.
            Arguments = [Interpreter, "-m", "compileall", "-q", "-x", "/tests?/", .. directories],
            // The same hashes each time, so that the same packages make the same image.
            Environment = ["PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "PYTHONHASHSEED=0"],
        };
        // The machine must be gone before the layer that it maps.
        using var gone = new Teardown(engine);
        using var sandbox = engine.Start(layer, program, new SandboxOptions { MemoryBytes = 2UL << 30, Timeout = s_limit });
        using var cancelled = cancellationToken.Register(() => sandbox.Kill());
        sandbox.CloseInput();
        sandbox.Drive();
        var result = sandbox.Wait();
        cancellationToken.ThrowIfCancellationRequested();
        // Exit code 1: some files are not Python 3 (templates of code); the others are compiled.
        if (result.End != SandboxEnd.Exited || result.ExitCode is not (0 or 1))
        {
            throw new ImageBuildException(
                $"Compiling the image's Python modules failed with exit code {result.ExitCode}. {result.Message} {Encoding.UTF8.GetString(result.Stderr).TrimEnd()}".TrimEnd());
        }

        lock (sandbox.Kernel.Lock)
        {
            foreach (var file in ChangedFiles.Find(sandbox.Kernel))
            {
                if (file is not { Change: FileChange.Added, Inode.IsRegular: true } || !file.Path.EndsWith(".pyc", StringComparison.Ordinal)) continue;
                if (directories.Any(directory => file.Path.StartsWith(directory + "/", StringComparison.Ordinal))) tree.AddFile(file.Path, file.ReadContent());
            }
        }
    }

    private readonly struct Teardown(SandboxEngine engine) : IDisposable
    {
        public void Dispose() => engine.WaitForTeardown();
    }
}
