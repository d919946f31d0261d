using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>Users and groups (credentials(7)). Like Linux, each call changes the calling thread alone; the C library sees to the others.</summary>
internal static class CredentialCalls
{
    private const uint Unchanged = uint.MaxValue;
    private const int MaxGroups = 65536;

    [Syscall(SyscallNumber.getuid)]
    internal static SyscallResult Getuid(PosixThread thread) => (long)thread.Credentials.Uid;

    [Syscall(SyscallNumber.geteuid)]
    internal static SyscallResult Geteuid(PosixThread thread) => (long)thread.Credentials.EffectiveUid;

    [Syscall(SyscallNumber.getgid)]
    internal static SyscallResult Getgid(PosixThread thread) => (long)thread.Credentials.Gid;

    [Syscall(SyscallNumber.getegid)]
    internal static SyscallResult Getegid(PosixThread thread) => (long)thread.Credentials.EffectiveGid;

    [Syscall(SyscallNumber.getresuid)]
    internal static SyscallResult Getresuid(PosixThread thread, UserAddress ruid, UserAddress euid, UserAddress suid)
    {
        var own = thread.Credentials;
        var user = thread.Memory.User;
        return user.TryWrite(ruid, own.Uid) && user.TryWrite(euid, own.EffectiveUid) && user.TryWrite(suid, own.SavedUid) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.getresgid)]
    internal static SyscallResult Getresgid(PosixThread thread, UserAddress rgid, UserAddress egid, UserAddress sgid)
    {
        var own = thread.Credentials;
        var user = thread.Memory.User;
        return user.TryWrite(rgid, own.Gid) && user.TryWrite(egid, own.EffectiveGid) && user.TryWrite(sgid, own.SavedGid) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.setuid)]
    internal static SyscallResult Setuid(PosixThread thread, uint uid)
    {
        var own = thread.Credentials;
        if (uid == Unchanged) return Errno.EINVAL;
        if (own.HasCapability(Capability.CAP_SETUID)) return SetUsers(thread, uid, uid, uid);
        return uid == own.Uid || uid == own.SavedUid ? SetUsers(thread, own.Uid, uid, own.SavedUid) : Errno.EPERM;
    }

    [Syscall(SyscallNumber.setgid)]
    internal static SyscallResult Setgid(PosixThread thread, uint gid)
    {
        var own = thread.Credentials;
        if (gid == Unchanged) return Errno.EINVAL;
        if (own.HasCapability(Capability.CAP_SETGID)) return SetGroups(thread, gid, gid, gid);
        return gid == own.Gid || gid == own.SavedGid ? SetGroups(thread, own.Gid, gid, own.SavedGid) : Errno.EPERM;
    }

    [Syscall(SyscallNumber.setreuid)]
    internal static SyscallResult Setreuid(PosixThread thread, uint ruid, uint euid)
    {
        var own = thread.Credentials;
        bool free = own.HasCapability(Capability.CAP_SETUID);
        if (ruid != Unchanged && !free && ruid != own.Uid && ruid != own.EffectiveUid) return Errno.EPERM;
        if (euid != Unchanged && !free && !Credentials.IsOneOf(euid, own.Uid, own.EffectiveUid, own.SavedUid)) return Errno.EPERM;
        uint effective = Or(euid, own.EffectiveUid);
        bool setsSaved = ruid != Unchanged || (euid != Unchanged && euid != own.Uid);
        return SetUsers(thread, Or(ruid, own.Uid), effective, setsSaved ? effective : own.SavedUid);
    }

    [Syscall(SyscallNumber.setregid)]
    internal static SyscallResult Setregid(PosixThread thread, uint rgid, uint egid)
    {
        var own = thread.Credentials;
        bool free = own.HasCapability(Capability.CAP_SETGID);
        if (rgid != Unchanged && !free && rgid != own.Gid && rgid != own.EffectiveGid) return Errno.EPERM;
        if (egid != Unchanged && !free && !Credentials.IsOneOf(egid, own.Gid, own.EffectiveGid, own.SavedGid)) return Errno.EPERM;
        uint effective = Or(egid, own.EffectiveGid);
        bool setsSaved = rgid != Unchanged || (egid != Unchanged && egid != own.Gid);
        return SetGroups(thread, Or(rgid, own.Gid), effective, setsSaved ? effective : own.SavedGid);
    }

    [Syscall(SyscallNumber.setresuid)]
    internal static SyscallResult Setresuid(PosixThread thread, uint ruid, uint euid, uint suid)
    {
        var own = thread.Credentials;
        bool free = own.HasCapability(Capability.CAP_SETUID);
        foreach (uint uid in (ReadOnlySpan<uint>)[ruid, euid, suid])
        {
            if (uid != Unchanged && !free && !Credentials.IsOneOf(uid, own.Uid, own.EffectiveUid, own.SavedUid)) return Errno.EPERM;
        }

        return SetUsers(thread, Or(ruid, own.Uid), Or(euid, own.EffectiveUid), Or(suid, own.SavedUid));
    }

    [Syscall(SyscallNumber.setresgid)]
    internal static SyscallResult Setresgid(PosixThread thread, uint rgid, uint egid, uint sgid)
    {
        var own = thread.Credentials;
        bool free = own.HasCapability(Capability.CAP_SETGID);
        foreach (uint gid in (ReadOnlySpan<uint>)[rgid, egid, sgid])
        {
            if (gid != Unchanged && !free && !Credentials.IsOneOf(gid, own.Gid, own.EffectiveGid, own.SavedGid)) return Errno.EPERM;
        }

        return SetGroups(thread, Or(rgid, own.Gid), Or(egid, own.EffectiveGid), Or(sgid, own.SavedGid));
    }

    [Syscall(SyscallNumber.setfsuid)]
    internal static SyscallResult Setfsuid(PosixThread thread, uint uid)
    {
        var own = thread.Credentials;
        uint old = own.FileSystemUid;
        bool allowed = own.HasCapability(Capability.CAP_SETUID) || uid == old || Credentials.IsOneOf(uid, own.Uid, own.EffectiveUid, own.SavedUid);
        if (uid == Unchanged || !allowed || uid == old) return (long)old;
        var changed = own.Clone();
        changed.FileSystemUid = uid;
        changed.FixUpAfterFileSystemUserChange(old);
        thread.Credentials = changed;
        return (long)old;
    }

    [Syscall(SyscallNumber.setfsgid)]
    internal static SyscallResult Setfsgid(PosixThread thread, uint gid)
    {
        var own = thread.Credentials;
        uint old = own.FileSystemGid;
        bool allowed = own.HasCapability(Capability.CAP_SETGID) || gid == old || Credentials.IsOneOf(gid, own.Gid, own.EffectiveGid, own.SavedGid);
        if (gid == Unchanged || !allowed || gid == old) return (long)old;
        var changed = own.Clone();
        changed.FileSystemGid = gid;
        thread.Credentials = changed;
        return (long)old;
    }

    [Syscall(SyscallNumber.getgroups)]
    internal static SyscallResult Getgroups(PosixThread thread, int size, UserAddress list)
    {
        uint[] groups = thread.Credentials.Groups;
        if (size < 0 || (size > 0 && size < groups.Length)) return Errno.EINVAL;
        if (size == 0 || groups.Length == 0) return groups.Length;
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(groups.AsSpan());
        return thread.Memory.User.Write(list, bytes) == bytes.Length ? groups.Length : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.setgroups)]
    internal static SyscallResult Setgroups(PosixThread thread, int size, UserAddress list)
    {
        if (!thread.Credentials.HasCapability(Capability.CAP_SETGID)) return Errno.EPERM;
        if (size is < 0 or > MaxGroups) return Errno.EINVAL;
        uint[] groups = new uint[size];
        if (size > 0 && !thread.Memory.User.TryReadArray(list, groups.AsSpan())) return Errno.EFAULT;
        Array.Sort(groups);
        var changed = thread.Credentials.Clone();
        changed.Groups = groups;
        thread.Credentials = changed;
        return 0;
    }

    private static uint Or(uint id, uint old) => id == Unchanged ? old : id;

    private static SyscallResult SetUsers(PosixThread thread, uint real, uint effective, uint saved)
    {
        var old = thread.Credentials;
        var changed = old.Clone();
        changed.Uid = real;
        changed.EffectiveUid = changed.FileSystemUid = effective;
        changed.SavedUid = saved;
        changed.FixUpAfterUserChange(old, thread.SecureBits);
        Commit(thread, old, changed);
        return 0;
    }

    private static SyscallResult SetGroups(PosixThread thread, uint real, uint effective, uint saved)
    {
        var old = thread.Credentials;
        var changed = old.Clone();
        changed.Gid = real;
        changed.EffectiveGid = changed.FileSystemGid = effective;
        changed.SavedGid = saved;
        Commit(thread, old, changed);
        return 0;
    }

    private static void Commit(PosixThread thread, Credentials old, Credentials changed)
    {
        thread.Credentials = changed;
        if (changed.EffectiveUid == old.EffectiveUid && changed.EffectiveGid == old.EffectiveGid) return;
        // A process that changes its user does not want to be looked at, nor to be killed for its parent's end by accident.
        thread.Process.Dumpable = 0;
        thread.ParentDeathSignal = 0;
    }
}
