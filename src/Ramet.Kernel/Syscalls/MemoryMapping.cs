using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>mmap(2) and its family.</summary>
internal static class MemoryMapping
{
    private const ulong PageMask = GuestMemory.PageSize - 1;

    [Syscall(SyscallNumber.mmap, Missing = "MAP_HUGETLB")]
    internal static SyscallResult Mmap(PosixThread thread, UserAddress addr, ulong length, MemoryProtection prot, MappingFlags flags, int fd, long offset)
    {
        var type = flags & MappingFlags.MAP_TYPE;
        if (type is not (MappingFlags.MAP_SHARED or MappingFlags.MAP_PRIVATE or MappingFlags.MAP_SHARED_VALIDATE)) return Errno.EINVAL;
        if ((offset & (long)PageMask) != 0 || offset < 0 || length == 0) return Errno.EINVAL;
        if ((flags & MappingFlags.MAP_HUGETLB) != 0) return Errno.ENOMEM;
        bool shared = type != MappingFlags.MAP_PRIVATE;
        MemoryObject? source = null;
        Dentry? dentry = null;
        bool mayWrite = true;
        bool anonymous = (flags & MappingFlags.MAP_ANONYMOUS) != 0;
        if ((flags & MappingFlags.MAP_ANONYMOUS) == 0)
        {
            var file = thread.Files.Get(fd);
            if (file is null || (file.Flags & OpenFlags.O_PATH) != 0) return Errno.EBADF;
            if (!file.CanRead) return Errno.EACCES;
            mayWrite = file.CanWrite || !shared;
            if (shared && (prot & MemoryProtection.PROT_WRITE) != 0 && !file.CanWrite) return Errno.EACCES;
            if (shared && IsSealedAgainstWriting(file))
            {
                if ((prot & MemoryProtection.PROT_WRITE) != 0) return Errno.EPERM;
                mayWrite = false;
            }

            // zero(4): a mapping of it is anonymous memory.
            anonymous = file.MapsAsAnonymousMemory;
            source = !anonymous ? file.GetMemoryObject() : shared ? thread.Kernel.CreateSharedMemory((length + PageMask) & ~PageMask) : null;
            if (source is null && !anonymous) return Errno.ENODEV;
            if (offset + (long)Math.Min(length, long.MaxValue / 2) < 0) return Errno.EOVERFLOW;
            dentry = file.Dentry;
        }
        else if (shared)
        {
            source = thread.Kernel.CreateSharedMemory((length + PageMask) & ~PageMask);
        }

        ulong asLimit = thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_AS);
        if (length > asLimit || thread.Memory.MappedBytes > asLimit - length) return Errno.ENOMEM;
        var error = thread.Memory.Map(
            new MappingRequest
            {
                Address = addr.Value,
                Length = length,
                Protection = prot,
                Flags = flags,
                Object = source,
                Offset = anonymous ? 0 : offset,
                Dentry = dentry,
                MayWrite = mayWrite,
                AreaFlags = ((flags & MappingFlags.MAP_NORESERVE) != 0 ? AreaFlags.NoReserve : AreaFlags.None)
                    | ((flags & MappingFlags.MAP_LOCKED) != 0 ? AreaFlags.Locked : AreaFlags.None)
                    | ((flags & MappingFlags.MAP_GROWSDOWN) != 0 && source is null ? AreaFlags.GrowsDown : AreaFlags.None),
            },
            out ulong address);
        return error == Errno.None ? (long)address : error;
    }

    /// <summary>Whether F_SEAL_WRITE or F_SEAL_FUTURE_WRITE forbids new writable mappings (fcntl(2)).</summary>
    private static bool IsSealedAgainstWriting(FileDescription file)
    {
        var seals = file.GetSeals();
        return !seals.IsError && ((FileSeals)seals.Value & (FileSeals.F_SEAL_WRITE | FileSeals.F_SEAL_FUTURE_WRITE)) != 0;
    }

    [Syscall(SyscallNumber.munmap)]
    internal static SyscallResult Munmap(PosixThread thread, UserAddress addr, ulong length) => thread.Memory.Unmap(addr.Value, length);

    [Syscall(SyscallNumber.mprotect)]
    internal static SyscallResult Mprotect(PosixThread thread, UserAddress addr, ulong length, MemoryProtection prot)
    {
        const MemoryProtection Known = MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE | MemoryProtection.PROT_EXEC | MemoryProtection.PROT_SEM;
        const MemoryProtection GrowsDown = (MemoryProtection)0x01000000;
        const MemoryProtection GrowsUp = (MemoryProtection)0x02000000;
        if ((prot & GrowsDown) != 0 && (prot & GrowsUp) == 0 && (prot & ~(Known | GrowsDown)) == 0 && length > 0 && (addr.Value & PageMask) == 0)
        {
            // From the start of the mapping on, which must be one that grows down.
            if (thread.Memory.FindArea(addr.Value) is not { } area) return Errno.ENOMEM;
            if ((area.Flags & AreaFlags.GrowsDown) == 0) return Errno.EINVAL;
            ulong more = addr.Value - area.Start;
            return thread.Memory.Protect(area.Start, length + more, prot & ~(MemoryProtection.PROT_SEM | GrowsDown));
        }

        // Nothing grows up on x86.
        return (prot & ~Known) != 0 ? Errno.EINVAL : thread.Memory.Protect(addr.Value, length, prot & ~MemoryProtection.PROT_SEM);
    }

    [Syscall(SyscallNumber.pkey_mprotect, Missing = "protection keys other than -1")]
    internal static SyscallResult PkeyMprotect(PosixThread thread, UserAddress addr, ulong length, MemoryProtection prot, int pkey) =>
        pkey == -1 ? Mprotect(thread, addr, length, prot) : Errno.EINVAL;

    [Syscall(SyscallNumber.mremap)]
    internal static SyscallResult Mremap(PosixThread thread, UserAddress oldAddress, ulong oldSize, ulong newSize, RemapFlags flags, UserAddress newAddress)
    {
        var error = thread.Memory.Remap(oldAddress.Value, oldSize, newSize, flags, newAddress.Value, out ulong address);
        return error == Errno.None ? (long)address : error;
    }

    [Syscall(SyscallNumber.brk)]
    internal static SyscallResult Brk(PosixThread thread, UserAddress addr) =>
        (long)thread.Memory.SetBrk(addr.Value, thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_DATA));

    [Syscall(SyscallNumber.madvise, Missing = "MADV_REMOVE; MADV_FREE frees at once; advice on huge pages and swapping is accepted")]
    internal static SyscallResult Madvise(PosixThread thread, UserAddress addr, ulong length, MemoryAdvice advice) =>
        thread.Memory.Advise(addr.Value, length, advice);

    [Syscall(SyscallNumber.msync)]
    internal static SyscallResult Msync(PosixThread thread, UserAddress addr, ulong length, SynchronizeFlags flags)
    {
        const SynchronizeFlags Both = SynchronizeFlags.MS_ASYNC | SynchronizeFlags.MS_SYNC;
        if ((flags & ~(Both | SynchronizeFlags.MS_INVALIDATE)) != 0 || (flags & Both) == Both || (addr.Value & PageMask) != 0) return Errno.EINVAL;
        ulong end = addr.Value + ((length + PageMask) & ~PageMask);
        return end < addr.Value || !thread.Memory.IsMapped(addr.Value, end) ? Errno.ENOMEM : Errno.None;
    }

    [Syscall(SyscallNumber.mincore)]
    internal static SyscallResult Mincore(PosixThread thread, UserAddress addr, ulong length, UserAddress vec)
    {
        if ((addr.Value & PageMask) != 0) return Errno.EINVAL;
        ulong end = addr.Value + ((length + PageMask) & ~PageMask);
        if (end < addr.Value || !thread.Memory.IsMapped(addr.Value, end)) return Errno.ENOMEM;
        Span<byte> buffer = stackalloc byte[GuestMemory.PageSize];
        for (ulong at = addr.Value; at < end;)
        {
            var piece = buffer[..(int)Math.Min((ulong)buffer.Length, (end - at) >> 12)];
            thread.Memory.FillResident(at, piece);
            if (thread.Memory.User.Write(vec, piece) < piece.Length) return Errno.EFAULT;
            vec += piece.Length;
            at += (ulong)piece.Length << 12;
        }

        return 0;
    }

    [Syscall(SyscallNumber.mlock, Missing = "RLIMIT_MEMLOCK is not enforced: RAM is never swapped")]
    internal static SyscallResult Mlock(PosixThread thread, UserAddress addr, ulong length) => Lock(thread, addr.Value, length, populate: true);

    [Syscall(SyscallNumber.mlock2)]
    internal static SyscallResult Mlock2(PosixThread thread, UserAddress addr, ulong length, uint flags) =>
        flags > 1 ? Errno.EINVAL : Lock(thread, addr.Value, length, populate: flags == 0);

    [Syscall(SyscallNumber.munlock)]
    internal static SyscallResult Munlock(PosixThread thread, UserAddress addr, ulong length)
    {
        ulong start = addr.Value & ~PageMask;
        ulong end = (addr.Value + length + PageMask) & ~PageMask;
        return end < start ? Errno.EINVAL : thread.Memory.ChangeFlags(start, end, AreaFlags.None, AreaFlags.Locked);
    }

    [Syscall(SyscallNumber.mlockall, Missing = "MCL_FUTURE is accepted and has no effect: RAM is never swapped")]
    internal static SyscallResult Mlockall(PosixThread thread, int flags) => flags is <= 0 or > 7 or 4 ? Errno.EINVAL : Errno.None;

    [Syscall(SyscallNumber.munlockall)]
    internal static SyscallResult Munlockall(PosixThread thread) => 0;

    private static SyscallResult Lock(PosixThread thread, ulong address, ulong length, bool populate)
    {
        ulong start = address & ~PageMask;
        ulong end = (address + length + PageMask) & ~PageMask;
        if (end < start) return Errno.EINVAL;
        var error = thread.Memory.ChangeFlags(start, end, AreaFlags.Locked, AreaFlags.None);
        if (error != Errno.None || !populate) return error;
        error = thread.Memory.PopulateRange(start, end);
        return error == Errno.EFAULT ? Errno.ENOMEM : error;
    }
}
