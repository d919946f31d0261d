using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Api;

namespace Ramet.Server.Tests;

public sealed class EventStreamTests
{
    [Fact]
    public async Task A_timer_is_made_only_for_waiting_and_goes_when_the_next_event_comes()
    {
        const int Events = 100;
        var time = new CountingTime();
        var context = new DefaultHttpContext();
        var body = new MemoryStream();
        context.Response.Body = body;
        var channel = Channel.CreateUnbounded<HostedEvent>();
        var stream = await EventStream.BeginAsync(context, time);
        // What is there already needs none.
        for (int i = 0; i < Events; i++) channel.Writer.TryWrite(Stdout("x"));
        await using var events = channel.Reader.ReadAllAsync(default).GetAsyncEnumerator(default);
        var pumping = stream.PumpAsync(events);
        for (int i = 0; i < Events; i++)
        {
            await time.NextAsync();
            // One may be about to go.
            Assert.InRange(time.Alive, 1, 2);
            channel.Writer.TryWrite(Stdout("y"));
        }

        (await time.NextAsync()).Fire();
        // The silence is told, and waited on.
        await time.NextAsync();
        channel.Writer.TryWrite(new HostedEvent(HostedEventKind.End, default, 3));
        Assert.Equal(3, (await pumping).ExitCode);
        Assert.Equal(Events + 2, time.Made);
        string text = Encoding.UTF8.GetString(body.ToArray());
        Assert.Equal((Events, Events, 1), (Count(text, "\"x\""), Count(text, "\"y\""), Count(text, ": waiting")));
    }

    private static HostedEvent Stdout(string text) => new(HostedEventKind.Stdout, Encoding.UTF8.GetBytes(text));

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    /// <summary>Time that stands still, and tells of the timers that are made.</summary>
    private sealed class CountingTime : TimeProvider
    {
        private readonly Channel<OwnTimer> _made = Channel.CreateUnbounded<OwnTimer>();
        private int _alive, _count;

        public int Alive => Volatile.Read(ref _alive);

        public int Made => Volatile.Read(ref _count);

        public async Task<OwnTimer> NextAsync() => await _made.Reader.ReadAsync();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref _alive);
            Interlocked.Increment(ref _count);
            var timer = new OwnTimer(this, () => callback(state));
            _made.Writer.TryWrite(timer);
            return timer;
        }

        public sealed class OwnTimer(CountingTime time, Action fire) : ITimer
        {
            private int _disposed;

            public void Fire() => fire();

            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
                if (Interlocked.Exchange(ref _disposed, 1) == 0) Interlocked.Decrement(ref time._alive);
            }

            public ValueTask DisposeAsync()
            {
                Dispose();
                return default;
            }
        }
    }
}
