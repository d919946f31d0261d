namespace Ramet.Sandboxes.Tests;

/// <summary>Ten thousand forks leave nothing behind: no thread, descriptor, mapping, VM or managed memory.</summary>
public sealed class LeakTests
{
    private const int Forks = 10_000;

    private static readonly SandboxOptions Options = new() { Timeout = TimeSpan.FromSeconds(60) };

    [Fact]
    public async Task Ten_thousand_forks_in_a_loop_leave_nothing_behind()
    {
        // An engine of its own: nothing else uses its threads.
        using var engine = new SandboxEngine(TestData.Directory);
        var template = await engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        using var pool = new SandboxPool(engine, template, new SandboxPoolOptions { Minimum = 1, Maximum = 2 });
        pool.Fill();
        Loop(engine, template, pool, 500);
        var before = Usage.Take(engine);
        Loop(engine, template, pool, Forks);
        var after = Usage.Take(engine);
        string both = $"before: {before}\nafter: {after}";
        Assert.True(after.VirtualMachines <= before.VirtualMachines + 1, both);
        Assert.True(after.Descriptors <= before.Descriptors + 8, both);
        Assert.True(after.Threads <= before.Threads + 4, both);
        Assert.True(after.Mappings <= before.Mappings + 100, both);
        Assert.True(after.ManagedBytes <= before.ManagedBytes + (2 << 20), both);
        TestContext.Current.TestOutputHelper?.WriteLine(both);
    }

    /// <summary>Half are made from nothing; of these some run code. The others come from the pool.</summary>
    private static void Loop(SandboxEngine engine, Template template, SandboxPool pool, int forks)
    {
        for (int i = 0; i < forks; i++)
        {
            if (i % 2 == 0) pool.Execute(new ExecRequest { Code = "pass" }, Options);
            else if (i % 20 == 1) engine.Execute(template, new ExecRequest { Code = "pass" }, Options);
            else engine.Fork(template, Options).Dispose();
        }
    }

    private sealed record Usage(int VirtualMachines, int Descriptors, int Threads, int Mappings, long ManagedBytes)
    {
        public static Usage Take(SandboxEngine engine)
        {
            engine.WaitForTeardown();
            engine.ReleaseIdleThreads();
            Thread.Sleep(500);
            string[] descriptors = TestData.Descriptors();
            return new Usage(
                TestData.CountMachines(descriptors),
                descriptors.Length,
                Directory.GetFileSystemEntries("/proc/self/task").Length,
                File.ReadLines("/proc/self/maps").Count(),
                GC.GetTotalMemory(forceFullCollection: true));
        }
    }
}
