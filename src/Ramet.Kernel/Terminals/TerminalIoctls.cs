using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Terminals;

/// <summary>Requests of ioctl(2) that a terminal and its master answer alike, since both speak of the terminal (ioctl_tty(2)).</summary>
internal static class TerminalIoctls
{
    public static SyscallResult Run(PosixThread thread, Terminal terminal, uint request, ulong argument, bool isMaster)
    {
        switch (request)
        {
            case TerminalRequest.TCGETS or TerminalRequest.TCGETS2 or TerminalRequest.TCGETA:
                return GetSettings(thread, terminal, request, argument);
            case TerminalRequest.TCSETS or TerminalRequest.TCSETSW or TerminalRequest.TCSETSF or TerminalRequest.TCSETS2 or TerminalRequest.TCSETSW2
                or TerminalRequest.TCSETSF2 or TerminalRequest.TCSETA or TerminalRequest.TCSETAW or TerminalRequest.TCSETAF:
                return SetSettings(thread, terminal, request, argument, isMaster);
            case TerminalRequest.TIOCGWINSZ:
                return Put(thread, argument, terminal.WindowSize);
            case TerminalRequest.TIOCSWINSZ:
                if (!thread.Memory.User.TryRead(new UserAddress(argument), out WindowSize size)) return Errno.EFAULT;
                terminal.Resize(size);
                return 0;
            case TerminalRequest.TIOCGPGRP or TerminalRequest.TIOCGSID or TerminalRequest.TIOCSPGRP:
                return Groups(thread, terminal, request, argument, isMaster);
            case TerminalRequest.TIOCEXCL or TerminalRequest.TIOCNXCL:
                terminal.IsExclusive = request == TerminalRequest.TIOCEXCL;
                return 0;
            case TerminalRequest.TIOCGEXCL:
                return IoctlRequest.PutInt32(thread, argument, terminal.IsExclusive ? 1 : 0);
            case TerminalRequest.TIOCGDEV:
                return IoctlRequest.PutInt32(thread, argument, TerminalTable.EncodeDevice(terminal.Device));
            case TerminalRequest.TIOCGETD:
                return IoctlRequest.PutInt32(thread, argument, 0);
            case TerminalRequest.TIOCSETD:
                if (!thread.Memory.User.TryRead(new UserAddress(argument), out int discipline)) return Errno.EFAULT;
                return discipline == 0 ? 0 : Errno.EINVAL;
            case TerminalRequest.TIOCOUTQ:
                return IoctlRequest.PutInt32(thread, argument, 0);
            case TerminalRequest.TIOCSTI:
                // Typing into another's terminal: as with dev.tty.legacy_tiocsti=0.
                return Errno.EIO;
            case TerminalRequest.TCSBRK or TerminalRequest.TCSBRKP or TerminalRequest.TIOCSBRK or TerminalRequest.TIOCCBRK:
                return isMaster ? 0 : terminal.CheckForeground(thread, Signal.SIGTTOU);
            case TerminalRequest.TIOCVHANGUP:
                if (!thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN)) return Errno.EPERM;
                terminal.HangUp();
                return 0;
            default:
                return Errno.ENOTTY;
        }
    }

    /// <summary>Stores a structure where the argument points.</summary>
    public static SyscallResult Put<T>(PosixThread thread, ulong argument, T value)
        where T : unmanaged => thread.Memory.User.TryWrite(new UserAddress(argument), value) ? 0 : Errno.EFAULT;

    private static SyscallResult Groups(PosixThread thread, Terminal terminal, uint request, ulong argument, bool isMaster)
    {
        if (request == TerminalRequest.TIOCSPGRP)
        {
            var check = terminal.CheckForeground(thread, Signal.SIGTTOU);
            if (check.Error == Errno.EIO) return Errno.ENOTTY;
            if (check.Value != 0) return check;
            return thread.Memory.User.TryRead(new UserAddress(argument), out int group) ? terminal.SetForeground(thread, group) : Errno.EFAULT;
        }

        if (!isMaster && thread.Process.ControllingTerminal != terminal) return Errno.ENOTTY;
        if (request == TerminalRequest.TIOCGPGRP) return IoctlRequest.PutInt32(thread, argument, terminal.ForegroundGroup);
        return terminal.Session == 0 ? Errno.ENOTTY : IoctlRequest.PutInt32(thread, argument, terminal.Session);
    }

    private static SyscallResult GetSettings(PosixThread thread, Terminal terminal, uint request, ulong argument)
    {
        Span<byte> bytes = stackalloc byte[SizeOf(request)];
        if (request == TerminalRequest.TCGETA) terminal.Settings.WriteOld(bytes);
        else terminal.Settings.Write(bytes);
        return thread.Memory.User.Write(new UserAddress(argument), bytes) == bytes.Length ? 0 : Errno.EFAULT;
    }

    private static SyscallResult SetSettings(PosixThread thread, Terminal terminal, uint request, ulong argument, bool isMaster)
    {
        if (!isMaster)
        {
            var check = terminal.CheckForeground(thread, Signal.SIGTTOU);
            if (check.Value != 0) return check;
        }

        Span<byte> bytes = stackalloc byte[SizeOf(request)];
        if (thread.Memory.User.Read(new UserAddress(argument), bytes) != bytes.Length) return Errno.EFAULT;
        var settings = terminal.Settings.Clone();
        if (bytes.Length == TerminalSettings.OldSize) settings.ReadOld(bytes);
        else settings.Read(bytes);
        if (request is TerminalRequest.TCSETSF or TerminalRequest.TCSETSF2 or TerminalRequest.TCSETAF) terminal.FlushInput();
        terminal.Apply(settings);
        return 0;
    }

    private static int SizeOf(uint request) => request switch
    {
        TerminalRequest.TCGETA or TerminalRequest.TCSETA or TerminalRequest.TCSETAW or TerminalRequest.TCSETAF => TerminalSettings.OldSize,
        TerminalRequest.TCGETS2 or TerminalRequest.TCSETS2 or TerminalRequest.TCSETSW2 or TerminalRequest.TCSETSF2 => TerminalSettings.Size2,
        _ => TerminalSettings.Size,
    };
}
