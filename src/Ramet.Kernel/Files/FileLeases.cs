using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>A lease of an open file (fcntl(2)): its holder is told before somebody else gets at the file.</summary>
[Saved]
internal sealed partial class FileLease
{
    private FileLease()
    {
    }

    public FileLease(FileDescription holder, FileLockType type)
    {
        Holder = holder;
        Type = type;
    }

    public FileDescription Holder { get; private set; } = null!;

    /// <summary>F_RDLCK or F_WRLCK.</summary>
    public FileLockType Type { get; set; }

    /// <summary>What it has to become, because somebody waits; the same as <see cref="Type"/>: nobody does.</summary>
    public FileLockType Target { get; set; }

    /// <summary>When it becomes that by force (Kernel.MonotonicNow, ns).</summary>
    public long Deadline { get; set; }

    public bool IsBreaking => Target != Type;
}

/// <summary>F_SETLEASE and F_GETLEASE, and what open(2) and truncate(2) do about leases.</summary>
internal static class FileLeases
{
    /// <summary>/proc/sys/fs/lease-break-time: 45 s.</summary>
    private const long BreakTime = 45_000_000_000;

    /// <summary>F_SETLEASE. EINVAL, EACCES, EAGAIN (fs/locks.c, generic_setlease).</summary>
    public static SyscallResult Set(PosixThread thread, FileDescription holder, int descriptor, FileLockType type)
    {
        var inode = holder.Inode;
        if (type is not (FileLockType.F_RDLCK or FileLockType.F_WRLCK or FileLockType.F_UNLCK)) return Errno.EINVAL;
        var locks = inode.Locks;
        var own = locks?.Leases?.Find(lease => lease.Holder == holder);
        if (type == FileLockType.F_UNLCK)
        {
            if (own is null) return Errno.EAGAIN;
            locks!.Leases!.Remove(own);
            locks.Waiters.Wake();
            return 0;
        }

        if (inode is not FileSystems.TmpfsFile file) return inode.IsRegular ? Errno.EAGAIN : Errno.EINVAL;
        if (thread.Credentials.FileSystemUid != inode.Uid && !thread.Credentials.HasCapability(Capability.CAP_LEASE)) return Errno.EACCES;
        bool busy = type == FileLockType.F_RDLCK
            ? file.Writers > 0
            : file.Writers != (holder.CanWrite ? 1 : 0) || file.Readers != (holder.CanWrite ? 0 : 1);
        if (busy) return Errno.EAGAIN;
        locks ??= inode.Locks = new FileLockList(thread.Kernel);
        locks.Leases ??= [];
        foreach (var lease in locks.Leases)
        {
            if (lease.Holder != holder && (type == FileLockType.F_WRLCK || lease.Target == FileLockType.F_UNLCK)) return Errno.EAGAIN;
        }

        if (own is null) locks.Leases.Add(own = new FileLease(holder, type));
        own.Type = own.Target = type;
        var signals = holder.GetSignals(thread.Kernel);
        signals.Descriptor = descriptor;
        if (signals.Owner == 0) signals.SetOwner(thread, FileOwnerType.F_OWNER_PID, thread.Process.Pid);
        locks.Waiters.Wake();
        return 0;
    }

    /// <summary>F_GETLEASE: while a lease is to be given up, what it has to become.</summary>
    public static FileLockType Get(FileDescription holder) =>
        holder.Inode.Locks?.Leases?.Find(lease => lease.Holder == holder)?.Target ?? FileLockType.F_UNLCK;

    /// <summary>Somebody opens or truncates a file: leases in the way have to be given up first. Null: there are none (left). EWOULDBLOCK.</summary>
    public static SyscallResult? Break(PosixThread thread, Inode inode, bool forWrite, bool nonBlocking)
    {
        if (inode.Locks is not { Leases: { Count: > 0 } leases } locks) return null;
        long now = thread.Kernel.MonotonicNow;
        var target = forWrite ? FileLockType.F_UNLCK : FileLockType.F_RDLCK;
        long first = PosixThread.Never;
        for (int i = leases.Count - 1; i >= 0; i--)
        {
            var lease = leases[i];
            if (!forWrite && lease.Type == FileLockType.F_RDLCK) continue;
            if (lease.IsBreaking && now >= lease.Deadline)
            {
                if (lease.Target == FileLockType.F_UNLCK) leases.RemoveAt(i);
                else lease.Type = lease.Target;
                locks.Waiters.Wake();
                if (lease.Target == FileLockType.F_UNLCK || !forWrite) continue;
            }

            if (!lease.IsBreaking || (lease.Target == FileLockType.F_RDLCK && forWrite))
            {
                if (!lease.IsBreaking) lease.Deadline = now + BreakTime;
                lease.Target = target;
                lease.Holder.Signals?.Send(FileSignals.POLL_MSG);
            }

            first = Math.Min(first, lease.Deadline);
        }

        if (first == PosixThread.Never) return null;
        if (nonBlocking) return Errno.EAGAIN;
        thread.WaitOn(locks.Waiters);
        thread.RestartDeadline(first);
        return thread.Block();
    }
}
