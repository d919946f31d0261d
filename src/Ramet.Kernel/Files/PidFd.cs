using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>A process as a file (pidfd_open(2)): readable once it has ended.</summary>
[Saved]
public sealed partial class PidFd : FileDescription
{
    private PidFd()
    {
    }

    /// <summary>A descriptor of a process.</summary>
    public PidFd(Kernel kernel, Process process, OpenFlags flags)
    {
        Process = process;
        Flags = OpenFlags.O_RDWR | (flags & OpenFlags.O_NONBLOCK);
        Inode = new AnonymousInode(kernel, "[pidfd]", InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <summary>The process; it may be a zombie, or gone.</summary>
    public Process Process { get; private set; } = null!;

    /// <inheritdoc/>
    public override string AnonymousName => ((AnonymousInode)Inode).LinkName;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => Process.ExitEvents;

    /// <inheritdoc/>
    public override PollEvents Poll() => Process.IsZombie ? Readiness.In : PollEvents.None;

    /// <inheritdoc/>
    public override string InfoText => $"Pid:\t{(Process.IsReaped ? -1 : Process.Pid)}\n";
}
