using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Tests.Running;

/// <summary>When a host thread is asked to poll for system calls: only where that pays.</summary>
public sealed class PollingPolicyTests
{
    private const long Exit = 40_000, Cheap = 2_000, Far = 500_000, Millisecond = 1_000_000;

    /// <summary>Calls with this much user time before each; how many it took until polling was asked for, or 0.</summary>
    private static int CallsUntilAsked(ref PollingPolicy policy, long now, long since, int calls = 100)
    {
        for (int i = 1; i <= calls; i++)
            if (policy.OnExit(now, since)) return i;
        return 0;
    }

    [Fact]
    public void Calls_close_together_ask_for_it_and_calls_far_apart_do_not()
    {
        var policy = default(PollingPolicy);
        Assert.InRange(CallsUntilAsked(ref policy, 0, Exit), 2, 20);
        policy = default;
        Assert.Equal(0, CallsUntilAsked(ref policy, 0, Far));
        // One that is far from the one before begins a new row.
        for (int i = 0; i < 100; i++) Assert.False(policy.OnExit(0, i % 4 == 0 ? Far : Exit));
    }

    [Fact]
    public void Where_exits_are_cheap_it_is_never_asked_for()
    {
        var policy = default(PollingPolicy);
        Assert.Equal(0, CallsUntilAsked(ref policy, 0, Cheap));
    }

    [Fact]
    public void What_did_not_pay_is_tried_again_later_and_later()
    {
        var policy = default(PollingPolicy);
        long now = 0, last = 0;
        for (int round = 0; round < 5; round++)
        {
            Assert.NotEqual(0, CallsUntilAsked(ref policy, now, Exit));
            policy.OnEnd(now, served: 1, contended: false);
            long pause = 0;
            while (CallsUntilAsked(ref policy, now + pause, Exit) == 0) pause += Millisecond / 10;
            Assert.True(pause > last, $"the pause of {pause} ns is not longer than the one before");
            last = pause;
            now += pause;
        }

        for (int round = 0; round < 20; round++) policy.OnEnd(now, served: 1, contended: false);
        Assert.NotEqual(0, CallsUntilAsked(ref policy, now + (200 * Millisecond), Exit));
    }

    [Fact]
    public void What_paid_may_go_on_at_once_unless_others_need_the_processor()
    {
        var policy = default(PollingPolicy);
        policy.OnEnd(0, served: 1000, contended: false);
        Assert.NotEqual(0, CallsUntilAsked(ref policy, 0, Exit));
        policy.OnEnd(0, served: 1000, contended: true);
        Assert.Equal(0, CallsUntilAsked(ref policy, 0, Exit));
    }
}
