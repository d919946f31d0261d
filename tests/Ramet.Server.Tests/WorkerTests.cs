using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Ramet.Server.Tests;

/// <summary>The worker processes of a server.</summary>
public sealed class WorkerTests
{
    [Fact]
    public async Task After_kill_9_of_the_server_no_worker_is_left()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        var sandbox = await LiveSandbox.CreateAsync(client);
        await sandbox.RunAsync("import threading\nthreading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()");
        var running = client.ExecAsync("while True: pass");
        await client.UntilRunningAsync();
        int[] workers = WorkersOf(server);
        Assert.NotEmpty(workers);
        server.Signal(9);
        server.Process.WaitForExit();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => running);
        long started = Stopwatch.GetTimestamp();
        while (workers.Any(IsWorker))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(15), "A worker is left.");
            await Task.Delay(50);
        }

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => sandbox.RunAsync("1"));
    }

    [Fact]
    public async Task When_a_worker_dies_its_callers_are_told_and_new_ones_are_served()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        await using var sandbox = await LiveSandbox.CreateAsync(client);
        var running = client.PostAsync("/v1/exec", Http.Body("""{"code":"import time; time.sleep(30)"}"""));
        await client.UntilRunningAsync();
        await KillWorkersAsync(server);
        using (var lost = await running)
        {
            Assert.Contains("try again", (string?)(await Http.ReadAsync(lost, HttpStatusCode.ServiceUnavailable))["detail"], StringComparison.Ordinal);
            // It has run, and may be what brought the worker down: clients are not to send it again by themselves.
            Assert.Null(lost.Headers.RetryAfter);
        }

        var gone = await client.PostAsync($"{sandbox.Path}/run", new { code = "1" }, HttpStatusCode.NotFound);
        Assert.Contains("ended unexpectedly", (string?)gone["detail"], StringComparison.Ordinal);
        Assert.Equal("1\n", (string?)(await client.ExecAsync("print(1)"))["stdout"]);
    }

    [Fact]
    public async Task A_signal_that_reaches_the_workers_too_lets_running_work_end()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        var running = client.ExecAsync("import time; time.sleep(3); print('done')");
        await client.UntilRunningAsync();
        int[] workers = WorkersOf(server);
        using (var kill = Process.Start("/bin/kill", ["-TERM", .. workers.Append(server.Process.Id).Select(pid => pid.ToString(CultureInfo.InvariantCulture))])) kill.WaitForExit();
        Assert.Equal("done\n", (string?)(await running)["stdout"]);
        Assert.Equal(0, server.WaitForExit());
        Assert.DoesNotContain(workers, IsWorker);
    }

    [Fact]
    public async Task Workers_are_counted_in_the_metrics()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"]);
        using var client = server.CreateClient();
        await client.ExecAsync("1");
        Assert.InRange(await client.MetricAsync("ramet_workers"), 1, 2);
    }

    /// <summary>Process ids of a server's workers (proc_pid_stat(5): the fourth field is the parent).</summary>
    internal static int[] WorkersOf(RunningServer server) =>
    [
        .. Directory.EnumerateDirectories("/proc")
            .Select(directory => int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) ? pid : 0)
            .Where(pid => pid > 0 && ParentOf(pid) == server.Process.Id && IsWorker(pid)),
    ];

    /// <summary>Kills a server's workers, and waits until they are dead: one that is not yet would take the next request.</summary>
    internal static async Task KillWorkersAsync(RunningServer server)
    {
        int[] pids = WorkersOf(server);
        Assert.NotEmpty(pids);
        foreach (int pid in pids)
        {
            using var worker = Process.GetProcessById(pid);
            worker.Kill();
        }

        await Waiting.UntilAsync(() => !pids.Any(IsWorker));
    }

    private static int ParentOf(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>Whether this worker lives: of a process that is gone, or dead and not yet waited for, there is no command line.</summary>
    private static bool IsWorker(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Split('\0') is [_, "worker", ..];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
