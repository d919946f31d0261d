using System.Globalization;
using Ramet.Cli.Output;
using Ramet.Host;

namespace Ramet.Cli;

/// <summary>
/// With RAMET_TRACE_STARTUP=1, tells on stderr when each phase of a run was reached, in milliseconds. They count from the start of the launcher when it was
/// used (RAMET_LAUNCHED_AT, ns since 1970), else from the first managed instruction.
/// </summary>
internal static class StartupTrace
{
    private static readonly bool s_enabled = Environment.GetEnvironmentVariable("RAMET_TRACE_STARTUP") is { Length: > 0 } value && value != "0";
    private static long s_start;
    private static long s_last;

    /// <summary>A phase was reached.</summary>
    public static void Mark(string phase)
    {
        if (s_enabled) Write(phase);
    }

    private static void Write(string phase)
    {
        long now = HostClock.RealtimeNanoseconds;
        if (s_start == 0)
        {
            s_start = long.TryParse(Environment.GetEnvironmentVariable("RAMET_LAUNCHED_AT"), NumberStyles.None, CultureInfo.InvariantCulture, out long launched) && launched <= now ? launched : now;
            s_last = s_start;
        }

        Message.Write(string.Create(CultureInfo.InvariantCulture, $"{(now - s_start) / 1e6,8:0.0} ms  +{(now - s_last) / 1e6,6:0.0}  {phase}"));
        s_last = now;
    }
}
