using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Tracing;

namespace Ramet.Kernel.Syscalls;

/// <summary>New threads and processes, and their ends.</summary>
internal static class Cloning
{
    [Syscall(SyscallNumber.clone, Missing = "namespaces of users, ids, network and IPC (EPERM)")]
    internal static SyscallResult Clone(PosixThread thread, CloneFlags flags, UserAddress stack, UserAddress parentTid, UserAddress childTid, ulong tls)
    {
        if (thread.Resuming) return WaitForVfork(thread);
        // Both results would go to the same place.
        if ((flags & CloneFlags.CLONE_PIDFD) != 0 && (flags & (CloneFlags.CLONE_PARENT_SETTID | CloneFlags.CLONE_DETACHED)) != 0) return Errno.EINVAL;
        return Start(
            thread,
            new CloneRequest(
                flags & (CloneFlags)uint.MaxValue & ~CloneFlags.CSIGNAL, (int)(flags & CloneFlags.CSIGNAL), stack.Value, parentTid.Value, childTid.Value, tls, parentTid.Value));
    }

    [Syscall(SyscallNumber.clone3, Missing = "namespaces of users, ids, network and IPC (EPERM), set_tid, CLONE_INTO_CGROUP")]
    internal static SyscallResult Clone3(PosixThread thread, UserAddress uargs, ulong size)
    {
        if (thread.Resuming) return WaitForVfork(thread);
        if (size < 64) return Errno.EINVAL;
        if (size > GuestPage) return Errno.E2BIG;
        Span<byte> bytes = stackalloc byte[(int)Math.Min(size, CloneArguments.Size)];
        if (thread.Memory.User.Read(uargs, bytes) != bytes.Length) return Errno.EFAULT;
        CloneArguments arguments = default;
        bytes.CopyTo(MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref arguments, 1)));
        const CloneFlags Refused = CloneFlags.CSIGNAL | CloneFlags.CLONE_DETACHED | CloneFlags.CLONE_INTO_CGROUP;
        if ((arguments.Flags & Refused) != 0 || arguments.SetTidSize != 0 || arguments.ExitSignal > 64) return Errno.EINVAL;
        if ((arguments.Stack == 0) != (arguments.StackSize == 0)) return Errno.EINVAL;
        return Start(
            thread,
            new CloneRequest(
                arguments.Flags, (int)arguments.ExitSignal, arguments.Stack + arguments.StackSize, arguments.ParentTid, arguments.ChildTid, arguments.Tls, arguments.PidFd));
    }

    [Syscall(SyscallNumber.fork)]
    internal static SyscallResult Fork(PosixThread thread) => Start(thread, new CloneRequest(0, Signals.Signal.SIGCHLD));

    [Syscall(SyscallNumber.vfork)]
    internal static SyscallResult Vfork(PosixThread thread) => thread.Resuming
        ? WaitForVfork(thread)
        : Start(thread, new CloneRequest(CloneFlags.CLONE_VM | CloneFlags.CLONE_VFORK, Signals.Signal.SIGCHLD));

    [Syscall(SyscallNumber.exit)]
    internal static SyscallResult Exit(PosixThread thread, int status)
    {
        if (TraceStops.DelaysExit(thread, Process.ExitedStatus(status))) thread.RequestExit();
        else thread.Exit(Process.ExitedStatus(status));
        return SyscallResult.NoReturn;
    }

    [Syscall(SyscallNumber.exit_group)]
    internal static SyscallResult ExitGroup(PosixThread thread, int status)
    {
        thread.Process.ExitGroup(Process.ExitedStatus(status));
        return SyscallResult.NoReturn;
    }

    private const ulong GuestPage = 4096;

    private static SyscallResult Start(PosixThread thread, in CloneRequest request)
    {
        PosixThread? child = null;
        bool wantsPidFd = (request.Flags & CloneFlags.CLONE_PIDFD) != 0;
        var error = wantsPidFd ? PreparePidFd(thread, request) : Errno.None;
        if (error == Errno.None) error = thread.Clone(request, out child);
        if (error != Errno.None) return error;
        if (wantsPidFd)
        {
            var installed = DescriptorPair.InstallOne(thread, new PidFd(thread.Kernel, child!.Process, 0), closeOnExec: true);
            thread.Memory.User.TryWrite(new UserAddress(request.PidFd), (int)installed.Value);
        }

        if ((request.Flags & CloneFlags.CLONE_CLEAR_SIGHAND) != 0) child!.Process.Handlers.ResetForExec();
        if (child!.VforkDone is null) return child.Tid;
        thread.Progress = child.Tid;
        thread.ResumeState = child.VforkDone;
        // The tracer has to know of the child: it is what lets it go on.
        if (TraceStops.StopInCall(thread)) return SyscallResult.Blocked;
        return thread.BlockUninterruptible(child.VforkDone);
    }

    [Syscall(SyscallNumber.unshare, Missing = "namespaces of users, ids, network and IPC (EPERM)")]
    internal static SyscallResult Unshare(PosixThread thread, CloneFlags flags)
    {
        const CloneFlags OfProcesses = CloneFlags.CLONE_THREAD | CloneFlags.CLONE_SIGHAND | CloneFlags.CLONE_VM;
        const CloneFlags Known = OfProcesses | CloneFlags.Namespaces | CloneFlags.CLONE_FS | CloneFlags.CLONE_FILES | CloneFlags.CLONE_SYSVSEM;
        if ((flags & ~Known) != 0) return Errno.EINVAL;
        if ((flags & (OfProcesses | CloneFlags.CLONE_NEWUSER)) != 0 && thread.Process.Threads.Count > 1) return Errno.EINVAL;
        var error = thread.MayUnshare(flags);
        return error != Errno.None ? error : thread.Unshare(flags);
    }

    [Syscall(SyscallNumber.setns, Missing = "by the descriptor of a process (EPERM)")]
    internal static SyscallResult SetNs(PosixThread thread, int fd, CloneFlags type)
    {
        if (thread.Files.Get(fd) is not { } description) return Errno.EBADF;
        if (description is FileSystems.Proc.NamespaceDescription space) return space.Enter(thread, type);
        return description is PidFd ? Errno.EPERM : Errno.EINVAL;
    }

    /// <summary>Whether a descriptor of the child can be made and stored: known before there is a child. EINVAL, EMFILE, EFAULT.</summary>
    private static Errno PreparePidFd(PosixThread thread, in CloneRequest request)
    {
        if ((request.Flags & CloneFlags.CLONE_THREAD) != 0) return Errno.EINVAL;
        var error = thread.Files.CheckSpace();
        if (error != Errno.None) return error;
        var address = new UserAddress(request.PidFd);
        return thread.Memory.User.TryRead(address, out int before) && thread.Memory.User.TryWrite(address, before) ? Errno.None : Errno.EFAULT;
    }

    /// <summary>The parent of a vfork runs again: when the child has called execve or ended, or when the parent is to end itself.</summary>
    private static SyscallResult WaitForVfork(PosixThread thread)
    {
        var child = thread.Kernel.Processes.FindThread((int)thread.Progress);
        if (child?.VforkDone is not null && child.VforkDone == thread.ResumeState) return thread.BlockUninterruptible(child.VforkDone);
        TraceStops.OnVforkDone(thread, (int)thread.Progress);
        return thread.Progress;
    }

    /// <summary>struct clone_args.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CloneArguments
    {
        public CloneFlags Flags;
        public ulong PidFd;
        public ulong ChildTid;
        public ulong ParentTid;
        public ulong ExitSignal;
        public ulong Stack;
        public ulong StackSize;
        public ulong Tls;
        public ulong SetTid;
        public ulong SetTidSize;
        public ulong Cgroup;

        public const int Size = 88;
    }
}
