namespace Ramet.Kernel.Processes;

/// <summary>
/// When a host thread should poll a virtual CPU's mailbox. Polling takes a processor, so it must pay: only for a program that calls again and
/// again with little in between, and each time that it turns out not to pay it is tried again later.
/// </summary>
internal struct PollingPolicy
{
    /// <summary>Between two calls that follow upon each other, ns. An exit alone can take half of it.</summary>
    private const long CloseTogether = 120_000;

    /// <summary>Where calls follow upon each other faster than this, ns, exits are cheap (hardware virtualization): a processor is worth more.</summary>
    private const long CheapExit = 8_000;

    /// <summary>So many of them in a row.</summary>
    private const int CallsInARow = 8;

    /// <summary>A poller goes on for this long without a call, ns: about what four exits cost: programs that wake each other exit in between.</summary>
    internal const long IdleTime = 200_000;

    /// <summary>Between two looks at the clock a poller is off its processor for this long, ns: others need it.</summary>
    internal const long Descheduled = 400_000;

    /// <summary>After each so many calls the poller looks how many of them left the guest nevertheless,</summary>
    internal const int Window = 48;

    /// <summary>and gives up if it was more than this: two thirds. Two processes that wake each other leave at every second call.</summary>
    internal const int MostThatLeave = 32;

    /// <summary>Fewer calls than this were not worth the start.</summary>
    private const int WorthIt = 8;

    private const long FirstPause = 1_000_000, LongestPause = 100_000_000;

    private int _calls;
    private long _shortest;
    private long _notBefore;
    private long _pause;

    /// <summary>A call came by an exit. True when polling should begin.</summary>
    /// <param name="now">The time, ns.</param>
    /// <param name="since">How long user code ran before it, ns.</param>
    internal bool OnExit(long now, long since)
    {
        _shortest = _calls == 0 ? since : Math.Min(_shortest, since);
        _calls = since < CloseTogether ? _calls + 1 : 0;
        if (_calls < CallsInARow || now < _notBefore) return false;
        _calls = 0;
        return _shortest > CheapExit;
    }

    /// <summary>Polling is over, or nobody could do it.</summary>
    /// <param name="now">The time, ns.</param>
    /// <param name="served">How many calls were served.</param>
    /// <param name="contended">Others needed the processor.</param>
    internal void OnEnd(long now, long served, bool contended)
    {
        _pause = served >= WorthIt && !contended ? 0 : Math.Clamp(_pause * 2, FirstPause, LongestPause);
        _notBefore = now + _pause;
    }
}
