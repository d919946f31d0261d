using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>A terminal, open: /dev/pts/N or /dev/tty.</summary>
[Saved]
public sealed partial class TerminalDescription : FileDescription
{
    private int _generation;

    private TerminalDescription()
    {
    }

    internal TerminalDescription(Terminal terminal, Inode inode, OpenFlags flags)
    {
        Terminal = terminal;
        Inode = inode;
        Flags = flags;
        _generation = terminal.Generation;
        terminal.OnOpened();
    }

    /// <summary>The terminal.</summary>
    public Terminal Terminal { get; private set; } = null!;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => Terminal.Queue;

    /// <inheritdoc/>
    internal override bool SupportsAsync => true;

    private bool IsDead => _generation != Terminal.Generation;

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        if (IsDead) return Readiness.In | Readiness.Out | Readiness.Always;
        return (Terminal.IsReadable ? Readiness.In : PollEvents.None) | (Terminal.OutputRoom > 0 ? Readiness.Out : PollEvents.None);
    }

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        // A reader that was waiting learns of the hangup; who comes later reads the end.
        if (IsDead) return thread.Resuming ? Errno.EIO : 0;
        if (buffer.Remaining == 0) return 0;
        var check = Terminal.CheckForeground(thread, Signal.SIGTTIN);
        return check.Value != 0 ? check : Terminal.Read(thread, ref buffer, NonBlocking);
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        if (IsDead) return thread.Progress > 0 ? thread.Progress : Errno.EIO;
        if (thread.Progress == 0 && Terminal.Settings.Has(LocalModes.TOSTOP))
        {
            var check = Terminal.CheckForeground(thread, Signal.SIGTTOU);
            if (check.Value != 0) return check;
        }

        long total = buffer.Length;
        buffer.Skip(thread.Progress);
        thread.Progress += Terminal.PutOutput(ref buffer);
        if (buffer.Faulted) return thread.Progress > 0 ? thread.Progress : Errno.EFAULT;
        if (thread.Progress == total) return total;
        if (thread.Progress > 0 && (NonBlocking || thread.SignalPending)) return thread.Progress;
        return NonBlocking ? Errno.EAGAIN : thread.BlockOn(Terminal.Queue, PollEvents.POLLOUT | PollEvents.POLLHUP);
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument)
    {
        if (IsDead) return request == TerminalRequest.TIOCSPGRP ? Errno.ENOTTY : Errno.EIO;
        switch (request)
        {
            case TerminalRequest.FIONREAD:
                return IoctlRequest.PutInt32(thread, argument, Terminal.ReadableCount);
            case TerminalRequest.TIOCSCTTY:
                return Terminal.Acquire(thread, CanRead, argument == 1);
            case TerminalRequest.TIOCNOTTY:
                if (thread.Process.ControllingTerminal != Terminal) return Errno.ENOTTY;
                Terminal.GiveUp(thread.Process);
                return 0;
            case TerminalRequest.TCFLSH:
                return Flush(thread, argument);
            case TerminalRequest.TCXONC:
                return Flow(thread, argument);
            default:
                return TerminalIoctls.Run(thread, Terminal, request, argument, isMaster: false);
        }
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel) => Terminal.OnClosed(_generation);

    private SyscallResult Flush(PosixThread thread, ulong which)
    {
        const ulong TCIFLUSH = 0, TCOFLUSH = 1, TCIOFLUSH = 2;
        var check = Terminal.CheckForeground(thread, Signal.SIGTTOU);
        if (check.Value != 0) return check;
        if (which > TCIOFLUSH) return Errno.EINVAL;
        if (which is TCIFLUSH or TCIOFLUSH) Terminal.FlushInput();
        if (which is TCOFLUSH or TCIOFLUSH) Terminal.FlushOutput();
        return 0;
    }

    private SyscallResult Flow(PosixThread thread, ulong action)
    {
        const ulong TCOOFF = 0, TCOON = 1, TCIOFF = 2, TCION = 3;
        var check = Terminal.CheckForeground(thread, Signal.SIGTTOU);
        if (check.Value != 0) return check;
        switch (action)
        {
            case TCOOFF:
                Terminal.StopOutput(byCall: true);
                return 0;
            case TCOON:
                Terminal.StartOutput(byCall: true);
                return 0;
            case TCIOFF:
                Terminal.SendControl(Terminal.Settings[ControlCharacter.VSTOP]);
                return 0;
            case TCION:
                Terminal.SendControl(Terminal.Settings[ControlCharacter.VSTART]);
                return 0;
            default:
                return Errno.EINVAL;
        }
    }
}
