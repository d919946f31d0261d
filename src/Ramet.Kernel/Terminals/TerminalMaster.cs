using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>The master of a pseudoterminal: what open of /dev/ptmx gives (ptmx(4)).</summary>
[Saved]
public sealed partial class TerminalMaster : FileDescription
{
    private TerminalMaster()
    {
    }

    internal TerminalMaster(Terminal terminal, Inode inode, OpenFlags flags)
    {
        Terminal = terminal;
        Inode = inode;
        Flags = flags;
        terminal.IsLocked = true;
    }

    /// <summary>The terminal.</summary>
    public Terminal Terminal { get; private set; } = null!;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => Terminal.MasterQueue;

    /// <inheritdoc/>
    internal override bool SupportsAsync => true;

    private bool HasStatus => Terminal.PacketMode && Terminal.PacketStatus != 0;

    /// <inheritdoc/>
    public override PollEvents Poll() =>
        (Terminal.OutputCount > 0 || HasStatus ? Readiness.In : PollEvents.None) | (HasStatus ? PollEvents.POLLPRI : PollEvents.None)
        | (Terminal.IsSlaveClosed ? PollEvents.POLLHUP : PollEvents.None) | (Terminal.HasInputRoom ? Readiness.Out : PollEvents.None);

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining == 0) return 0;
        if (HasStatus)
        {
            var status = Terminal.PacketStatus;
            Terminal.PacketStatus = 0;
            return buffer.CopyFrom([(byte)status]) == 1 ? 1 : Errno.EFAULT;
        }

        if (Terminal.OutputCount == 0)
        {
            if (Terminal.IsSlaveClosed) return Errno.EIO;
            return NonBlocking ? Errno.EAGAIN : thread.BlockOn(Terminal.MasterQueue, PollEvents.POLLIN | PollEvents.POLLPRI | PollEvents.POLLHUP);
        }

        int first = Terminal.PacketMode ? buffer.CopyFrom([(byte)PacketStatus.TIOCPKT_DATA]) : 0;
        int done = first + Terminal.TakeOutput(ref buffer);
        return done == 0 && buffer.Faulted ? Errno.EFAULT : done;
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        long total = buffer.Length;
        buffer.Skip(thread.Progress);
        thread.Progress += Terminal.TakeInput(ref buffer);
        if (buffer.Faulted) return thread.Progress > 0 ? thread.Progress : Errno.EFAULT;
        if (thread.Progress == total) return total;
        if (thread.Progress > 0 && (NonBlocking || thread.SignalPending)) return thread.Progress;
        return NonBlocking ? Errno.EAGAIN : thread.BlockOn(Terminal.MasterQueue, PollEvents.POLLOUT);
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument)
    {
        var user = thread.Memory.User;
        switch (request)
        {
            case TerminalRequest.TIOCGPTN:
                return IoctlRequest.PutInt32(thread, argument, Terminal.Number);
            case TerminalRequest.TIOCSPTLCK:
                if (!user.TryRead(new UserAddress(argument), out int locked)) return Errno.EFAULT;
                Terminal.IsLocked = locked != 0;
                return 0;
            case TerminalRequest.TIOCGPTLCK:
                return IoctlRequest.PutInt32(thread, argument, Terminal.IsLocked ? 1 : 0);
            case TerminalRequest.TIOCGPTPEER:
                return OpenPeer(thread, (OpenFlags)argument);
            case TerminalRequest.TIOCPKT:
                if (!user.TryRead(new UserAddress(argument), out int packets)) return Errno.EFAULT;
                if (packets != 0 && !Terminal.PacketMode) Terminal.PacketStatus = 0;
                Terminal.PacketMode = packets != 0;
                return 0;
            case TerminalRequest.TIOCGPKT:
                return IoctlRequest.PutInt32(thread, argument, Terminal.PacketMode ? 1 : 0);
            case TerminalRequest.TIOCSIG:
                if (argument is not (Signal.SIGINT or Signal.SIGQUIT or Signal.SIGTSTP)) return Errno.EINVAL;
                Terminal.SignalForeground((int)argument);
                return 0;
            case TerminalRequest.FIONREAD:
                return IoctlRequest.PutInt32(thread, argument, Terminal.OutputCount);
            case TerminalRequest.TIOCSCTTY or TerminalRequest.TIOCNOTTY:
                return request == TerminalRequest.TIOCNOTTY ? Errno.ENOTTY : Errno.EPERM;
            case TerminalRequest.TCFLSH:
                return argument <= 2 ? 0 : Errno.EINVAL;
            default:
                return TerminalIoctls.Run(thread, Terminal, request, argument, isMaster: true);
        }
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel) => Terminal.OnMasterClosed();

    private SyscallResult OpenPeer(PosixThread thread, OpenFlags flags)
    {
        const OpenFlags Kept = OpenFlags.O_ACCMODE | OpenFlags.O_NONBLOCK | OpenFlags.O_APPEND;
        var error = thread.Kernel.Terminals.OpenTerminal(thread, Terminal, Terminal.Inode, (flags & Kept) | OpenFlags.O_LARGEFILE, out var description);
        if (error != Errno.None) return error;
        description!.Dentry = thread.Kernel.Terminals.DentryOf(Terminal);
        error = thread.Files.Install(description, (flags & OpenFlags.O_CLOEXEC) != 0, out int descriptor);
        if (error == Errno.None)
        {
            if ((flags & OpenFlags.O_NOCTTY) == 0 && description.CanRead) Terminal.AcquireOnOpen(thread.Process);
            return descriptor;
        }

        description.Release(thread.Kernel);
        return error;
    }
}
