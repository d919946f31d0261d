using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Sandboxes;

/// <summary>The kernel's clock port on the real host.</summary>
internal sealed class SystemClock : IHostClock
{
    public static readonly SystemClock Instance = new();

    public long MonotonicNanoseconds => HostClock.MonotonicNanoseconds;

    public long RealtimeNanoseconds => HostClock.RealtimeNanoseconds;
}

/// <summary>The kernel's randomness port on the real host.</summary>
internal sealed class SystemRandom : IHostRandom
{
    public static readonly SystemRandom Instance = new();

    public void Fill(Span<byte> destination) => HostRandom.Fill(destination);
}
