using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Ramet.Sandboxes.Tests;

/// <summary>Programs that call the kernel often are served without exits, and get the same answers.</summary>
public sealed class PollingTests
{
    /// <summary>Calls of all kinds: that return at once, that block, that start processes, that take memory back, that signals interrupt.</summary>
    private const string Program = """
        import os, signal, time
        begun = time.perf_counter_ns()
        assert all(os.getppid() == os.getppid() for _ in range(20000))
        each = (time.perf_counter_ns() - begun) // 40000
        read, write = os.pipe()
        back, answer = os.pipe()
        child = os.fork()
        if child == 0:
            for i in range(2000): os.write(answer, bytes([os.read(read, 1)[0] ^ 255]))
            os._exit(7)
        for i in range(2000):
            os.write(write, bytes([i % 256]))
            assert os.read(back, 1)[0] == i % 256 ^ 255
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        hits = []
        signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        while len(hits) < 20:
            with open("/tmp/file", "wb") as file: file.write(b"x" * 10000)
            with open("/tmp/file", "rb") as file: assert file.read() == b"x" * 10000
            os.stat("/tmp/file")
        signal.setitimer(signal.ITIMER_REAL, 0)
        for i in range(50):
            data = bytearray(2 << 20)
            data[::4096] = b"y" * 512
            assert sum(data) == 512 * ord("y")
            del data
        print("all right", each)
        """;

    [Fact]
    public async Task Calls_without_exits_do_what_calls_with_exits_do()
    {
        var template = await TestData.Engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        var clock = Stopwatch.StartNew();
        long posted = 0, nanosecondsPerCall;
        // On a machine that is busy nobody polls: then once more.
        do
        {
            var result = TestData.Engine.Execute(template, new ExecRequest { Code = Program }, new SandboxOptions { Timeout = TimeSpan.FromSeconds(120) });
            string printed = Encoding.UTF8.GetString(result.Result.Stdout) + Encoding.UTF8.GetString(result.Result.Stderr);
            Assert.StartsWith("all right ", printed, StringComparison.Ordinal);
            nanosecondsPerCall = long.Parse(printed[10..], CultureInfo.InvariantCulture);
            posted += result.Statistics.PostedSyscalls;
            Assert.True(result.Statistics.Syscalls > 40_000 + 8_000);
        }
        while (posted < 1000 && clock.Elapsed < TimeSpan.FromMinutes(3));

        Assert.SkipWhen(Environment.ProcessorCount < 2, "There is no processor to spare for polling.");
        Assert.SkipWhen(posted == 0 && nanosecondsPerCall < 8000, "Exits are cheap here: it does not pay to poll.");
        Assert.True(posted >= 1000, $"only {posted} calls were served without an exit");
    }
}
