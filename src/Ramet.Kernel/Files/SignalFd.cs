using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>SFD_* of signalfd4(2).</summary>
[Flags]
public enum SignalFdFlags
{
    None = 0,
    SFD_NONBLOCK = OpenFlags.O_NONBLOCK,
    SFD_CLOEXEC = OpenFlags.O_CLOEXEC,
}

/// <summary>
/// Signals that are read instead of delivered (signalfd(2)). Reads take the signals of the thread that reads. Readiness, which on Linux is that of
/// whoever asks, is that of the process that made the descriptor or read from it last: that differs only for descriptors that are shared across fork.
/// </summary>
[Saved]
public sealed partial class SignalFd : FileDescription
{
    private const int InfoSize = 128;

    private Process _process = null!;

    private SignalFd()
    {
    }

    /// <summary>A descriptor for a set of signals.</summary>
    public SignalFd(PosixThread creator, ulong mask, SignalFdFlags flags)
    {
        _process = creator.Process;
        Mask = mask;
        Flags = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
        Inode = new AnonymousInode(creator.Kernel, "[signalfd]", InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <summary>The signals that it takes.</summary>
    internal ulong Mask { get; private set; }

    /// <inheritdoc/>
    public override string AnonymousName => ((AnonymousInode)Inode).LinkName;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _process.SignalEvents;

    /// <summary>signalfd4(2) on an open descriptor: another set.</summary>
    internal void SetMask(ulong mask)
    {
        Mask = mask;
        _process.SignalEvents.Wake();
    }

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        ulong pending = _process.Pending.Mask;
        foreach (var thread in _process.Threads) pending |= thread.Pending.Mask;
        return (pending & Mask) != 0 ? Readiness.In : PollEvents.None;
    }

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (buffer.Remaining < InfoSize) return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[InfoSize];
        int done = 0;
        while (buffer.Remaining >= InfoSize && thread.TryTakeSignal(Mask, out var info))
        {
            Write(info, bytes);
            if (buffer.CopyFrom(bytes) < InfoSize) return done > 0 ? done : Errno.EFAULT;
            done += InfoSize;
        }

        if (done > 0) return done;
        return NonBlocking ? Errno.EAGAIN : thread.BlockOn(thread.Process.SignalEvents);
    }

    /// <inheritdoc/>
    public override SyscallResult Write(PosixThread thread, ref IoBuffer buffer) => Errno.EINVAL;

    /// <summary>struct signalfd_siginfo (include/uapi/linux/signalfd.h).</summary>
    private static void Write(in SignalInfo info, Span<byte> destination)
    {
        destination.Clear();
        BitConverter.TryWriteBytes(destination, info.Signal);
        BitConverter.TryWriteBytes(destination[4..], info.Error);
        BitConverter.TryWriteBytes(destination[8..], info.Code);
        if (info.Code == SignalInfo.SI_TIMER)
        {
            BitConverter.TryWriteBytes(destination[24..], info.Pid);
            BitConverter.TryWriteBytes(destination[32..], info.Uid);
        }
        else
        {
            BitConverter.TryWriteBytes(destination[12..], info.Pid);
            BitConverter.TryWriteBytes(destination[16..], info.Uid);
        }

        if (info.Signal == Signal.SIGCHLD && info.Code > 0)
        {
            BitConverter.TryWriteBytes(destination[40..], (int)info.Value);
            return;
        }

        BitConverter.TryWriteBytes(destination[44..], (int)info.Value);
        BitConverter.TryWriteBytes(destination[48..], info.Value);
        BitConverter.TryWriteBytes(destination[72..], info.Address);
    }
}
