using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Ramet.Sandboxes.Tests;

/// <summary>What must differ from fork to fork does, over ten thousand of them: made from nothing and on machines that were used before.</summary>
public sealed class ForkSafetyTests
{
    private const int Forks = 10_000;

    /// <summary>With RAMET_TEST_LONG=1 the slow generators (OpenSSL's from Python, and Node's) are asked in each of the ten thousand as well: some minutes.</summary>
    private static readonly bool Long = Environment.GetEnvironmentVariable("RAMET_TEST_LONG") == "1";

    private static readonly SandboxOptions Options = new() { Timeout = TimeSpan.FromSeconds(60) };

    [Fact]
    public Task Ten_thousand_forks_of_Python_share_no_randomness_and_no_identity() => CheckAsync("python", Forks, """
        import os, random, uuid, secrets, numpy, socket, time
        print(time.time_ns())
        for value in (random.random(), random.getrandbits(64), numpy.random.rand(), numpy.random.default_rng().random(), uuid.uuid4(), secrets.token_hex(),
                os.urandom(8).hex(), socket.gethostname(), open("/proc/sys/kernel/random/boot_id").read().strip()):
            print(value)
        """, values: 9);

    [Fact]
    public Task Forks_of_Python_do_not_share_the_state_of_OpenSSL() => CheckAsync("python", Long ? Forks : 1000, """
        import ssl, time
        print(time.time_ns())
        print(ssl.RAND_bytes(8).hex())
        """, values: 1);

    [Fact]
    public Task Forks_of_Node_share_no_randomness_and_no_identity() => CheckAsync("node", Long ? Forks : 2000, """
        const crypto = require('crypto'), fs = require('fs');
        fs.writeSync(1, [Date.now() + '000000', Math.random(), crypto.randomUUID(), crypto.randomBytes(8).toString('hex'), crypto.getRandomValues(new Uint32Array(2)).join(),
            require('os').hostname(), fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()].join('\n') + '\n');
        """, values: 6);

    [Fact]
    public async Task Memory_that_asks_for_it_is_zero_in_forks()
    {
        using var parent = await Session.StartAsync("""
            import ctypes, mmap, sys
            libc = ctypes.CDLL(None, use_errno=True)
            libc.mmap.restype = ctypes.c_void_p
            address = libc.mmap(None, 8192, 3, 0x22, -1, 0)
            kept = libc.mmap(None, 8192, 3, 0x22, -1, 0)
            assert libc.madvise(ctypes.c_void_p(address), 8192, 18) == 0  # MADV_WIPEONFORK
            ctypes.memset(address, 0x41, 8192)
            ctypes.memset(kept, 0x42, 8192)
            print("ready", flush=True)
            for line in sys.stdin:
                print(set(ctypes.string_at(address, 8192)), set(ctypes.string_at(kept, 8192)), flush=True)
            """);
        parent.WaitFor("ready\n");
        using var snapshot = parent.Sandbox.Capture();
        for (int i = 0; i < 20; i++)
        {
            using var fork = Session.Restore(TestData.Engine, snapshot);
            fork.Send("look\n");
            fork.WaitFor("{0} {66}\n");
        }

        parent.Send("look\n");
        parent.WaitFor("ready\n{65} {66}\n");
    }

    [Fact]
    public async Task Each_fork_finds_itself_under_its_own_name()
    {
        using var parent = await Session.StartAsync("""
            import os, socket, sys
            def look():
                name = socket.gethostname()
                text = open("/etc/hosts").read()
                own = [line for line in text.splitlines() if line.startswith("127.0.1.1")]
                print(socket.gethostbyname(name), own == ["127.0.1.1\t" + name], open("/etc/hostname").read() == name + "\n", "10.1.2.3\tother" in text, flush=True)
            look()
            open("/etc/hosts", "a").write("10.1.2.3\tother\n")
            for line in sys.stdin:
                look()
            """);
        parent.WaitFor("127.0.1.1 True True False\n");
        parent.Send("look\n");
        parent.WaitFor("127.0.1.1 True True False\n127.0.1.1 True True True\n");
        using var child = parent.Branch();
        child.Send("look\n");
        child.WaitFor("127.0.1.1 True True True\n");
        using var grandchild = child.Branch();
        grandchild.Send("look\n");
        grandchild.WaitFor("127.0.1.1 True True True\n");
    }

    private static async Task CheckAsync(string name, int forks, string code, int values)
    {
        var template = await TestData.Engine.Templates.EnsureAsync(name, cancellationToken: TestContext.Current.CancellationToken);
        using var pool = new SandboxPool(TestData.Engine, template, new SandboxPoolOptions { Minimum = 2, Maximum = 4 });
        pool.Fill();
        var seen = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var request = new ExecRequest { Code = code };
        Parallel.For(0, forks, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            // One in ten is made from nothing.
            long before = Now();
            var result = (i % 10 == 0 ? TestData.Engine.Execute(template, request, Options) : pool.Execute(request, Options)).Result;
            long after = Now();
            string[] lines = Encoding.UTF8.GetString(result.Stdout).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(lines.Length == values + 1, $"fork {i}: {string.Join(' ', lines)} {Encoding.UTF8.GetString(result.Stderr)}{result.Message}");
            long clock = long.Parse(lines[0], CultureInfo.InvariantCulture);
            Assert.True(clock >= before - 2_000_000 && clock <= after + 2_000_000, $"fork {i}: its clock said {clock} between {before} and {after}");
            for (int value = 1; value < lines.Length; value++)
            {
                if (!seen.TryAdd(lines[value], i)) Assert.Fail($"'{lines[value]}' came from fork {seen[lines[value]]} and from fork {i}");
            }
        });
        Assert.Equal(forks * values, seen.Count);
        Assert.True(pool.Recycled > forks / 2, $"only {pool.Recycled} forks were on machines that were used before");
    }

    private static long Now() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
