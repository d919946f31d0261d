using System.Net;
using Ramet.Server.Scheduling;

namespace Ramet.Server.Tests;

public sealed class FairGateTests(Daemon daemon)
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task One_who_asks_for_much_does_not_make_another_wait_for_all_of_it()
    {
        var gate = new FairGate(1, 100, s_long);
        Assert.Equal(GateRefusal.None, await gate.EnterAsync("a", default));
        var greedy = Enumerable.Range(0, 10).Select(_ => gate.EnterAsync("a", default).AsTask()).ToList();
        var modest = gate.EnterAsync("b", default).AsTask();
        gate.Leave();
        gate.Leave();
        Assert.Equal(GateRefusal.None, await modest.WaitAsync(TimeSpan.FromSeconds(5)));
        await Task.WhenAny(greedy).WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(1, greedy.Count(task => task.IsCompleted));
        Assert.Equal((1, 9), (gate.Running, gate.Waiting));
    }

    [Fact]
    public async Task A_turn_that_is_given_up_goes_to_the_next()
    {
        var gate = new FairGate(1, 100, s_long);
        await gate.EnterAsync("a", default);
        using var gone = new CancellationTokenSource();
        var first = gate.EnterAsync("a", gone.Token).AsTask();
        var second = gate.EnterAsync("a", default).AsTask();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        gate.Leave();
        Assert.Equal(GateRefusal.None, await second.WaitAsync(TimeSpan.FromSeconds(5)));
        gate.Leave();
        Assert.Equal((0, 0), (gate.Running, gate.Waiting));
    }

    [Fact]
    public async Task Requests_that_were_given_up_earn_their_sender_no_more_turns()
    {
        var gate = new FairGate(1, 100, s_long);
        await gate.EnterAsync("a", default);
        for (int i = 0; i < 10; i++)
        {
            using var gone = new CancellationTokenSource();
            var aborted = gate.EnterAsync("a", gone.Token).AsTask();
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => aborted);
        }

        string[] tenants = ["a", "a", "a", "a", "b", "b", "b", "b"];
        var waiting = tenants.Select(tenant => (Tenant: tenant, Turn: gate.EnterAsync(tenant, default).AsTask())).ToList();
        var order = new List<string>();
        while (waiting.Count > 0)
        {
            gate.Leave();
            var next = await Task.WhenAny(waiting.Select(one => one.Turn)).WaitAsync(s_long);
            var (tenant, turn) = waiting.Single(one => one.Turn == next);
            Assert.Equal(GateRefusal.None, await turn);
            order.Add(tenant);
            waiting.Remove((tenant, turn));
        }

        Assert.Equal(["a", "b", "a", "b", "a", "b", "a", "b"], order);
        gate.Leave();
        Assert.Equal((0, 0), (gate.Running, gate.Waiting));
    }

    [Fact]
    public async Task Beyond_the_queue_and_beyond_the_time_requests_are_refused()
    {
        var full = new FairGate(1, 1, s_long);
        await full.EnterAsync("a", default);
        var waiting = full.EnterAsync("a", default).AsTask();
        Assert.Equal(GateRefusal.Full, await full.EnterAsync("b", default));
        full.Leave();
        Assert.Equal(GateRefusal.None, await waiting.WaitAsync(s_long));
        var slow = new FairGate(1, 1, TimeSpan.FromMilliseconds(50));
        await slow.EnterAsync("a", default);
        Assert.Equal(GateRefusal.WaitedTooLong, await slow.EnterAsync("a", default));
        foreach (var gate in (FairGate[])[full, slow])
        {
            gate.Leave();
            Assert.Equal((0, 0), (gate.Running, gate.Waiting));
        }
    }

    [Fact]
    public async Task Under_load_from_all_sides_every_turn_is_given_back()
    {
        var gate = new FairGate(3, 1000, s_long);
        int running = 0, most = 0;
        await Task.WhenAll(Enumerable.Range(0, 400).Select(i => Task.Run(async () =>
        {
            using var limit = new CancellationTokenSource(i % 3 == 0 ? 2 : 60_000);
            try
            {
                Assert.Equal(GateRefusal.None, await gate.EnterAsync($"{i % 5}", limit.Token));
            }
            catch (OperationCanceledException)
            {
                return;
            }

            int now = Interlocked.Increment(ref running);
            lock (gate) most = Math.Max(most, now);
            await Task.Delay(1);
            Interlocked.Decrement(ref running);
            gate.Leave();
        })));
        Assert.InRange(most, 1, 3);
        Assert.Equal((0, 0), (gate.Running, gate.Waiting));
    }

    [Fact]
    public async Task A_full_server_says_when_to_try_again()
    {
        Assert.NotNull(daemon);
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_LIMITS_CONCURRENCY"] = "1", ["RAMET_LIMITS_QUEUE"] = "1" });
        using var client = server.CreateClient();
        var running = client.ExecAsync("import time; time.sleep(6)");
        await client.UntilRunningAsync();
        var waiting = client.ExecAsync("1");
        await Waiting.UntilAsync(async () => await client.MetricAsync("ramet_queue_waiting") == 1);
        using var response = await client.PostAsync("/v1/exec", Http.Body("""{"code":"1"}"""));
        await Http.ReadAsync(response, HttpStatusCode.ServiceUnavailable);
        Assert.NotNull(response.Headers.RetryAfter);
        await Task.WhenAll(running, waiting);
    }
}
