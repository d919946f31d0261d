using System.Text;
using Ramet.Sandboxes.Durable;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Tests;

/// <summary>Sandboxes that outlive their machines, in one process without workers.</summary>
public sealed class DurableTests
{
    private const string Tenant = "tests";

    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_paused_sandbox_goes_on_in_another_host_of_the_same_directory()
    {
        string id;
        await using (var host = await OpenAsync())
        {
            id = (await host.CreateAsync(Tenant, Spec(), None)).Id;
            await RunAsync(host, id, "x = 5");
            var process = await host.StartProcessAsync(Tenant, id, new HostedProgram(["cat"], [], null, null, null), None);
            await host.WriteInputAsync(Tenant, id, process.Pid, "before\n"u8.ToArray(), close: false, None);
            await host.CheckpointAsync(Tenant, id, "mark", None);
            await RunAsync(host, id, "x = 6");
            var paused = await host.PauseAsync(Tenant, id, None);
            Assert.True(paused.IsPaused);
            await Assert.ThrowsAsync<SandboxConflictException>(() => RunAsync(host, id, "x"));
            await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync("others", id, None));
        }

        await using (var host = await OpenAsync())
        {
            Assert.True((await host.GetAsync(Tenant, id, None)).IsPaused);
            Assert.False((await host.ResumeAsync(Tenant, id, None)).IsPaused);
            Assert.Equal("6", await RunAsync(host, id, "print(x)"));
            var process = Assert.Single(await host.ListProcessesAsync(Tenant, id, None));
            Assert.Null(process.ExitCode);
            await host.WriteInputAsync(Tenant, id, process.Pid, "after\n"u8.ToArray(), close: true, None);
            var printed = new StringBuilder();
            await foreach (var next in host.AttachAsync(Tenant, id, process.Pid, None)) printed.Append(Encoding.UTF8.GetString(next.Data.Span));
            Assert.Equal("before\nafter\n", printed.ToString());
            await host.RewindAsync(Tenant, id, "mark", None);
            Assert.Equal("5", await RunAsync(host, id, "print(x)"));
            await host.DeleteAsync(Tenant, id, None);
        }

        await using (var host = await OpenAsync()) await Assert.ThrowsAsync<SandboxGoneException>(() => host.GetAsync(Tenant, id, None));
    }

    [Fact]
    public async Task What_was_not_finished_is_not_there_and_what_was_taken_is_put_back()
    {
        string id, directory = Path.Combine(TestData.Engine.DataDirectory, "sandboxes");
        await using (var host = await OpenAsync())
        {
            id = (await host.CreateAsync(Tenant, Spec(), None)).Id;
            await RunAsync(host, id, "x = 7");
            await host.PauseAsync(Tenant, id, None);
        }

        // As a process leaves it that is killed while it resumes one and pauses another: nobody holds its lock.
        string dead = Guid.NewGuid().ToString("n");
        Directory.Move(Path.Combine(directory, id), Path.Combine(directory, $".taken-{dead}-{id}"));
        string unfinished = Path.Combine(directory, $".tmp-{dead}-{Guid.NewGuid():n}");
        Directory.CreateDirectory(unfinished);
        await using (var host = await OpenAsync())
        {
            Assert.False(Directory.Exists(unfinished));
            await host.ResumeAsync(Tenant, id, None);
            Assert.Equal("7", await RunAsync(host, id, "print(x)"));
            await host.PauseAsync(Tenant, id, None);
        }

        // Damage is found, said, and harms nothing else.
        string state = Path.Combine(directory, id, "state");
        byte[] bytes = await File.ReadAllBytesAsync(state, TestContext.Current.CancellationToken);
        bytes[bytes.Length / 2] ^= 0x40;
        await File.WriteAllBytesAsync(state, bytes, TestContext.Current.CancellationToken);
        await using (var host = await OpenAsync())
        {
            var damaged = await Assert.ThrowsAsync<SandboxException>(() => host.ResumeAsync(Tenant, id, None));
            Assert.Contains("damaged", damaged.Message, StringComparison.OrdinalIgnoreCase);
            Assert.True((await host.GetAsync(Tenant, id, None)).IsPaused);
            await host.DeleteAsync(Tenant, id, None);
        }
    }

    [Fact]
    public async Task A_sandbox_that_another_server_has_used_since_is_resumed_as_that_one_left_it()
    {
        await using var first = await OpenAsync();
        string id = (await first.CreateAsync(Tenant, Spec(), None)).Id;
        await RunAsync(first, id, "x = 1");
        await first.PauseAsync(Tenant, id, None);
        await using var second = await OpenAsync();
        await first.ResumeAsync(Tenant, id, None);
        await RunAsync(first, id, "x = 2");
        await first.CheckpointAsync(Tenant, id, "later", None);
        await first.UpdateAsync(Tenant, id, null, new Dictionary<string, string>(StringComparer.Ordinal) { ["by"] = "first" }, None);
        await first.PauseAsync(Tenant, id, None);
        var resumed = await second.ResumeAsync(Tenant, id, None);
        Assert.Equal("first", resumed.Metadata["by"]);
        Assert.Equal("2", await RunAsync(second, id, "print(x)"));
        Assert.Equal("later", Assert.Single(await second.ListCheckpointsAsync(Tenant, id, None)).Name);
        // The other has it, so this one has it no more.
        await Assert.ThrowsAsync<SandboxGoneException>(() => first.UpdateAsync(Tenant, id, TimeSpan.FromMinutes(1), null, None));
        await Assert.ThrowsAsync<SandboxGoneException>(() => first.GetAsync(Tenant, id, None));
        await second.DeleteAsync(Tenant, id, None);
    }

    private static HostedSandboxSpec Spec() => new("python", 256UL << 20, TimeSpan.FromMinutes(5), new Dictionary<string, string>(StringComparer.Ordinal));

    private static async Task<DurableSandboxHost> OpenAsync()
    {
        var host = new DurableSandboxHost(new InProcessSandboxHost(TestData.Engine, new TenantPoolOptions { KeepsSpare = false }), TestData.Engine, TimeSpan.FromDays(1));
        await host.PrepareAsync("python", TestContext.Current.CancellationToken);
        return host;
    }

    private static async Task<string> RunAsync(DurableSandboxHost host, string id, string code)
    {
        var printed = new StringBuilder();
        await foreach (var next in host.RunAsync(Tenant, id, new HostedRun(code, TimeSpan.FromSeconds(60), null, null), None)) printed.Append(Encoding.UTF8.GetString(next.Data.Span));
        return printed.ToString().TrimEnd();
    }
}
