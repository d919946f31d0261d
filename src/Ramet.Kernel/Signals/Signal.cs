using Ramet.Kernel.State;

namespace Ramet.Kernel.Signals;

/// <summary>Signal numbers of Linux on x86-64 (signal(7)).</summary>
public static class Signal
{
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGILL = 4;
    public const int SIGTRAP = 5;
    public const int SIGABRT = 6;
    public const int SIGBUS = 7;
    public const int SIGFPE = 8;
    public const int SIGKILL = 9;
    public const int SIGUSR1 = 10;
    public const int SIGSEGV = 11;
    public const int SIGUSR2 = 12;
    public const int SIGPIPE = 13;
    public const int SIGALRM = 14;
    public const int SIGTERM = 15;
    public const int SIGSTKFLT = 16;
    public const int SIGCHLD = 17;
    public const int SIGCONT = 18;
    public const int SIGSTOP = 19;
    public const int SIGTSTP = 20;
    public const int SIGTTIN = 21;
    public const int SIGTTOU = 22;
    public const int SIGURG = 23;
    public const int SIGXCPU = 24;
    public const int SIGXFSZ = 25;
    public const int SIGVTALRM = 26;
    public const int SIGPROF = 27;
    public const int SIGWINCH = 28;
    public const int SIGIO = 29;
    public const int SIGPWR = 30;
    public const int SIGSYS = 31;

    /// <summary>First real-time signal of the kernel.</summary>
    public const int SIGRTMIN = 32;

    /// <summary>Last signal.</summary>
    public const int SIGRTMAX = 64;

    /// <summary>The bit of a signal in a mask.</summary>
    public static ulong Bit(int signal) => 1UL << (signal - 1);

    /// <summary>SIGKILL and SIGSTOP: they can be neither blocked nor caught.</summary>
    public const ulong Unblockable = (1UL << (SIGKILL - 1)) | (1UL << (SIGSTOP - 1));

    /// <summary>Signals that stop a process by default.</summary>
    public const ulong Stopping = (1UL << (SIGSTOP - 1)) | (1UL << (SIGTSTP - 1)) | (1UL << (SIGTTIN - 1)) | (1UL << (SIGTTOU - 1));

    /// <summary>Signals that an instruction causes: they are delivered first, to the thread that did it.</summary>
    public const ulong Synchronous = (1UL << (SIGSEGV - 1)) | (1UL << (SIGBUS - 1)) | (1UL << (SIGILL - 1)) | (1UL << (SIGTRAP - 1)) | (1UL << (SIGFPE - 1)) | (1UL << (SIGSYS - 1));

    private const ulong IgnoredByDefault = (1UL << (SIGCHLD - 1)) | (1UL << (SIGCONT - 1)) | (1UL << (SIGURG - 1)) | (1UL << (SIGWINCH - 1));

    /// <summary>Whether the default action is to ignore it.</summary>
    public static bool IsIgnoredByDefault(int signal) => signal <= SIGSYS && (IgnoredByDefault & Bit(signal)) != 0;

    /// <summary>Whether the default action is to stop.</summary>
    public static bool IsStopping(int signal) => signal <= SIGSYS && (Stopping & Bit(signal)) != 0;

    /// <summary>Whether a number is a signal.</summary>
    public static bool IsValid(int signal) => signal is >= 1 and <= SIGRTMAX;
}

/// <summary>A signal on its way: the parts of siginfo_t that the kernel fills (sigaction(2)).</summary>
public struct SignalInfo
{
    /// <summary>si_signo.</summary>
    public int Signal;

    /// <summary>si_errno.</summary>
    public int Error;

    /// <summary>si_code.</summary>
    public int Code;

    /// <summary>si_pid, or si_timerid for SI_TIMER, or si_band's or si_arch's place.</summary>
    public int Pid;

    /// <summary>si_uid, or si_overrun for SI_TIMER.</summary>
    public int Uid;

    /// <summary>si_status for SIGCHLD (an int), or si_value.</summary>
    public ulong Value;

    /// <summary>si_addr for faults.</summary>
    public ulong Address;

    /// <summary>SI_USER: kill(2).</summary>
    public const int SI_USER = 0;

    /// <summary>SI_KERNEL.</summary>
    public const int SI_KERNEL = 0x80;

    /// <summary>SI_QUEUE: sigqueue(3).</summary>
    public const int SI_QUEUE = -1;

    /// <summary>SI_TIMER: timer_create(2).</summary>
    public const int SI_TIMER = -2;

    /// <summary>SI_MESGQ: mq_notify(3).</summary>
    public const int SI_MESGQ = -3;

    /// <summary>SI_TKILL: tgkill(2).</summary>
    public const int SI_TKILL = -6;

    /// <summary>A signal from the kernel itself.</summary>
    public static SignalInfo FromKernel(int signal) => new() { Signal = signal, Code = SI_KERNEL };

    /// <summary>A fault of an instruction.</summary>
    public static SignalInfo Fault(int signal, int code, ulong address) => new() { Signal = signal, Code = code, Address = address };

    /// <summary>Writes siginfo_t (128 bytes).</summary>
    public readonly void Write(Span<byte> destination)
    {
        destination.Clear();
        BitConverter.TryWriteBytes(destination, Signal);
        BitConverter.TryWriteBytes(destination[4..], Error);
        BitConverter.TryWriteBytes(destination[8..], Code);
        if (Code is > 0 and < SI_KERNEL && Signals.Signal.IsValid(Signal) && (Signals.Signal.Synchronous & Signals.Signal.Bit(Signal)) != 0)
        {
            BitConverter.TryWriteBytes(destination[16..], Address);
            // si_syscall and si_arch.
            if (Signal == Signals.Signal.SIGSYS) BitConverter.TryWriteBytes(destination[24..], Value);
            return;
        }

        BitConverter.TryWriteBytes(destination[16..], Pid);
        BitConverter.TryWriteBytes(destination[20..], Uid);
        BitConverter.TryWriteBytes(destination[24..], Value);
    }

    /// <summary>Reads siginfo_t as rt_sigqueueinfo(2) gets it.</summary>
    public static SignalInfo Read(ReadOnlySpan<byte> source, int signal) => new()
    {
        Signal = signal,
        Error = BitConverter.ToInt32(source[4..]),
        Code = BitConverter.ToInt32(source[8..]),
        Pid = BitConverter.ToInt32(source[16..]),
        Uid = BitConverter.ToInt32(source[20..]),
        Value = BitConverter.ToUInt64(source[24..]),
    };
}

/// <summary>Signals that have been sent and not delivered, of a thread or of a process.</summary>
[Saved]
public sealed partial class PendingSignals
{
    private List<SignalInfo> _queue = [];

    /// <summary>A bit for each signal that waits.</summary>
    public ulong Mask { get; private set; }

    /// <summary>Number of queued signals.</summary>
    public int Count => _queue.Count;

    /// <summary>Adds a signal. A standard signal that waits already is merged; false then, and over the limit.</summary>
    public bool Add(in SignalInfo info, int limit)
    {
        bool realTime = info.Signal >= Signal.SIGRTMIN;
        if (!realTime && (Mask & Signal.Bit(info.Signal)) != 0) return false;
        if (realTime && _queue.Count >= limit) return false;
        _queue.Add(info);
        Mask |= Signal.Bit(info.Signal);
        return true;
    }

    /// <summary>A timer expired while its signal waits: the signal tells of it (si_overrun).</summary>
    public void SetTimerOverrun(int signal, int timer, int overrun)
    {
        int index = _queue.FindIndex(queued => queued.Signal == signal && queued.Code == SignalInfo.SI_TIMER && queued.Pid == timer);
        if (index < 0) return;
        var info = _queue[index];
        info.Uid = overrun;
        _queue[index] = info;
    }

    /// <summary>Takes the next signal of a set: faults first, then the lowest number, then the oldest.</summary>
    public bool TryTake(ulong set, out SignalInfo info)
    {
        ulong candidates = Mask & set;
        if (candidates == 0)
        {
            info = default;
            return false;
        }

        ulong urgent = candidates & Signal.Synchronous;
        int signal = System.Numerics.BitOperations.TrailingZeroCount(urgent != 0 ? urgent : candidates) + 1;
        int index = _queue.FindIndex(queued => queued.Signal == signal);
        info = _queue[index];
        _queue.RemoveAt(index);
        if (!_queue.Exists(queued => queued.Signal == signal)) Mask &= ~Signal.Bit(signal);
        return true;
    }

    /// <summary>Forgets signals of a set.</summary>
    public void Remove(ulong set)
    {
        if ((Mask & set) == 0) return;
        _queue.RemoveAll(queued => (Signal.Bit(queued.Signal) & set) != 0);
        Mask &= ~set;
    }
}

/// <summary>SA_* (sigaction(2)).</summary>
[Flags]
public enum SignalActionFlags : ulong
{
    SA_NOCLDSTOP = 1,
    SA_NOCLDWAIT = 2,
    SA_SIGINFO = 4,
    SA_RESTORER = 0x0400_0000,
    SA_ONSTACK = 0x0800_0000,
    SA_RESTART = 0x1000_0000,
    SA_NODEFER = 0x4000_0000,
    SA_RESETHAND = 0x8000_0000,
}

/// <summary>struct sigaction as the kernel has it (rt_sigaction(2)).</summary>
public struct SignalAction
{
    /// <summary>sa_handler: 0 SIG_DFL, 1 SIG_IGN, else an address.</summary>
    public ulong Handler;

    /// <summary>sa_flags.</summary>
    public SignalActionFlags Flags;

    /// <summary>sa_restorer.</summary>
    public ulong Restorer;

    /// <summary>sa_mask.</summary>
    public ulong Mask;

    /// <summary>SIG_DFL.</summary>
    public const ulong Default = 0;

    /// <summary>SIG_IGN.</summary>
    public const ulong Ignore = 1;
}

/// <summary>Signal handlers of a process (sighand_struct).</summary>
[Saved]
public sealed partial class SignalHandlers
{
    private SignalAction[] _actions = new SignalAction[Signal.SIGRTMAX + 1];

    /// <summary>What happens on a signal.</summary>
    public ref SignalAction this[int signal]
    {
        get
        {
            if (signal >= _actions.Length) Array.Resize(ref _actions, Signal.SIGRTMAX + 1);
            return ref _actions[signal];
        }
    }

    /// <summary>A copy, for fork.</summary>
    public SignalHandlers Clone() => new() { _actions = [.. _actions] };

    /// <summary>For execve: handlers become the default; what is ignored stays ignored.</summary>
    public void ResetForExec()
    {
        for (int i = 1; i < _actions.Length; i++)
        {
            ulong handler = _actions[i].Handler == SignalAction.Ignore ? SignalAction.Ignore : SignalAction.Default;
            _actions[i] = new SignalAction { Handler = handler };
        }
    }

    /// <summary>Defaults at the end are not saved: most programs have handlers for a few signals, and each fork has these tables.</summary>
    private void OnSaving()
    {
        int used = _actions.Length;
        while (used > 1 && _actions[used - 1] is { Handler: SignalAction.Default, Flags: 0, Mask: 0, Restorer: 0 }) used--;
        Array.Resize(ref _actions, used);
    }
}
