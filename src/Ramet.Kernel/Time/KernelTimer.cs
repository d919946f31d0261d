using Ramet.Kernel.State;

namespace Ramet.Kernel.Time;

/// <summary>Something that is to happen at a time. Set and cancelled through <see cref="TimerQueue"/>.</summary>
[Saved]
public abstract partial class KernelTimer
{
    internal long Sequence;

    /// <summary>When it is due (<c>Kernel.MonotonicNow</c>, ns), while it is set.</summary>
    public long DueTime { get; internal set; }

    /// <summary>Whether it is set.</summary>
    public bool IsSet { get; internal set; }

    /// <summary>It is due and not set any more. Runs under the kernel lock; may set itself again.</summary>
    public abstract void OnDue();
}
