using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>What poll, ppoll, select and pselect share: looking at descriptors, and waiting for them.</summary>
internal static class Polling
{
    /// <summary>Most descriptors in one call: nr_open of Linux, since no descriptor is beyond it.</summary>
    public const int MaximumDescriptors = 1 << 20;

    /// <summary>What a description says of the events, with those that are always reported.</summary>
    public static PollEvents Look(FileDescription description, PollEvents wanted) => description.Poll() & (wanted | Readiness.Always);

    /// <summary>Waits for a change of the description. False when the sandbox has too many such waits (ENOMEM): the caller gives up all that it has registered.</summary>
    public static bool TryWait(PosixThread thread, FileDescription description, PollEvents wanted) =>
        description.PollQueue is not { } queue || thread.TryPollOn(queue, wanted | Readiness.Always);

    /// <summary>What a call ends with when <see cref="TryWait"/> fails.</summary>
    public static Errno GiveUp(PosixThread thread)
    {
        thread.StopWaiting();
        return Errno.ENOMEM;
    }

    /// <summary>Installs the signal mask of ppoll, pselect6 and epoll_pwait for the time of the call. EFAULT, EINVAL.</summary>
    public static Errno SetMask(PosixThread thread, Memory.UserAddress address, ulong size)
    {
        if (address.IsNull) return Errno.None;
        if (size != sizeof(ulong)) return Errno.EINVAL;
        if (!thread.Memory.User.TryRead(address, out ulong mask)) return Errno.EFAULT;
        if (!thread.Resuming) thread.SetTemporarySignalMask(mask);
        return Errno.None;
    }

    /// <summary>
    /// How a wait that found nothing ends now: no time left, or a signal. Null: the caller registers what it waits for and blocks. As on Linux, a pending
    /// signal comes before the end of the time.
    /// </summary>
    public static SyscallResult? End(PosixThread thread, long timeout, RestartKind restart)
    {
        if (thread.SignalPending) return SyscallResult.Restart(restart);
        if (timeout == 0 || thread.TimedOut) return 0;
        if (timeout != PollingTimeout.Infinite) thread.WaitUntil(PollingTimeout.DeadlineAfter(thread.Kernel, timeout));
        return null;
    }
}
