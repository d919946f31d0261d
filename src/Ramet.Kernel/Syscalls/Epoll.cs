using System.Buffers;
using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>epoll_create(2), epoll_ctl(2), epoll_wait(2).</summary>
internal static class EpollSyscalls
{
    /// <summary>Descriptors that the sets of a sandbox watch at most (max_user_watches).</summary>
    private const int MaximumWatches = 1 << 18;

    /// <summary>Events returned by one call at most; fewer than asked for is always allowed.</summary>
    private const int MaximumBatch = 64 << 10;

    private const PollEvents AllowedWithExclusive =
        PollEvents.POLLIN | PollEvents.POLLOUT | PollEvents.POLLERR | PollEvents.POLLHUP | PollEvents.EPOLLWAKEUP | PollEvents.EPOLLET | PollEvents.EPOLLEXCLUSIVE;

    [Syscall(SyscallNumber.epoll_create)]
    public static SyscallResult EpollCreate(PosixThread thread, int size) => size <= 0 ? Errno.EINVAL : EpollCreate1(thread, 0);

    [Syscall(SyscallNumber.epoll_create1)]
    public static SyscallResult EpollCreate1(PosixThread thread, OpenFlags flags)
    {
        if ((flags & ~OpenFlags.O_CLOEXEC) != 0) return Errno.EINVAL;
        return DescriptorPair.InstallOne(thread, new EpollSet(thread.Kernel), flags != 0);
    }

    [Syscall(SyscallNumber.epoll_ctl)]
    public static SyscallResult EpollCtl(PosixThread thread, int epfd, EpollOperation operation, int fd, UserAddress @event)
    {
        EpollEvent wanted = default;
        if (operation != EpollOperation.EPOLL_CTL_DEL && !thread.Memory.User.TryRead(@event, out wanted)) return Errno.EFAULT;
        if (thread.Files.Get(epfd) is not { } description || thread.Files.Get(fd) is not { } file) return Errno.EBADF;
        if (file.PollQueue is null) return Errno.EPERM;
        if (description is not EpollSet set || file == set) return Errno.EINVAL;

        var events = (PollEvents)wanted.events;
        if ((events & PollEvents.EPOLLEXCLUSIVE) != 0 && operation != EpollOperation.EPOLL_CTL_DEL
            && (operation == EpollOperation.EPOLL_CTL_MOD || file is EpollSet || (events & ~AllowedWithExclusive) != 0))
        {
            return Errno.EINVAL;
        }

        var item = set.Find(fd, file);
        switch (operation)
        {
            case EpollOperation.EPOLL_CTL_ADD:
                if (item is not null) return Errno.EEXIST;
                if (file is EpollSet inner && EpollNesting.Check(set, inner) is not Errno.None and var refusal) return refusal;
                if (!EpollNesting.MayAdd(set, file)) return Errno.EINVAL;
                if (thread.Kernel.EpollWatches >= MaximumWatches) return Errno.ENOSPC;
                set.Add(thread.Kernel, file, fd, wanted);
                return 0;
            case EpollOperation.EPOLL_CTL_MOD:
                if (item is null) return Errno.ENOENT;
                if ((item.Interest & PollEvents.EPOLLEXCLUSIVE) != 0) return Errno.EINVAL;
                set.Change(item, wanted);
                return 0;
            case EpollOperation.EPOLL_CTL_DEL:
                if (item is null) return Errno.ENOENT;
                set.Remove(thread.Kernel, item);
                return 0;
            default:
                return Errno.EINVAL;
        }
    }

    [Syscall(SyscallNumber.epoll_wait)]
    public static SyscallResult EpollWait(PosixThread thread, int epfd, UserAddress events, int maxevents, int timeout) =>
        Wait(thread, epfd, events, maxevents, PollingTimeout.FromMilliseconds(timeout));

    [Syscall(SyscallNumber.epoll_pwait)]
    public static SyscallResult EpollPwait(PosixThread thread, int epfd, UserAddress events, int maxevents, int timeout, UserAddress mask, ulong maskSize)
    {
        var error = Polling.SetMask(thread, mask, maskSize);
        return error != Errno.None ? error : EpollWait(thread, epfd, events, maxevents, timeout);
    }

    [Syscall(SyscallNumber.epoll_pwait2)]
    public static SyscallResult EpollPwait2(
        PosixThread thread, int epfd, UserAddress events, int maxevents, UserAddress timeout, UserAddress mask, ulong maskSize)
    {
        var error = PollingTimeout.Read(thread, timeout, out long nanoseconds);
        if (error == Errno.None) error = Polling.SetMask(thread, mask, maskSize);
        return error != Errno.None ? error : Wait(thread, epfd, events, maxevents, nanoseconds);
    }

    private static SyscallResult Wait(PosixThread thread, int epfd, UserAddress address, int maximum, long timeout)
    {
        if (maximum <= 0 || maximum > int.MaxValue / Marshal.SizeOf<EpollEvent>()) return Errno.EINVAL;
        if (thread.Files.Get(epfd) is not { } description) return Errno.EBADF;
        if (description is not EpollSet set) return Errno.EINVAL;

        maximum = Math.Min(maximum, MaximumBatch);
        var rented = ArrayPool<EpollEvent>.Shared.Rent(maximum);
        try
        {
            int count = set.Collect(rented.AsSpan(0, maximum));

            // Only one thread is woken for an event; one that goes on leaves the rest to the next.
            if (set.HasReady) set.Waiting.Wake(Readiness.In);
            if (count > 0)
            {
                var bytes = MemoryMarshal.AsBytes(rented.AsSpan(0, count));
                return thread.Memory.User.Write(address, bytes) == bytes.Length ? count : Errno.EFAULT;
            }
        }
        finally
        {
            ArrayPool<EpollEvent>.Shared.Return(rented);
        }

        // Unlike poll, epoll_wait is never restarted (signal(7)).
        if (Polling.End(thread, timeout, RestartKind.ERESTARTNOHAND) is { } end) return end.IsError ? Errno.EINTR : end;
        thread.WaitOn(set.Waiting, Readiness.In, exclusive: true);
        return thread.Block(RestartKind.ERESTARTNOHAND);
    }
}
