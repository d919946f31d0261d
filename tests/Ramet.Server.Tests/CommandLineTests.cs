using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Ramet.Server.Keys;

namespace Ramet.Server.Tests;

/// <summary><c>ramet sandbox</c> as people and scripts use it, against a server.</summary>
public sealed class CommandLineTests(Daemon daemon)
{
    [Fact]
    public void A_sandbox_is_made_used_listed_and_removed()
    {
        string id = Done("create", "--metadata", "a=b", "-e", "WHO=me", "--timeout", "10m").Trim();
        Assert.StartsWith("sb_", id, StringComparison.Ordinal);
        Assert.Equal("", Done("run", id, "x = 41"));
        Assert.Equal("hi\n42\n", Done("run", id, "print('hi')\nx + 1"));
        var failed = Run(["run", id, "1 / 0"]);
        Assert.Equal(1, failed.ExitCode);
        Assert.Contains("ZeroDivisionError", failed.Stderr, StringComparison.Ordinal);
        Assert.Contains(id, Done("ls"), StringComparison.Ordinal);
        Assert.Equal("b", (string?)JsonNode.Parse(Done("get", id))!["metadata"]!["a"]);
        Assert.True((long)JsonNode.Parse(Done("metrics", id))!["runs"]! >= 2);
        Assert.Contains("created", Done("logs", id), StringComparison.Ordinal);
        Done("rm", id);
        var gone = Run(["get", id]);
        Assert.Equal(2, gone.ExitCode);
        Assert.Contains(id, gone.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_passes_streams_and_the_exit_code_on_byte_for_byte()
    {
        string id = Done("create").Trim();
        byte[] input = [0, 255, 10, 13, .. Enumerable.Range(0, 200_000).Select(i => (byte)(i * 7))];
        using (var process = Start(["exec", id, "sh", "-c", "cat; echo err >&2; exit 3"]))
        {
            var errors = process.StandardError.ReadToEndAsync();
            var writing = Task.Run(() =>
            {
                process.StandardInput.BaseStream.Write(input);
                process.StandardInput.Close();
            });
            using var output = new MemoryStream();
            await process.StandardOutput.BaseStream.CopyToAsync(output);
            await process.WaitForExitAsync();
            await writing;
            Assert.Equal(3, process.ExitCode);
            Assert.Equal(input, output.ToArray());
            Assert.Equal("err\n", await errors);
        }

        Assert.Equal("/tmp\nx\n", Done("exec", "-w", "/tmp", "-e", "A=x", id, "sh", "-c", "pwd; echo $A"));
        Assert.Equal(2, Run(["exec", id]).ExitCode);
        Done("rm", id);
    }

    [Fact]
    public void Files_and_directories_are_copied_both_ways()
    {
        string directory = Directory.CreateTempSubdirectory("ramet-cp-").FullName;
        try
        {
            string id = Done("create").Trim();
            File.WriteAllText(Path.Combine(directory, "file"), "text");
            Directory.CreateDirectory(Path.Combine(directory, "tree", "below"));
            File.WriteAllBytes(Path.Combine(directory, "tree", "below", "bytes"), [0, 1, 255]);
            Done("cp", Path.Combine(directory, "file"), $"{id}:/root/");
            Assert.Equal("text", Done("cp", $"{id}:/root/file", "-"));
            Done("cp", Path.Combine(directory, "tree"), $"{id}:/root/tree");
            Assert.Equal("3\n", Done("exec", id, "sh", "-c", "wc -c </root/tree/below/bytes"));
            Done("cp", $"{id}:/root/tree", Path.Combine(directory, "back"));
            Assert.Equal([0, 1, 255], File.ReadAllBytes(Path.Combine(directory, "back", "below", "bytes")));
            Assert.Equal(2, Run(["cp", Path.Combine(directory, "none"), $"{id}:/x"]).ExitCode);
            Assert.Equal(2, Run(["cp", "a", "b"]).ExitCode);
            Done("rm", id);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void Points_of_a_sandbox_are_reached_from_the_command_line()
    {
        string file = Path.Combine(Path.GetTempPath(), $"ramet-saved-{Guid.NewGuid():n}");
        try
        {
            string id = Done("create").Trim();
            Done("run", id, "x = 1");
            Done("checkpoint", id, "--name", "one");
            Done("run", id, "x = 2\nopen('/root/new', 'w').write('n')");
            string diff = Done("diff", id, "one");
            Assert.Contains("+ /root/new (1 B)", diff, StringComparison.Ordinal);
            Assert.Contains("memory:", diff, StringComparison.Ordinal);
            Assert.Contains("one", Done("checkpoint", id, "--list"), StringComparison.Ordinal);
            string[] children = Done("fork", id, "-n", "2").Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(2, children.Length);
            Assert.All(children, child => Assert.Equal("2\n", Done("run", child, "x")));
            Done("rewind", id, "one");
            Assert.Equal("1\n", Done("run", id, "x"));
            Done("pause", id);
            Assert.Equal(2, Run(["run", id, "x"]).ExitCode);
            Done("resume", id);
            string snapshot = Done("snapshot", id, "--name", "s").Trim();
            Assert.Contains(snapshot, Done("snapshot", "--list"), StringComparison.Ordinal);
            string fromSnapshot = Done("create", "--snapshot", snapshot).Trim();
            Assert.Equal("1\n", Done("run", fromSnapshot, "x"));
            Done("snapshot", "--delete", snapshot);
            Done("save", id, file);
            string restored = Done("restore", file).Trim();
            Assert.Equal("1\n", Done("run", restored, "x"));
            Done(["rm", id, .. children, fromSnapshot, restored]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Without_a_server_or_a_key_it_is_said_what_to_do()
    {
        var nobody = Launcher.Run(["sandbox", "ls", "--server", "127.0.0.1:1"]);
        Assert.Equal(125, nobody.ExitCode);
        Assert.Contains("ramet serve", nobody.Stderr, StringComparison.Ordinal);
        var keyless = Launcher.Run(["sb", "ls", "--server", daemon.Server.Address.ToString()]);
        Assert.Equal(2, keyless.ExitCode);
        Assert.Contains("RAMET_API_KEY", keyless.Stderr, StringComparison.Ordinal);
        Assert.Equal(2, Launcher.Run(["sb", "ls", "--server", "::::"]).ExitCode);
    }

    [Fact]
    public async Task Exec_of_the_command_line_runs_in_the_daemon_and_means_the_same()
    {
        var settings = new Dictionary<string, string?> { ["RAMET_SERVER"] = daemon.Server.Address.ToString(), ["RAMET_API_KEY"] = daemon.Key };
        async Task<double> CountAsync() => (await daemon.Http.GetStringAsync("/v1/metrics")).Split('\n')
            .Where(line => line.StartsWith("ramet_execs_total", StringComparison.Ordinal)).Sum(line => double.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture));
        double before = await CountAsync();
        var printed = Launcher.Run(["exec", "import sys; print(sys.argv[1:]); print('err', file=sys.stderr); sys.exit(7)", "a", "b"], settings);
        Assert.Equal((7, "['a', 'b']\n", "err\n"), (printed.ExitCode, printed.Stdout, printed.Stderr));
        var late = Launcher.Run(["exec", "--timeout", "2s", "print(1, flush=True)\nwhile True: pass"], settings);
        Assert.Equal((124, "1\n"), (late.ExitCode, late.Stdout));
        Assert.Contains("--timeout", late.Stderr, StringComparison.Ordinal);
        var json = JsonNode.Parse(Launcher.Run(["exec", "--json", "import sys; sys.stdout.buffer.write(bytes([255, 10]))"], settings).Stdout)!;
        Assert.Equal([255, 10], Convert.FromBase64String((string)json["stdout_base64"]!));
        Assert.Equal(0, (int)json["exit_code"]!);
        Assert.True((double)json["fork_time_ms"]! > 0);
        Assert.True(await CountAsync() >= before + 3, "The daemon was not asked.");
        // What a daemon does not know is done without it.
        Assert.Contains("system calls", Launcher.Run(["exec", "--stats", "print(1)"], settings).Stderr, StringComparison.Ordinal);
        Assert.Equal(2, Launcher.Run(["exec", "--template", "none", "1"], settings).ExitCode);
    }

    [Fact]
    public async Task Run_of_the_command_line_runs_in_the_daemon_and_means_the_same()
    {
        // A key of its own: other tests ask the same server meanwhile.
        string name = "run-" + Guid.NewGuid().ToString("n"), key = await daemon.CreateKeyAsync(name);
        string keyId = new KeyStore(daemon.KeysFile).List().Single(one => one.Name == name).Id;
        var settings = new Dictionary<string, string?> { ["RAMET_SERVER"] = daemon.Server.Address.ToString(), ["RAMET_API_KEY"] = key };
        var printed = Launcher.Run(["run", "-e", "A=b", "-w", "/tmp", "--", "sh", "-c", "echo $A; pwd; cat; echo err >&2; exit 7"], settings);
        Assert.Equal((7, "b\n/tmp\n", "err\n"), (printed.ExitCode, printed.Stdout, printed.Stderr));
        foreach (var (variable, value) in new Dictionary<string, string> { ["HOME"] = "/root", ["PWD"] = "/root" })
            Assert.Contains($"{variable}={value}\n", Launcher.Run(["run", "--", "sh", "-c", "env"], settings).Stdout, StringComparison.Ordinal);
        using (var process = Launcher.Start(["run", "--", "wc", "-c"], settings))
        {
            await process.StandardInput.BaseStream.WriteAsync(new byte[300_000]);
            process.StandardInput.Close();
            Assert.Equal("300000\n", await process.StandardOutput.ReadToEndAsync());
        }

        var late = Launcher.Run(["run", "--timeout", "2s", "--", "sh", "-c", "echo before; sleep 1000"], settings);
        Assert.Equal((124, "before\n"), (late.ExitCode, late.Stdout));
        Assert.Contains("--timeout", late.Stderr, StringComparison.Ordinal);
        var much = Launcher.Run(["run", "--max-output", "1000", "--", "sh", "-c", "yes"], settings);
        Assert.Equal((153, 1000), (much.ExitCode, much.Stdout.Length));
        Assert.Contains("cut off", much.Stderr, StringComparison.Ordinal);
        Assert.Equal(127, Launcher.Run(["run", "--", "no-such-program"], settings).ExitCode);
        Assert.Equal(126, Launcher.Run(["run", "--", "/etc/passwd"], settings).ExitCode);
        Assert.Equal(2, Launcher.Run(["run", "--image", "no-such-image", "--", "ls"], settings).ExitCode);
        Assert.Contains("\r\n", Launcher.Run(["run", "--tty", "--", "sh", "-c", "tty; echo"], settings).Stdout, StringComparison.Ordinal);
        // Interrupted, it leaves nothing.
        using (var process = Launcher.Start(["run", "--", "sh", "-c", "trap '' TERM; echo ready; sleep 1000"], settings))
        {
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync());
            using (var kill = Process.Start("/bin/kill", [$"{process.Id}"])) await kill.WaitForExitAsync();
            await process.WaitForExitAsync();
            Assert.Equal(143, process.ExitCode);
        }

        using (var own = daemon.Server.CreateClient(key)) Assert.Empty(JsonNode.Parse(await own.GetStringAsync("/v1/sandboxes"))!["sandboxes"]!.AsArray());
        // The daemon has been asked: each command had a sandbox, in which it started a process.
        await Waiting.UntilAsync(() => daemon.ReadAudit().Where(line => (string?)line["key"] == keyId)
            .Select(line => ((string)line["path"]!).Split('/')).Where(path => path is ["", "v1", "sandboxes", _, "processes", ..]).Select(path => path[3]).Distinct().Count() >= 8);

        // What a daemon does not know is done without it.
        Assert.Equal("65534\n", Launcher.Run(["run", "--user", "nobody", "--", "id", "-u"], settings).Stdout);
        Assert.Contains("write(1", Launcher.Run(["run", "--strace", "--", "echo", "x"], settings).Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_is_built_on_another_with_a_script_and_of_a_sandbox()
    {
        string name = "t" + Guid.NewGuid().ToString("n"), script = Path.Combine(Path.GetTempPath(), name + ".py");
        var settings = new Dictionary<string, string?> { ["RAMET_SERVER"] = daemon.Server.Address.ToString(), ["RAMET_API_KEY"] = daemon.Key };
        try
        {
            File.WriteAllText(script, "import statistics\nvalue = 40\nopen('/root/f', 'w').write('file')");
            var built = Launcher.Run(["template", "build", name, "--from", "python", "--script", script]);
            Assert.True(built.ExitCode == 0, built.Stderr);
            Assert.Contains(" s:", built.Stderr, StringComparison.Ordinal);
            Assert.Equal("42 file\n", Launcher.Run(["exec", "--template", name, "print(value + 2, open('/root/f').read())"]).Stdout);
            // On that.
            File.WriteAllText(script, "value += 1");
            Assert.Equal(0, Launcher.Run(["template", "build", name + "b", "--from", name, "--script", script]).ExitCode);
            Assert.Equal("41\n", Launcher.Run(["exec", "--template", name + "b", "print(value)"]).Stdout);
            // Forks are as different as those of other templates.
            string[] random = [.. Enumerable.Range(0, 3).Select(_ => Launcher.Run(["exec", "--template", name, "import random, os; print(random.random(), os.urandom(4).hex())"]).Stdout)];
            Assert.Equal(3, random.Distinct(StringComparer.Ordinal).Count());
            File.WriteAllText(script, "raise ValueError('not today')");
            var failed = Launcher.Run(["template", "build", name + "c", "--from", "python", "--script", script]);
            Assert.Equal(125, failed.ExitCode);
            Assert.Contains("not today", failed.Stderr, StringComparison.Ordinal);
            Assert.Equal(2, Launcher.Run(["exec", "--template", name + "c", "1"]).ExitCode);
            Assert.Equal(2, Launcher.Run(["template", "build", name, "--from", "python"]).ExitCode);
            Assert.NotEqual(0, Launcher.Run(["template", "build", "python", "--from", "node", "--script", script]).ExitCode);

            string id = Done("create").Trim();
            Done("run", id, "x = 'of a sandbox'");
            var made = Launcher.Run(["template", "build", "own-" + name, "--from-sandbox", id], settings);
            Assert.True(made.ExitCode == 0, made.Stderr);
            string forked = Done("create", "--template", "own-" + name).Trim();
            Assert.Equal("of a sandbox\n", Done("run", forked, "print(x)"));
            Assert.Equal("of a sandbox\n", Launcher.Run(["exec", "--template", "own-" + name, "print(x)"], settings).Stdout);
            Done("rm", id, forked);
        }
        finally
        {
            File.Delete(script);
            Launcher.Run(["template", "rm", name, name + "b"]);
        }
    }

    private string Done(params string[] arguments)
    {
        var outcome = Run(arguments);
        Assert.True(outcome.ExitCode == 0, $"{string.Join(' ', arguments)}: {outcome.ExitCode}: {outcome.Stderr}{outcome.Stdout}");
        return outcome.Stdout;
    }

    private Outcome Run(string[] arguments)
    {
        using var process = Start(arguments);
        process.StandardInput.Close();
        var stderr = process.StandardError.ReadToEndAsync();
        string stdout = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, stdout, stderr.Result);
    }

    private Process Start(string[] arguments) => Launcher.Start(
        ["sandbox", .. arguments], new Dictionary<string, string?> { ["RAMET_SERVER"] = daemon.Server.Address.ToString(), ["RAMET_API_KEY"] = daemon.Key });
}
