using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Sockets;

namespace Ramet.Kernel.Syscalls;

/// <summary>socket(2), bind(2), listen(2), accept(2), connect(2) and what they need.</summary>
internal static class SocketSyscalls
{
    private const SocketType TypeFlags = SocketType.SOCK_CLOEXEC | SocketType.SOCK_NONBLOCK;

    [Syscall(SyscallNumber.socket, Missing = "raw, packet and other families than Unix, IPv4, IPv6 and route netlink")]
    public static SyscallResult Socket(PosixThread thread, int family, SocketType type, int protocol)
    {
        if ((type & ~(SocketType.SOCK_TYPE_MASK | TypeFlags)) != 0) return Errno.EINVAL;
        var error = SocketFactory.Create(thread, family, type & SocketType.SOCK_TYPE_MASK, protocol, out var socket);
        if (error != Errno.None) return error;
        ApplyFlags(socket!, type);
        return DescriptorPair.InstallOne(thread, socket!, (type & SocketType.SOCK_CLOEXEC) != 0);
    }

    [Syscall(SyscallNumber.socketpair)]
    public static SyscallResult SocketPair(PosixThread thread, int family, SocketType type, int protocol, UserAddress fds)
    {
        if ((type & ~(SocketType.SOCK_TYPE_MASK | TypeFlags)) != 0) return Errno.EINVAL;
        var error = SocketFactory.CreatePair(thread, family, type & SocketType.SOCK_TYPE_MASK, protocol, out var a, out var b);
        if (error != Errno.None) return error;
        ApplyFlags(a!, type);
        ApplyFlags(b!, type);
        return DescriptorPair.Install(thread, a!, b!, fds, (type & SocketType.SOCK_CLOEXEC) != 0);
    }

    [Syscall(SyscallNumber.bind)]
    public static SyscallResult Bind(PosixThread thread, int fd, [In("length")] UserAddress address, int length)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        error = SocketArguments.ReadAddress(thread, address, length, out var bytes);
        return error != Errno.None ? error : socket.Bind(thread, bytes);
    }

    [Syscall(SyscallNumber.connect)]
    public static SyscallResult Connect(PosixThread thread, int fd, [In("length")] UserAddress address, int length)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        error = SocketArguments.ReadAddress(thread, address, length, out var bytes);
        return error != Errno.None ? error : socket.Connect(thread, bytes);
    }

    [Syscall(SyscallNumber.listen)]
    public static SyscallResult Listen(PosixThread thread, int fd, int backlog)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        return error != Errno.None ? error : socket.Listen(thread, backlog);
    }

    [Syscall(SyscallNumber.accept)]
    public static SyscallResult Accept(PosixThread thread, int fd, UserAddress address, UserAddress length) => Accept4(thread, fd, address, length, 0);

    [Syscall(SyscallNumber.accept4)]
    public static SyscallResult Accept4(PosixThread thread, int fd, UserAddress address, UserAddress length, SocketType flags)
    {
        if ((flags & ~TypeFlags) != 0) return Errno.EINVAL;
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        // The descriptor comes first: a connection that could not get one stays in the queue for another call.
        if (!thread.Files.HasFreeDescriptor) return Errno.EMFILE;
        var result = socket.Accept(thread, out var accepted);
        if (accepted is null) return result;

        ApplyFlags(accepted, flags);
        if (!address.IsNull)
        {
            // A connection whose other side is gone already still has an address.
            if (accepted.GetPeerAddress(out byte[] peer) == Errno.None) error = SocketArguments.WriteAddress(thread, peer, address, length);
            if (error != Errno.None)
            {
                accepted.Release(thread.Kernel);
                return error;
            }
        }

        return DescriptorPair.InstallOne(thread, accepted, (flags & SocketType.SOCK_CLOEXEC) != 0);
    }

    [Syscall(SyscallNumber.shutdown)]
    public static SyscallResult Shutdown(PosixThread thread, int fd, ShutdownHow how)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        return (uint)how > (uint)ShutdownHow.SHUT_RDWR ? Errno.EINVAL : socket.Shutdown(thread, how);
    }

    [Syscall(SyscallNumber.getsockname)]
    public static SyscallResult GetSockName(PosixThread thread, int fd, UserAddress address, UserAddress length)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        return error != Errno.None ? error : SocketArguments.WriteAddress(thread, socket.GetLocalAddress(), address, length);
    }

    [Syscall(SyscallNumber.getpeername)]
    public static SyscallResult GetPeerName(PosixThread thread, int fd, UserAddress address, UserAddress length)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        error = socket.GetPeerAddress(out byte[] peer);
        return error != Errno.None ? error : SocketArguments.WriteAddress(thread, peer, address, length);
    }

    [Syscall(SyscallNumber.setsockopt, Missing = "options without an effect on loopback are accepted and remembered")]
    public static SyscallResult SetSockOpt(PosixThread thread, int fd, SocketLevel level, int name, [In("length")] UserAddress value, int length)
    {
        const int maximum = 4096;
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        if (length < 0) return Errno.EINVAL;
        var bytes = new byte[Math.Min(length, maximum)];
        if (thread.Memory.User.Read(value, bytes) != bytes.Length) return Errno.EFAULT;
        return socket.SetOption(thread, level, name, bytes);
    }

    [Syscall(SyscallNumber.getsockopt)]
    public static SyscallResult GetSockOpt(PosixThread thread, int fd, SocketLevel level, int name, UserAddress value, UserAddress length)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        if (!thread.Memory.User.TryRead(length, out int capacity)) return Errno.EFAULT;
        if (capacity < 0) return Errno.EINVAL;
        error = socket.GetOption(thread, level, name, out byte[] bytes);
        if (error != Errno.None) return error;
        int count = Math.Min(capacity, bytes.Length);
        return thread.Memory.User.Write(value, bytes.AsSpan(0, count)) == count && thread.Memory.User.TryWrite(length, count) ? 0 : Errno.EFAULT;
    }

    private static void ApplyFlags(Socket socket, SocketType flags)
    {
        if ((flags & SocketType.SOCK_NONBLOCK) != 0) socket.Flags |= OpenFlags.O_NONBLOCK;
    }
}
