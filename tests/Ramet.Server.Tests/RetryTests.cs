using System.Net;

namespace Ramet.Server.Tests;

/// <summary>Retry-After says that nothing was done: who reads it sends the same again.</summary>
public sealed class RetryTests
{
    private const string Sleep = """{"code":"import time; time.sleep(60)"}""";

    [Fact]
    public async Task A_batch_of_which_nothing_ran_may_be_sent_again_and_one_of_which_some_ran_may_not()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_LIMITS_CONCURRENCY"] = "2", ["RAMET_LIMITS_QUEUE"] = "0" });
        using var client = server.CreateClient();
        using var leaving = new CancellationTokenSource();
        var first = client.PostAsync("/v1/exec", Http.Body(Sleep), leaving.Token);
        await Waiting.UntilAsync(async () => await client.MetricAsync("ramet_sandboxes_running") == 1);
        // One of the two has the place that is left, and the other is refused.
        Assert.False(await MayBeSentAgainAsync(client));
        await Waiting.UntilAsync(async () => await client.MetricAsync("ramet_sandboxes_running") == 1);
        var second = client.PostAsync("/v1/exec", Http.Body(Sleep), leaving.Token);
        await Waiting.UntilAsync(async () => await client.MetricAsync("ramet_sandboxes_running") == 2);
        Assert.True(await MayBeSentAgainAsync(client));
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
    }

    [Fact]
    public async Task A_quota_that_waiting_does_not_help_asks_for_no_retry()
    {
        using var server = new RunningServer(
            ["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_KEYS_SNAPSHOTS"] = "0", ["RAMET_KEYS_PAUSED"] = "0", ["RAMET_KEYS_TEMPLATES"] = "0" });
        using var client = server.CreateClient();
        await using var sandbox = await LiveSandbox.CreateAsync(client);
        foreach (var (path, body) in ((string, string)[])[($"{sandbox.Path}/snapshots", "{}"), ($"{sandbox.Path}/pause", "{}"), ("/v1/templates", $$"""{"name":"one","sandbox":"{{sandbox.Id}}"}""")])
        {
            using var response = await client.PostAsync(path, Http.Body(body));
            await Http.ReadAsync(response, HttpStatusCode.TooManyRequests);
            Assert.Null(response.Headers.RetryAfter);
        }
    }

    private static async Task<bool> MayBeSentAgainAsync(HttpClient client)
    {
        using var response = await client.PostAsync("/v1/exec/batch", Http.Body($$"""{"executions":[{{Sleep}},{{Sleep}}]}"""));
        await Http.ReadAsync(response, HttpStatusCode.ServiceUnavailable);
        return response.Headers.RetryAfter is not null;
    }
}
