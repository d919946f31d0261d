using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

/// <summary>Processes whose callers do not stay.</summary>
public sealed class ProcessTests(Daemon daemon)
{
    [Fact]
    public async Task A_process_whose_number_nobody_has_learnt_is_ended()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        // The answer comes when the input has been taken: more than is kept for a program that does not read.
        using var leaving = new CancellationTokenSource();
        var start = daemon.Http.PostAsync($"{sandbox.Path}/processes", Http.Body($$"""{"shell":"sleep 1000","stdin":"{{new string('x', 3 << 20)}}"}"""), leaving.Token);
        await Waiting.UntilAsync(async () => await CountRunningAsync() == 1);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => start);
        await Waiting.UntilAsync(async () => await CountRunningAsync() == 0);

        async Task<int> CountRunningAsync() =>
            JsonNode.Parse(await daemon.Http.GetStringAsync($"{sandbox.Path}/processes"))!["processes"]!.AsArray().Count(process => (bool)process!["running"]!);
    }
}
