using System.Runtime.InteropServices;

namespace Ramet.Host;

/// <summary>
/// The one real-time signal that takes a thread out of KVM_RUN. It is blocked in every thread that runs a vCPU and
/// open only inside KVM_RUN, so no handler ever runs; should it reach any other thread, it is ignored.
/// </summary>
internal static unsafe class KickSignal
{
    [ThreadStatic]
    private static int t_threadId;

    // .NET takes SIGRTMIN for itself; a few above it are left to others (profilers take the next ones).
    internal static readonly int Number = Initialize();

    private static int Initialize()
    {
        var number = Libc.CurrentSigRtMin() + 9;
        // SIG_IGN does not stop the wake-up: a signal that the thread blocks is queued even when it is ignored
        // (kernel/signal.c, sig_ignored), and KVM_RUN looks at the queue.
        Libc.Signal(number, 1);
        return number;
    }

    /// <summary>Blocks the signal in this thread for good (once per thread) and gives the thread's id.</summary>
    internal static int PrepareThread()
    {
        if (t_threadId != 0)
            return t_threadId;
        var set = Set();
        // SAFETY: the set is a full-size sigset_t on our stack.
        var error = Libc.PThreadSigMask(Libc.SIG_BLOCK, &set, null);
        if (error != 0)
            throw HostException.FromErrno("pthread_sigmask", error);
        return t_threadId = (int)Libc.Syscall(Libc.SYS_gettid, 0, 0, 0);
    }

    /// <summary>Sends the signal. tgkill(2) refuses it (EAGAIN) while the user's queue of signals is full, RLIMIT_SIGPENDING: that passes.</summary>
    internal static void Send(int threadId)
    {
        for (var tries = 0; tries < 1000 && Libc.Syscall(Libc.SYS_tgkill, Environment.ProcessId, threadId, Number) < 0 && Marshal.GetLastPInvokeError() == Libc.EAGAIN; tries++)
            Thread.Sleep(1);
    }

    /// <summary>Takes the signal if it waits for this thread.</summary>
    internal static void Drain()
    {
        var set = Set();
        var zero = default(Timespec);
        // SAFETY: both structs are on our stack; a null info is allowed (sigtimedwait(2)).
        while (Libc.SigTimedWait(&set, null, &zero) > 0) { }
    }

    /// <summary>The kernel's 64-bit mask for KVM_SET_SIGNAL_MASK: everything blocked but the kick.</summary>
    internal static ulong MaskInsideRun => ~(1UL << (Number - 1));

    private static SignalSet Set() => new() { Low = 1UL << (Number - 1) };
}
