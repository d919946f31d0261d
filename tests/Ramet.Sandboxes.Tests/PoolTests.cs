using System.Text;

namespace Ramet.Sandboxes.Tests;

/// <summary>Sandboxes from a pool, most of them on machines that have been used before.</summary>
public sealed class PoolTests
{
    private static readonly SandboxOptions Options = new() { Timeout = TimeSpan.FromSeconds(60) };

    [Fact]
    public async Task Nothing_of_a_run_is_seen_by_the_next()
    {
        using var pool = await OpenPoolAsync();
        const string leave = """
            import os, sys, builtins, random, numpy, json
            secret = "5ec2e7" * 1000
            builtins.secret = json.secret = os.environ["SECRET"] = secret
            open("/tmp/secret", "w").write(secret)
            os.makedirs("/root/secret"); os.chdir("/root/secret")
            os.dup2(1, 77); os.umask(0o777)
            data = [secret + str(i) for i in range(20000)]
            import threading; threading.Thread(target=lambda: open("/dev/shm/x", "w").write(secret)).start()
            print("left")
            """;
        const string look = """
            import ctypes, os, builtins, json
            found = [name for name in ("secret", "data") if name in globals() or hasattr(builtins, name) or hasattr(json, name)]
            found += [path for path in ("/tmp/secret", "/root/secret", "/dev/shm/x") if os.path.exists(path)]
            found += ["SECRET"] if "SECRET" in os.environ else []
            found += [number for number in os.listdir("/proc/self/fd") if int(number) > 4]
            # All memory that can be written, for the bytes themselves (put together here, so that this program does not hold them).
            needle = ("5ec" + "2e7").encode() * 20
            with open("/proc/self/maps") as maps:
                lines = maps.readlines()
            for line in lines:
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                if not line.split()[1].startswith("rw"): continue
                if needle in (ctypes.c_char * (end - start)).from_address(start).raw.replace(needle, b"", 4): found.append(line)
            print(found, os.getcwd(), oct(os.umask(0o22)))
            """;
        string fresh = Run(pool, look);
        for (int round = 0; round < 4; round++)
        {
            Assert.Equal("left\n", Run(pool, leave));
            Assert.Equal(fresh, Run(pool, look));
        }

        Assert.StartsWith("[]", fresh, StringComparison.Ordinal);
        Assert.True(pool.Recycled >= 8, "machines were not used again");
    }

    [Fact]
    public async Task Randomness_and_identity_are_new_in_each()
    {
        using var pool = await OpenPoolAsync();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        const string code = """
            import os, random, uuid, secrets, numpy, tempfile, socket
            for value in random.random(), numpy.random.rand(), uuid.uuid4(), secrets.token_hex(), os.urandom(8).hex(), numpy.random.default_rng().random(), socket.gethostname(), open("/proc/sys/kernel/random/boot_id").read().strip():
                print(value)
            """;
        for (int i = 0; i < 20; i++)
        {
            foreach (string line in Run(pool, code).Split('\n', StringSplitOptions.RemoveEmptyEntries)) Assert.True(seen.Add(line), $"'{line}' came twice");
        }

        Assert.Equal(20 * 8, seen.Count);
    }

    [Fact]
    public async Task Machines_are_used_again_whatever_ran_in_them()
    {
        using var pool = await OpenPoolAsync();
        (string Code, string Output)[] programs =
        [
            ("print(1+1)", "2\n"),
            ("x = bytearray(30 << 20)\nx[::4096] = b'1' * (len(x) // 4096)\nprint(sum(x))", $"{49 * (30 << 20) / 4096}\n"),
            ("import subprocess\nprint(subprocess.run(['sh', '-c', 'echo hi; exit 3'], capture_output=True))", "CompletedProcess(args=['sh', '-c', 'echo hi; exit 3'], returncode=3, stdout=b'hi\\n', stderr=b'')\n"),
            ("import os\npid = os.fork()\nif pid == 0: os._exit(7)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))", "7\n"),
            ("import threading\nr = []\nt = [threading.Thread(target=r.append, args=(i,)) for i in range(8)]\n[x.start() for x in t]; [x.join() for x in t]\nprint(sorted(r))", "[0, 1, 2, 3, 4, 5, 6, 7]\n"),
            ("import numpy as np\na = np.arange(10000.0).reshape(100, 100)\nprint(int((a @ a).sum()))", "25078325250000\n"),
            ("import mmap\nm = mmap.mmap(-1, 1 << 20)\nm[:] = b'x' * (1 << 20)\nm.close()\nprint('ok')", "ok\n"),
            ("d = {i: str(i) for i in range(100000)}\nprint(len(d))", "100000\n"),
        ];
        for (int i = 0; i < 80; i++)
        {
            var (code, output) = programs[i % programs.Length];
            Assert.Equal(output, Run(pool, code));
        }

        Assert.True(pool.Recycled >= 60, $"only {pool.Recycled} machines were used again");
        Assert.True(pool.Misses <= 10, $"{pool.Misses} sandboxes had to be forked on demand");
    }

    [Fact]
    public async Task A_run_that_ends_badly_does_not_harm_the_next()
    {
        using var pool = await OpenPoolAsync();
        (string Code, SandboxOptions Options, SandboxEnd End)[] programs =
        [
            ("while True: pass", Options with { Timeout = TimeSpan.FromMilliseconds(200) }, SandboxEnd.TimedOut),
            ("import ctypes\nctypes.string_at(0)", Options, SandboxEnd.Exited),
            ("x = []\nwhile True: x.append(bytearray(1 << 20))", Options with { MemoryBytes = 64 << 20 }, SandboxEnd.Exited),
            ("while True: print('x' * 1000)", Options with { MaxOutputBytes = 100_000 }, SandboxEnd.OutputLimit),
            ("import os\nos.kill(os.getpid(), 9)", Options, SandboxEnd.Exited),
            ("import os\nwhile True:\n    os.fork()", Options with { Timeout = TimeSpan.FromSeconds(1), MaxThreads = 50 }, SandboxEnd.Exited),
        ];
        foreach (var (code, options, end) in programs)
        {
            var result = pool.Execute(new ExecRequest { Code = code }, options).Result;
            if (end != SandboxEnd.Exited) Assert.Equal(end, result.End);
            Assert.NotEqual(0, result.ExitCode);
            for (int i = 0; i < 3; i++) Assert.Equal("42\n", Run(pool, "print(6*7)"));
        }
    }

    [Fact]
    public async Task A_sandbox_that_needs_more_than_the_pool_has_is_forked_for_itself()
    {
        using var pool = await OpenPoolAsync();
        long misses = pool.Misses;
        var result = pool.Execute(new ExecRequest { Code = "x = bytearray(600 << 20)\nprint(len(x))" }, Options with { MemoryBytes = 1UL << 30 }).Result;
        Assert.Equal($"{600 << 20}\n", Encoding.UTF8.GetString(result.Stdout));
        Assert.Equal(misses + 1, pool.Misses);
    }

    [Fact]
    public async Task Use_and_reuse_leave_nothing_behind()
    {
        var engine = TestData.Engine;
        using (var pool = await OpenPoolAsync())
        {
            for (int i = 0; i < 30; i++) Run(pool, "print(1)");
            int before = CountOthers();
            for (int i = 0; i < 200; i++) Run(pool, "print(1)");
            Assert.InRange(CountOthers(), 0, before + 4);
        }

        // Descriptors that are no machine's: of machines, a virtual CPU and the machine itself, there are the pool's maximum, one that is being made, and spare ones.
        int CountOthers()
        {
            engine.WaitForTeardown();
            string[] descriptors = TestData.Descriptors();
            int machines = TestData.CountMachines(descriptors);
            Assert.InRange(machines, 1, 5 + engine.Spares.Ready);
            return descriptors.Length - (2 * machines);
        }
    }

    private static async Task<SandboxPool> OpenPoolAsync()
    {
        var template = await TestData.Engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        var pool = new SandboxPool(TestData.Engine, template, new SandboxPoolOptions { Minimum = 2, Maximum = 4 });
        pool.Fill();
        Assert.Equal(2, pool.Count);
        return pool;
    }

    private static string Run(SandboxPool pool, string code)
    {
        var result = pool.Execute(new ExecRequest { Code = code }, Options).Result;
        Assert.Equal("", Encoding.UTF8.GetString(result.Stderr));
        Assert.Equal(SandboxEnd.Exited, result.End);
        return Encoding.UTF8.GetString(result.Stdout);
    }
}
