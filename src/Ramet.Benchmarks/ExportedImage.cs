using System.Diagnostics;
using Ramet.Images;

namespace Ramet.Benchmarks;

/// <summary>An image's own files as a directory of the bare machine, for programs that run there from the same files.</summary>
internal static class ExportedImage
{
    /// <summary>Exports that are kept: one for each image that benchmarks use.</summary>
    private const int Kept = 2;

    /// <summary>The words before a program that runs it with the directory as root: chroot, or a user namespace for users other than root.</summary>
    public static string[] Enter(string root) => Environment.IsPrivilegedProcess ? ["chroot", root] : ["unshare", "--user", "--map-root-user", $"--root={root}"];

    /// <summary>The same with this machine's /dev, in a mount namespace of its own; exports have no devices.</summary>
    public static string[] EnterWithDevices(string root)
    {
        string[] unshare = Environment.IsPrivilegedProcess ? ["unshare", "--mount"] : ["unshare", "--mount", "--user", "--map-root-user"];
        return [.. unshare, "sh", "-c", "mount --rbind /dev \"$0/dev\" && exec chroot \"$0\" \"$@\"", root];
    }

    /// <summary>The image's files as a directory; made once for each image.</summary>
    public static string Get(string dataDirectory, Image image)
    {
        string cache = Path.Combine(dataDirectory, "cache");
        string root = Path.Combine(cache, "bench-" + image.Id[..16]);
        if (Directory.Exists(root)) return root;
        Directory.CreateDirectory(cache);
        RemoveOld(cache);
        string temporary = Path.Combine(cache, $"bench-tmp-{Guid.NewGuid():n}");
        Directory.CreateDirectory(temporary);
        // Device nodes need privileges, and nothing here needs them.
        using (var tar = Start("tar", ["-x", "-p", "--exclude=./dev/*", "-C", temporary], input: true))
        {
            try
            {
                ImageExporter.WriteTar(image, tar.StandardInput.BaseStream);
                tar.StandardInput.Close();
            }
            catch (IOException)
            {
                // tar has said why, below.
            }

            string problem = tar.StandardError.ReadToEnd();
            tar.WaitForExit();
            if (tar.ExitCode != 0)
            {
                Directory.Delete(temporary, recursive: true);
                throw new BenchmarkException($"The image's files cannot be unpacked to {cache}: {problem.TrimEnd()}");
            }
        }

        Directory.Move(temporary, root);
        return root;
    }

    private static void RemoveOld(string cache)
    {
        var old = new DirectoryInfo(cache).EnumerateDirectories("bench-*").OrderByDescending(directory => directory.CreationTimeUtc).Skip(Kept - 1);
        foreach (var directory in old) directory.Delete(recursive: true);
    }

    /// <summary>Starts a program with its streams redirected and almost no environment.</summary>
    /// <exception cref="BenchmarkException">It cannot be started.</exception>
    public static Process Start(string program, IReadOnlyList<string> arguments, bool input)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardInput = input, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["LC_ALL"] = "C.UTF-8";
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new BenchmarkException($"{program} cannot be started: {exception.Message} Install it (coreutils, util-linux, tar).");
        }
    }
}
