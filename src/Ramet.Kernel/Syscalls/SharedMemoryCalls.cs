using System.Globalization;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.SystemV;

namespace Ramet.Kernel.Syscalls;

/// <summary>System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).</summary>
internal static class SharedMemoryCalls
{
    private const ulong MaximumSize = 18446744073692774399;
    private const int MaximumSegments = 4096;
    private const int SHM_HUGETLB = 0x800;
    private const int SHM_RDONLY = 0x1000;
    private const int SHM_RND = 0x2000;
    private const int SHM_REMAP = 0x4000;
    private const int SHM_EXEC = 0x8000;
    private const int IPC_RMID = 0;
    private const int IPC_SET = 1;
    private const int IPC_STAT = 2;
    private const int IPC_INFO = 3;
    private const int SHM_LOCK = 11;
    private const int SHM_UNLOCK = 12;
    private const int SHM_STAT = 13;
    private const int SHM_INFO = 14;
    private const int SHM_STAT_ANY = 15;

    [Syscall(SyscallNumber.shmget, Missing = "SHM_HUGETLB")]
    internal static SyscallResult ShmGet(PosixThread thread, int key, ulong size, int flags)
    {
        var ipc = thread.Kernel.SystemV;
        ipc.PurgeSegments();
        var error = ipc.Segments.Find(thread, key, (IpcFlags)flags, MaximumSegments, out var known);
        if (error != Errno.None) return error;
        if (known is SharedSegment segment) return size > segment.Size ? Errno.EINVAL : segment.Id;
        if (size is 0 or > MaximumSize || (flags & SHM_HUGETLB) != 0) return Errno.EINVAL;
        // It is not there before it is touched, but what can never be is refused.
        if (size > thread.Kernel.Limits.MemoryBytes) return Errno.ENOMEM;
        segment = new SharedSegment(thread.Kernel, size, thread.Process.Pid);
        segment.SetCreator(thread, (uint)flags);
        ipc.Segments.Add(segment, key);
        return segment.Id;
    }

    [Syscall(SyscallNumber.shmat)]
    internal static SyscallResult ShmAt(PosixThread thread, int shmid, UserAddress address, int flags)
    {
        var ipc = thread.Kernel.SystemV;
        ipc.PurgeSegments();
        ulong at = address.Value;
        if ((at & 4095) != 0)
        {
            if ((flags & SHM_RND) == 0) return Errno.EINVAL;
            at &= ~4095UL;
            if (at == 0 && (flags & SHM_REMAP) != 0) return Errno.EINVAL;
        }
        else if (at == 0 && (flags & SHM_REMAP) != 0)
        {
            return Errno.EINVAL;
        }

        if (ipc.Segments.FindId(shmid) is not SharedSegment segment) return Errno.EINVAL;
        bool writes = (flags & SHM_RDONLY) == 0;
        bool executes = (flags & SHM_EXEC) != 0;
        var error = segment.Check(thread, (writes ? 6u : 4u) | (executes ? 1u : 0));
        if (error != Errno.None) return error;
        var placement = at == 0 ? 0 : (flags & SHM_REMAP) != 0 ? MappingFlags.MAP_FIXED : MappingFlags.MAP_FIXED_NOREPLACE;
        error = thread.Memory.Map(
            new MappingRequest
            {
                Address = at,
                Length = segment.Size,
                Protection = MemoryProtection.PROT_READ | (writes ? MemoryProtection.PROT_WRITE : 0) | (executes ? MemoryProtection.PROT_EXEC : 0),
                Flags = MappingFlags.MAP_SHARED | placement,
                Object = segment.Memory,
                Label = string.Create(CultureInfo.InvariantCulture, $"/SYSV{segment.Key:x8} (deleted)"),
                MayWrite = writes,
            },
            out ulong start);
        if (error != Errno.None) return error == Errno.EEXIST ? Errno.EINVAL : error;
        segment.AttachTime = IpcObject.Now(thread);
        segment.LastPid = thread.Process.Pid;
        return (long)start;
    }

    [Syscall(SyscallNumber.shmdt)]
    internal static SyscallResult ShmDt(PosixThread thread, UserAddress address)
    {
        var ipc = thread.Kernel.SystemV;
        if ((address.Value & 4095) != 0) return Errno.EINVAL;
        foreach (var area in thread.Memory.Areas)
        {
            // A part of it may have been unmapped before: what is left lies where it would be.
            if (area.Start < address.Value || area.Object is null || area.Start - address.Value != (ulong)area.FirstPage * 4096) continue;
            if (ipc.Segments.All.OfType<SharedSegment>().FirstOrDefault(each => each.Memory == area.Object) is not { } segment) continue;
            ulong end = address.Value + ((segment.Size + 4095) & ~4095UL);
            var pieces = thread.Memory.Areas.Where(each => each.Object == segment.Memory && each.Start >= address.Value && each.End <= end
                && each.Start - address.Value == (ulong)each.FirstPage * 4096).Select(each => (each.Start, each.Length)).ToArray();
            foreach (var (start, length) in pieces) thread.Memory.Unmap(start, length);
            segment.DetachTime = IpcObject.Now(thread);
            segment.LastPid = thread.Process.Pid;
            ipc.PurgeSegments();
            return 0;
        }

        return Errno.EINVAL;
    }

    [Syscall(SyscallNumber.shmctl)]
    internal static SyscallResult ShmCtl(PosixThread thread, int shmid, int command, UserAddress buffer)
    {
        var ipc = thread.Kernel.SystemV;
        var user = thread.Memory.User;
        ipc.PurgeSegments();
        switch (command)
        {
            case IPC_INFO:
                var limits = new ShmInfoLimits { shmmax = MaximumSize, shmmin = 1, shmmni = MaximumSegments, shmseg = MaximumSegments, shmall = MaximumSize };
                return user.TryWrite(buffer, limits) ? ipc.Segments.HighestIndex : Errno.EFAULT;
            case SHM_INFO:
                var info = new ShmInfo { used_ids = ipc.Segments.Count };
                foreach (var each in ipc.Segments.All.OfType<SharedSegment>())
                {
                    info.shm_tot += (each.Size + 4095) / 4096;
                    info.shm_rss += (ulong)(each.Memory as PageStore)!.FrameCount;
                }

                return user.TryWrite(buffer, info) ? ipc.Segments.HighestIndex : Errno.EFAULT;
            case IPC_STAT or SHM_STAT or SHM_STAT_ANY:
                if ((command == IPC_STAT ? ipc.Segments.FindId(shmid) : ipc.Segments.FindIndex(shmid)) is not SharedSegment known) return Errno.EINVAL;
                var allowed = command == SHM_STAT_ANY ? Errno.None : known.Check(thread, 4);
                if (allowed != Errno.None) return allowed;
                return !user.TryWrite(buffer, known.Status) ? Errno.EFAULT : command == IPC_STAT ? 0 : known.Id;
            case IPC_RMID or IPC_SET or SHM_LOCK or SHM_UNLOCK:
                return Change(thread, shmid, command, buffer);
            default:
                return Errno.EINVAL;
        }
    }

    private static SyscallResult Change(PosixThread thread, int shmid, int command, UserAddress buffer)
    {
        var ipc = thread.Kernel.SystemV;
        ShmIdDs wanted = default;
        if (command == IPC_SET && !thread.Memory.User.TryRead(buffer, out wanted)) return Errno.EFAULT;
        if (ipc.Segments.FindId(shmid) is not SharedSegment segment) return Errno.EINVAL;
        if (command is SHM_LOCK or SHM_UNLOCK)
        {
            // RAM is never swapped: only the mark changes.
            if (segment.CheckOwner(thread) != Errno.None && !thread.Credentials.HasCapability(Capability.CAP_IPC_LOCK)) return Errno.EPERM;
            segment.Mode = command == SHM_LOCK ? segment.Mode | SharedSegment.Locked : segment.Mode & ~SharedSegment.Locked;
            return 0;
        }

        var error = segment.CheckOwner(thread);
        if (error != Errno.None) return error;
        if (command == IPC_SET)
        {
            segment.SetOwner(thread, wanted.shm_perm);
            return 0;
        }

        segment.Doom();
        ipc.PurgeSegments();
        return 0;
    }
}
