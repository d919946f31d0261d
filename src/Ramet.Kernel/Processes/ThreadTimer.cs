using Ramet.Kernel.State;
using Ramet.Kernel.Time;

namespace Ramet.Kernel.Processes;

/// <summary>Wakes a thread at its deadline.</summary>
[Saved]
internal sealed partial class ThreadTimer : KernelTimer
{
    private PosixThread _thread = null!;

    private ThreadTimer()
    {
    }

    public ThreadTimer(PosixThread thread) => _thread = thread;

    public override void OnDue() => _thread.Wake();
}
