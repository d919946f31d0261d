using System.Text;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>ioctl(2) of any socket about interfaces (netdevice(7)).</summary>
internal static class InterfaceIoctls
{
    private const int RequestSize = 40;
    private const int NameSize = 16;

    /// <summary>Serves SIOCGIFNAME and the requests behind it. ENODEV, EPERM, EFAULT, EOPNOTSUPP.</summary>
    public static SyscallResult Handle(PosixThread thread, uint request, UserAddress argument)
    {
        const uint SIOCGIFNAME = 0x8910, SIOCGIFCONF = 0x8912, SIOCSIFFLAGS = 0x8914;
        if (request == SIOCGIFCONF) return Configuration(thread, argument);
        Span<byte> bytes = stackalloc byte[RequestSize];
        if (thread.Memory.User.Read(argument, bytes) != RequestSize) return Errno.EFAULT;
        if (request == SIOCGIFNAME)
        {
            if (BitConverter.ToInt32(bytes[NameSize..]) != RouteAnswers.LoopbackIndex) return Errno.ENODEV;
            bytes[..NameSize].Clear();
            "lo"u8.CopyTo(bytes);
            return thread.Memory.User.Write(argument, bytes) == RequestSize ? 0 : Errno.EFAULT;
        }

        int end = bytes[..NameSize].IndexOf((byte)0);
        string name = Encoding.Latin1.GetString(bytes[..(end < 0 ? NameSize - 1 : end)]);
        if (name != "lo") return Errno.ENODEV;
        if (request == SIOCSIFFLAGS)
        {
            // To switch it on, which it is, succeeds.
            if (!thread.Credentials.HasCapability(Capability.CAP_NET_ADMIN)) return Errno.EPERM;
            return (bytes[NameSize] & 1) != 0 ? 0 : Errno.EOPNOTSUPP;
        }

        var value = bytes[NameSize..];
        value.Clear();
        switch (request)
        {
            case 0x8913: // SIOCGIFFLAGS
                BitConverter.TryWriteBytes(value, (short)(RouteAnswers.LoopbackFlags & 0x7FFF));
                break;
            case 0x8915 or 0x8917: // SIOCGIFADDR, SIOCGIFDSTADDR
                WriteAddress(value, [127, 0, 0, 1]);
                break;
            case 0x8919: // SIOCGIFBRDADDR
                WriteAddress(value, [0, 0, 0, 0]);
                break;
            case 0x891B: // SIOCGIFNETMASK
                WriteAddress(value, [255, 0, 0, 0]);
                break;
            case 0x891D or 0x8970: // SIOCGIFMETRIC, SIOCGIFMAP
                break;
            case 0x8921: // SIOCGIFMTU
                BitConverter.TryWriteBytes(value, RouteAnswers.LoopbackMtu);
                break;
            case 0x8927: // SIOCGIFHWADDR: ARPHRD_LOOPBACK
                BitConverter.TryWriteBytes(value, (short)772);
                break;
            case 0x8933: // SIOCGIFINDEX
                BitConverter.TryWriteBytes(value, RouteAnswers.LoopbackIndex);
                break;
            case 0x8942: // SIOCGIFTXQLEN
                BitConverter.TryWriteBytes(value, 1000);
                break;
            default:
                return (request & 1) == 0 && !thread.Credentials.HasCapability(Capability.CAP_NET_ADMIN) ? Errno.EPERM : Errno.EOPNOTSUPP;
        }

        return thread.Memory.User.Write(argument, bytes) == RequestSize ? 0 : Errno.EFAULT;
    }

    private static SyscallResult Configuration(PosixThread thread, UserAddress argument)
    {
        var user = thread.Memory.User;
        if (!user.TryRead(argument, out int length) || !user.TryRead(argument + 8, out ulong buffer)) return Errno.EFAULT;
        // Without a buffer the length is not looked at (dev_ifconf of net/core/dev_ioctl.c): programs that only ask for it leave it as it is.
        int count = buffer == 0 || length >= RequestSize ? RequestSize : 0;
        if (buffer != 0 && count > 0)
        {
            Span<byte> bytes = stackalloc byte[RequestSize];
            bytes.Clear();
            "lo"u8.CopyTo(bytes);
            WriteAddress(bytes[NameSize..], [127, 0, 0, 1]);
            if (user.Write(new UserAddress(buffer), bytes) != RequestSize) return Errno.EFAULT;
        }

        return user.TryWrite(argument, count) ? 0 : Errno.EFAULT;
    }

    private static void WriteAddress(Span<byte> value, ReadOnlySpan<byte> address)
    {
        value[0] = (byte)AddressFamily.AF_INET;
        address.CopyTo(value[4..]);
    }
}
