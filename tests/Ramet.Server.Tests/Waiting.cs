using System.Diagnostics;

namespace Ramet.Server.Tests;

/// <summary>Waits for what happens in a moment, or after a while on a busy machine.</summary>
internal static class Waiting
{
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "It did not happen.");
            await Task.Delay(50);
        }
    }

    public static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));
}
