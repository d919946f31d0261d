using System.Text;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Cli.Tests;

/// <summary>Tests that nothing runs beside: they measure the memory of this process.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

[Collection(nameof(Alone))]
public sealed class WorkerMemoryTests(Cli cli) : WorkerTestBase(cli)
{
    [Fact]
    public async Task A_caller_who_reads_slowly_holds_up_the_program_and_not_memory()
    {
        const int Megabytes = 64;
        await using var host = await StartAsync();
        string id = (await CreateAsync(host, "a")).Id;
        var process = await host.StartProcessAsync("a", id, Program($"echo; read line; dd if=/dev/zero bs=1M count={Megabytes} 2>/dev/null; echo done >&2"), Token);
        // Attached before it begins: what nobody looks at holds up nothing.
        await using var events = host.AttachAsync("a", id, process.Pid, Token).GetAsyncEnumerator(Token);
        Assert.True(await events.MoveNextAsync());
        Assert.Equal("\n"u8, events.Current.Data.Span);
        await host.WriteInputAsync("a", id, process.Pid, "\n"u8.ToArray(), close: false, Token);
        Assert.True(await events.MoveNextAsync());
        long total = events.Current.Data.Length;
        long before = GC.GetTotalMemory(forceFullCollection: true);
        await Task.Delay(1500, Token);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 8 << 20);
        Assert.Null(Assert.Single(await host.ListProcessesAsync("a", id, Token)).ExitCode);
        while (await events.MoveNextAsync() && events.Current.Kind != HostedEventKind.End)
        {
            if (events.Current.Kind == HostedEventKind.Stdout) total += events.Current.Data.Length;
        }

        Assert.Equal((long)Megabytes << 20, total);
        Assert.Equal(0, events.Current.ExitCode);
    }
}
