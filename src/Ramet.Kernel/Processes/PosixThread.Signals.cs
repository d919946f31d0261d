using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Processes;

/// <summary>Signals: sending, masks, and what is pending. Delivery is in <see cref="SignalDelivery"/>.</summary>
public sealed partial class PosixThread
{
    private PendingSignals _pending = new();
    private ulong _signalMask;
    private ulong _savedSignalMask;
    private bool _hasSavedSignalMask;

    /// <summary>Signals sent to this thread alone.</summary>
    public PendingSignals Pending => _pending;

    /// <summary>Blocked signals.</summary>
    public ulong SignalMask
    {
        get => _signalMask;
        set => _signalMask = value & ~Signal.Unblockable;
    }

    /// <summary>Alternate signal stack (sigaltstack(2)): address, size and flags.</summary>
    public ulong AlternateStack { get; internal set; }

    /// <inheritdoc cref="AlternateStack"/>
    public ulong AlternateStackSize { get; internal set; }

    /// <inheritdoc cref="AlternateStack"/>
    public uint AlternateStackFlags { get; internal set; } = SignalDelivery.SS_DISABLE;

    /// <summary>Signals that sigtimedwait(2) waits for, though they are blocked.</summary>
    internal ulong SignalsWaitedFor { get; set; }

    /// <summary>Whether a signal waits that is not blocked, or the thread is to end or stop: the current call must not wait.</summary>
    public bool SignalPending => ExitRequested || (Trace is not null && Trace.WantsStop(Process)) || ((_pending.Mask | Process.Pending.Mask) & ~_signalMask) != 0;

    /// <summary>Sets the mask for the duration of the current call (ppoll, sigsuspend); it is put back when the call returns, or by the handler's return.</summary>
    public void SetTemporarySignalMask(ulong mask)
    {
        if (_hasSavedSignalMask) return;
        _savedSignalMask = _signalMask;
        _hasSavedSignalMask = true;
        SignalMask = mask;
    }

    /// <summary>The mask to return to from a handler: the one before <see cref="SetTemporarySignalMask"/>, if that is in force.</summary>
    internal ulong TakeSignalMaskToRestore()
    {
        if (!_hasSavedSignalMask) return _signalMask;
        _hasSavedSignalMask = false;
        return _savedSignalMask;
    }

    /// <summary>The call is over: undoes <see cref="SetTemporarySignalMask"/>.</summary>
    internal void RestoreSignalMask()
    {
        if (_hasSavedSignalMask) SignalMask = TakeSignalMaskToRestore();
    }

    /// <summary>Sends a signal of the kernel's own to this thread (SIGPIPE, SIGXFSZ).</summary>
    public void SendSignal(int signal) => SendSignal(SignalInfo.FromKernel(signal));

    /// <summary>Sends a signal to this thread alone. False when the queue is full.</summary>
    public bool SendSignal(in SignalInfo info)
    {
        if (State == ThreadState.Dead || !Process.PrepareSignal(info.Signal, this)) return true;
        bool added = _pending.Add(info, Process.SignalQueueLimit);
        Notify(info.Signal);
        Kernel.OnSignalQueued(Process);
        return added || info.Signal < Signal.SIGRTMIN;
    }

    /// <summary>Forces a signal that an instruction caused: a blocked or ignored one ends the process, as on Linux.</summary>
    internal void ForceSignal(in SignalInfo info)
    {
        ref var action = ref Process.Handlers[info.Signal];
        if (action.Handler == SignalAction.Ignore || (_signalMask & Signal.Bit(info.Signal)) != 0)
        {
            action.Handler = SignalAction.Default;
            _signalMask &= ~Signal.Bit(info.Signal);
        }

        _pending.Remove(Signal.Bit(info.Signal));
        _pending.Add(info, int.MaxValue);
        Notify(info.Signal);
    }

    /// <summary>A signal was queued: wakes the thread if it takes it.</summary>
    internal bool Notify(int signal)
    {
        ulong bit = Signal.Bit(signal);
        if ((bit & (~_signalMask | SignalsWaitedFor)) == 0) return false;
        if (State == ThreadState.Blocked && (!_uninterruptible || signal == Signal.SIGKILL)) Wake();
        else Kernel.Scheduler.Interrupt(this);
        return true;
    }

    /// <summary>Takes the next signal that is not blocked.</summary>
    internal bool TryTakeSignal(ulong set, out SignalInfo info) => _pending.TryTake(set, out info) || Process.Pending.TryTake(set, out info);
}
