using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>A thread that waits inside a system call.</summary>
[Saved]
public partial class ThreadWaiter : Waiter
{
    private PosixThread _thread = null!;

    private protected ThreadWaiter()
    {
    }

    /// <summary>A waiter for this thread.</summary>
    public ThreadWaiter(PosixThread thread) => _thread = thread;

    internal PosixThread Waiting => _thread;

    /// <inheritdoc/>
    public override bool OnWake(PollEvents events) => _thread.Wake();
}
