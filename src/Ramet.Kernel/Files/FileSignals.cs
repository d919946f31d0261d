using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>Kinds of owners of fcntl(2) F_SETOWN_EX.</summary>
internal enum FileOwnerType
{
    F_OWNER_TID = 0,
    F_OWNER_PID = 1,
    F_OWNER_PGRP = 2,
}

/// <summary>
/// Whom signals about an open file go to and which one it is (fcntl(2) F_SETOWN, F_SETSIG), and, while O_ASYNC is set, the waiter on the file's queue that sends them.
/// Most files never have one of these.
/// </summary>
[Saved]
internal sealed partial class FileSignals : Waiter
{
    /// <summary>si_code: what happened (sigaction(2), SIGIO/SIGPOLL).</summary>
    public const int POLL_IN = 1, POLL_OUT = 2, POLL_MSG = 3, POLL_ERR = 4, POLL_PRI = 5, POLL_HUP = 6;

    /// <summary>si_code of signals whose own codes mean something else (SI_SIGIO).</summary>
    private const int SI_SIGIO = -5;

    private FileDescription _file = null!;
    private Kernel _kernel = null!;

    // Who set the owner: signals go only where it could send them itself.
    private uint _uid;
    private uint _effectiveUid;

    private FileSignals()
    {
    }

    /// <summary>Nobody is told of anything.</summary>
    public FileSignals(Kernel kernel, FileDescription file)
    {
        _kernel = kernel;
        _file = file;
    }

    /// <summary>What <see cref="Owner"/> is the id of.</summary>
    public FileOwnerType OwnerType { get; private set; } = FileOwnerType.F_OWNER_PID;

    /// <summary>The id of a thread, process or process group; 0: nobody.</summary>
    public int Owner { get; private set; }

    /// <summary>F_SETSIG; 0: SIGIO, without details.</summary>
    public int SignalNumber { get; set; }

    /// <summary>si_fd: the descriptor by which O_ASYNC, F_SETLEASE or F_NOTIFY was asked for.</summary>
    public int Descriptor { get; set; }

    /// <summary>What F_NOTIFY asked for.</summary>
    public DirectoryNotification? Notification { get; set; }

    /// <summary>F_SETOWN and F_SETOWN_EX. ESRCH.</summary>
    public Errno SetOwner(PosixThread thread, FileOwnerType type, int id)
    {
        if (id != 0 && !Exists(type, id)) return Errno.ESRCH;
        OwnerType = type;
        Owner = id;
        _uid = thread.Credentials.Uid;
        _effectiveUid = thread.Credentials.EffectiveUid;
        return Errno.None;
    }

    /// <summary>O_ASYNC: from now on, or no more.</summary>
    public void SetAsync(bool on, int descriptor)
    {
        if (on) Descriptor = descriptor;
        if (on && Queue is null) _file.PollQueue?.Add(this);
        else if (!on) Detach();
    }

    /// <inheritdoc/>
    public override bool OnWake(PollEvents events)
    {
        var ready = _file.Poll() & events;
        const PollEvents Told = Readiness.In | Readiness.Out | Readiness.Always | PollEvents.POLLPRI;
        if ((ready & Told) == 0) return false;

        // Pipes know two reasons only, the end of the other side included (fs/pipe.c).
        if (_file is Pipes.PipeEnd) Send(_file.CanRead && (ready & (Readiness.In | PollEvents.POLLHUP)) != 0 ? POLL_IN : POLL_OUT);
        else if ((ready & PollEvents.POLLPRI) != 0) Send(POLL_PRI);
        else if ((ready & PollEvents.POLLERR) != 0) Send(POLL_ERR);
        else if ((ready & PollEvents.POLLHUP) != 0) Send(POLL_HUP);
        else Send((ready & Readiness.In) != 0 ? POLL_IN : POLL_OUT);
        return false;
    }

    /// <summary>Tells the owner (fs/fcntl.c, send_sigio).</summary>
    /// <param name="reason">POLL_IN to POLL_HUP.</param>
    public void Send(int reason)
    {
        if (Owner == 0) return;
        if (SignalNumber == 0)
        {
            Send(SignalInfo.FromKernel(Signal.SIGIO));
            return;
        }

        var info = new SignalInfo { Signal = SignalNumber, Code = HasCodesOfItsOwn(SignalNumber) ? SI_SIGIO : reason, Pid = (int)BandOf(reason), Value = (uint)Descriptor };

        // A full queue of real-time signals overflows into SIGIO.
        if (!Send(info)) Send(SignalInfo.FromKernel(Signal.SIGIO));
    }

    /// <summary>Urgent data of a socket has come: SIGURG, whatever F_SETSIG says.</summary>
    public void SendUrgent() => Send(SignalInfo.FromKernel(Signal.SIGURG));

    private bool Send(in SignalInfo info)
    {
        var processes = _kernel.Processes;
        switch (OwnerType)
        {
            case FileOwnerType.F_OWNER_TID:
                return processes.FindThread(Owner) is not { } thread || !MaySignal(thread) || thread.SendSignal(info);
            case FileOwnerType.F_OWNER_PID:
                return (processes.FindProcess(Owner) ?? processes.FindThread(Owner)?.Process) is not { Leader: { } leader } process || !MaySignal(leader) || process.SendSignal(info);
            default:
                bool taken = true;
                foreach (var member in processes.InGroup(Owner).ToArray())
                    if (member.Leader is { } first && MaySignal(first)) taken &= member.SendSignal(info);
                return taken;
        }
    }

    private bool Exists(FileOwnerType type, int id) => type switch
    {
        FileOwnerType.F_OWNER_PGRP => _kernel.Processes.InGroup(id).Any(),
        _ => _kernel.Processes.FindThread(id) is not null || _kernel.Processes.FindProcess(id) is not null,
    };

    private bool MaySignal(PosixThread target)
    {
        var credentials = target.Credentials;
        return _effectiveUid == 0 || _effectiveUid == credentials.SavedUid || _effectiveUid == credentials.Uid || _uid == credentials.SavedUid || _uid == credentials.Uid;
    }

    private static PollEvents BandOf(int reason) => reason switch
    {
        POLL_IN => Readiness.In,
        POLL_OUT => Readiness.Out | PollEvents.POLLWRBAND,
        POLL_MSG => Readiness.In | PollEvents.POLLMSG,
        POLL_ERR => PollEvents.POLLERR,
        POLL_PRI => PollEvents.POLLPRI | PollEvents.POLLRDBAND,
        _ => PollEvents.POLLHUP | PollEvents.POLLERR,
    };

    private static bool HasCodesOfItsOwn(int signal) =>
        signal != Signal.SIGIO && signal < Signal.SIGRTMIN && ((Signal.Synchronous | Signal.Bit(Signal.SIGCHLD)) & Signal.Bit(signal)) != 0;
}
