using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Processes;

/// <summary>clone(2): a new thread or process that starts as a copy of this one.</summary>
public sealed partial class PosixThread
{
    /// <summary>What is shared and what is copied.</summary>
    internal Errno Clone(in CloneRequest request, out PosixThread? child)
    {
        child = null;
        var flags = request.Flags;
        if ((flags & CloneFlags.CLONE_SIGHAND) != 0 && (flags & CloneFlags.CLONE_VM) == 0) return Errno.EINVAL;
        if ((flags & CloneFlags.CLONE_THREAD) != 0 && (flags & CloneFlags.CLONE_SIGHAND) == 0) return Errno.EINVAL;
        if ((flags & CloneFlags.CLONE_FS) != 0 && (flags & CloneFlags.CLONE_NEWNS) != 0) return Errno.EINVAL;
        // Ended by another thread meanwhile: what it made now would outlive the end of the process.
        if (ExitRequested) return Errno.EINTR;
        var allowed = MayUnshare(flags);
        if (allowed != Errno.None) return allowed;
        if (request.ExitSignal != 0 && !Signal.IsValid(request.ExitSignal)) return Errno.EINVAL;
        if ((flags & CloneFlags.CLONE_SETTLS) != 0 && request.Tls > long.MaxValue) return Errno.EPERM;
        if (Kernel.Processes.Count >= Kernel.Limits.MaxThreads) return Errno.EAGAIN;
        if (IsOverProcessLimit()) return Errno.EAGAIN;

        bool isThread = (flags & CloneFlags.CLONE_THREAD) != 0;
        // The copy needs the registers that the virtual CPU still holds.
        Kernel.UnloadThread(this);
        var fileSystem = (flags & CloneFlags.CLONE_FS) != 0 ? FileSystem : FileSystem.Clone();
        if ((flags & CloneFlags.CLONE_NEWNS) != 0 && Kernel.Mounts.Unshare(fileSystem) != Errno.None) return Errno.ENOSPC;
        var memory = (flags & CloneFlags.CLONE_VM) != 0 ? Memory.AddUser() : Memory.Fork();
        if (memory is null) return Errno.ENOMEM;

        int tid = Kernel.Processes.NewId();
        var process = isThread ? Process : MakeChildProcess(tid, request);
        child = Create(Kernel, process, tid);
        child.Memory = memory;
        child.Files = (flags & CloneFlags.CLONE_FILES) != 0 ? Files.Share() : Files.Clone(process.ResourceLimits);
        child.FileSystem = fileSystem;
        child.Uts = (flags & CloneFlags.CLONE_NEWUTS) != 0 ? Uts.Clone(Kernel.Mounts.NextNamespaceId()) : Uts;
        child.Credentials = Credentials;
        child.Name = Name;
        child.Registers = Registers;
        child.Registers.Rax = 0;
        if (request.Stack != 0) child.Registers.Rsp = request.Stack;
        child.FsBase = (flags & CloneFlags.CLONE_SETTLS) != 0 ? request.Tls : FsBase;
        child.GsBase = GsBase;
        child.ExtendedState = ExtendedState is null ? null : [.. ExtendedState];
        child._signalMask = _signalMask;
        if ((flags & CloneFlags.CLONE_VM) == 0 || (flags & CloneFlags.CLONE_VFORK) != 0)
        {
            child.AlternateStack = AlternateStack;
            child.AlternateStackSize = AlternateStackSize;
            child.AlternateStackFlags = AlternateStackFlags;
        }

        child.InheritAttributes(this);
        if ((flags & CloneFlags.CLONE_CHILD_CLEARTID) != 0) child.ClearChildTid = request.ChildTid;
        if ((flags & CloneFlags.CLONE_PARENT_SETTID) != 0) Memory.User.TryWrite(new Memory.UserAddress(request.ParentTid), tid);
        if ((flags & CloneFlags.CLONE_CHILD_SETTID) != 0) memory.User.TryWrite(new Memory.UserAddress(request.ChildTid), tid);
        if ((flags & CloneFlags.CLONE_VFORK) != 0) child.VforkDone = new WaitQueue();
        if (Trace is not null) Tracing.TraceStops.OnClone(this, child, request);
        if (process.IsStopped && child.Trace is null) child.State = ThreadState.Stopped;
        else Kernel.Scheduler.Enqueue(child);
        return Errno.None;
    }

    /// <summary>
    /// Whether new namespaces may be made: mounts and names of the host, by root. There is one network, one user table, one set of ids and one IPC in a sandbox.
    /// </summary>
    internal Errno MayUnshare(CloneFlags flags)
    {
        const CloneFlags Possible = CloneFlags.CLONE_NEWNS | CloneFlags.CLONE_NEWUTS | CloneFlags.CLONE_NEWCGROUP;
        if ((flags & CloneFlags.Namespaces) == 0) return Errno.None;
        if ((flags & CloneFlags.Namespaces & ~Possible) != 0) return Errno.EPERM;
        return Credentials.HasCapability(Capability.CAP_SYS_ADMIN) ? Errno.None : Errno.EPERM;
    }

    /// <summary>unshare(2), of what the caller has checked.</summary>
    internal Errno Unshare(CloneFlags flags)
    {
        if ((flags & (CloneFlags.CLONE_FS | CloneFlags.CLONE_NEWNS)) != 0)
        {
            var own = FileSystem.Clone();
            if ((flags & CloneFlags.CLONE_NEWNS) != 0)
            {
                var error = Kernel.Mounts.Unshare(own);
                if (error != Errno.None) return error;
            }

            FileSystem = own;
        }

        if ((flags & CloneFlags.CLONE_FILES) != 0 && Files.IsShared)
        {
            var own = Files.Clone(Process.ResourceLimits);
            Files.Release(Process);
            Files = own;
        }

        if ((flags & CloneFlags.CLONE_NEWUTS) != 0) Uts = Uts.Clone(Kernel.Mounts.NextNamespaceId());
        return Errno.None;
    }

    private Process MakeChildProcess(int pid, in CloneRequest request)
    {
        var parent = (request.Flags & CloneFlags.CLONE_PARENT) != 0 ? Process.Parent ?? Process : Process;
        var process = new Process(Kernel, pid)
        {
            Parent = parent,
            ParentThread = (request.Flags & CloneFlags.CLONE_PARENT) != 0 && Process.Parent is not null ? Process.ParentThread : this,
            ProcessGroup = Process.ProcessGroup,
            Session = Process.Session,
            ControllingTerminal = Process.ControllingTerminal,
            ExitSignal = (request.Flags & CloneFlags.CLONE_PARENT) != 0 ? Process.ExitSignal : request.ExitSignal,
            ResourceLimits = Process.ResourceLimits.Clone(),
            Handlers = (request.Flags & CloneFlags.CLONE_SIGHAND) != 0 ? Process.Handlers : Process.Handlers.Clone(),
        };
        process.InheritAttributes(Process);
        process.WatchCpuLimit();
        parent.Children.Add(process);
        Kernel.Processes.Add(process);
        return process;
    }

    private bool IsOverProcessLimit()
    {
        ulong limit = Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_NPROC);
        if (limit == ResourceLimitSet.Infinity || Credentials.Uid == 0 || Credentials.HasCapability(Capability.CAP_SYS_RESOURCE)) return false;
        ulong count = 0;
        foreach (var process in Kernel.Processes.All)
        {
            if (process.Uid == Credentials.Uid) count += (ulong)Math.Max(1, process.Threads.Count);
        }

        return count >= limit;
    }
}

/// <summary>CLONE_* (clone(2)).</summary>
[Flags]
internal enum CloneFlags : ulong
{
    CSIGNAL = 0xFF,
    CLONE_VM = 0x100,
    CLONE_FS = 0x200,
    CLONE_FILES = 0x400,
    CLONE_SIGHAND = 0x800,
    CLONE_PIDFD = 0x1000,
    CLONE_PTRACE = 0x2000,
    CLONE_VFORK = 0x4000,
    CLONE_PARENT = 0x8000,
    CLONE_THREAD = 0x1_0000,
    CLONE_NEWNS = 0x2_0000,
    CLONE_SYSVSEM = 0x4_0000,
    CLONE_SETTLS = 0x8_0000,
    CLONE_PARENT_SETTID = 0x10_0000,
    CLONE_CHILD_CLEARTID = 0x20_0000,
    CLONE_DETACHED = 0x40_0000,
    CLONE_UNTRACED = 0x80_0000,
    CLONE_CHILD_SETTID = 0x100_0000,
    CLONE_NEWCGROUP = 0x200_0000,
    CLONE_NEWUTS = 0x400_0000,
    CLONE_NEWIPC = 0x800_0000,
    CLONE_NEWUSER = 0x1000_0000,
    CLONE_NEWPID = 0x2000_0000,
    CLONE_NEWNET = 0x4000_0000,
    CLONE_IO = 0x8000_0000,
    CLONE_CLEAR_SIGHAND = 0x1_0000_0000,
    CLONE_INTO_CGROUP = 0x2_0000_0000,
    Namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
}

/// <summary>The arguments of clone(2), clone3(2), fork(2) and vfork(2) in one form.</summary>
internal readonly record struct CloneRequest(
    CloneFlags Flags, int ExitSignal, ulong Stack = 0, ulong ParentTid = 0, ulong ChildTid = 0, ulong Tls = 0, ulong PidFd = 0);
