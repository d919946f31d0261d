using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Sockets;

public abstract partial class Socket
{
    /// <summary>getsockopt(2). The value is cut to what the caller has room for. ENOPROTOOPT.</summary>
    internal virtual Errno GetOption(PosixThread thread, SocketLevel level, int name, out byte[] value)
    {
        value = [];
        if (level != SocketLevel.SOL_SOCKET) return Errno.EOPNOTSUPP;
        switch ((SocketOption)name)
        {
            case SocketOption.SO_TYPE:
                value = Bytes((int)Type);
                return Errno.None;
            case SocketOption.SO_DOMAIN:
                value = Bytes((int)Family);
                return Errno.None;
            case SocketOption.SO_PROTOCOL:
                value = Bytes(Protocol);
                return Errno.None;
            case SocketOption.SO_ERROR:
                value = Bytes((int)TakeError());
                return Errno.None;
            case SocketOption.SO_ACCEPTCONN:
                value = Bytes(IsListening ? 1 : 0);
                return Errno.None;
            case SocketOption.SO_SNDBUF:
                value = Bytes(Settings.SendBuffer);
                return Errno.None;
            case SocketOption.SO_RCVBUF:
                value = Bytes(Settings.ReceiveBuffer);
                return Errno.None;
            case SocketOption.SO_REUSEADDR:
                value = Bytes(Settings.ReuseAddress ? 1 : 0);
                return Errno.None;
            case SocketOption.SO_REUSEPORT:
                value = Bytes(Settings.ReusePort ? 1 : 0);
                return Errno.None;
            case SocketOption.SO_BROADCAST:
                value = Bytes(Settings.Broadcast ? 1 : 0);
                return Errno.None;
            case SocketOption.SO_PASSCRED:
                value = Bytes(Settings.PassCredentials ? 1 : 0);
                return Errno.None;
            case SocketOption.SO_RCVLOWAT:
                value = Bytes(Settings.ReceiveLowWater);
                return Errno.None;
            case SocketOption.SO_SNDLOWAT:
                value = Bytes(1);
                return Errno.None;
            case SocketOption.SO_LINGER:
                value = Bytes(new Linger { l_onoff = Settings.LingerOn ? 1 : 0, l_linger = Settings.LingerSeconds });
                return Errno.None;
            case SocketOption.SO_RCVTIMEO:
                value = Bytes(TimeoutOf(Settings.ReceiveTimeout));
                return Errno.None;
            case SocketOption.SO_SNDTIMEO:
                value = Bytes(TimeoutOf(Settings.SendTimeout));
                return Errno.None;
            case SocketOption.SO_PEERCRED:
                value = Bytes(this is UnixConnectionSocket unix ? unix.PeerCredentials : new UCred { uid = uint.MaxValue, gid = uint.MaxValue });
                return Errno.None;
            case SocketOption.SO_DEBUG or SocketOption.SO_DONTROUTE or SocketOption.SO_KEEPALIVE or SocketOption.SO_OOBINLINE or SocketOption.SO_PRIORITY
                or SocketOption.SO_TIMESTAMP or SocketOption.SO_MARK or SocketOption.SO_INCOMING_CPU:
                value = Bytes(GetInert(level, name));
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    /// <summary>setsockopt(2). EINVAL, EPERM, EDOM, ENOPROTOOPT.</summary>
    internal virtual Errno SetOption(PosixThread thread, SocketLevel level, int name, ReadOnlySpan<byte> value)
    {
        if (level != SocketLevel.SOL_SOCKET) return Errno.ENOPROTOOPT;
        switch ((SocketOption)name)
        {
            case SocketOption.SO_LINGER:
                if (!TryRead(value, out Linger linger)) return Errno.EINVAL;
                (Settings.LingerOn, Settings.LingerSeconds) = (linger.l_onoff != 0, linger.l_linger);
                return Errno.None;
            case SocketOption.SO_RCVTIMEO or SocketOption.SO_SNDTIMEO:
                return SetTimeout((SocketOption)name, value);
            case SocketOption.SO_BINDTODEVICE:
                return thread.Credentials.HasCapability(Capability.CAP_NET_RAW) ? Errno.ENODEV : Errno.EPERM;
        }

        if (!TryRead(value, out int number)) return Errno.EINVAL;
        bool on = number != 0;
        switch ((SocketOption)name)
        {
            case SocketOption.SO_TYPE or SocketOption.SO_DOMAIN or SocketOption.SO_PROTOCOL or SocketOption.SO_ERROR or SocketOption.SO_ACCEPTCONN
                or SocketOption.SO_PEERCRED or SocketOption.SO_SNDLOWAT:
                return Errno.ENOPROTOOPT;
            case SocketOption.SO_SNDBUF or SocketOption.SO_SNDBUFFORCE:
                Settings.SendBuffer = Doubled(number, 4608);
                Settings.BuffersWereSet = true;
                _queue.Wake(Readiness.Out);
                return Errno.None;
            case SocketOption.SO_RCVBUF or SocketOption.SO_RCVBUFFORCE:
                Settings.ReceiveBuffer = Doubled(number, 2304);
                Settings.BuffersWereSet = true;
                return Errno.None;
            case SocketOption.SO_REUSEADDR:
                Settings.ReuseAddress = on;
                return Errno.None;
            case SocketOption.SO_REUSEPORT:
                Settings.ReusePort = on;
                return Errno.None;
            case SocketOption.SO_BROADCAST:
                Settings.Broadcast = on;
                return Errno.None;
            case SocketOption.SO_PASSCRED when Family == AddressFamily.AF_UNIX:
                Settings.PassCredentials = on;
                return Errno.None;
            case SocketOption.SO_PASSCRED:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_RCVLOWAT:
                Settings.ReceiveLowWater = number < 0 ? int.MaxValue : Math.Max(1, number);
                return Errno.None;
            case SocketOption.SO_DEBUG or SocketOption.SO_MARK when !thread.Credentials.HasCapability(Capability.CAP_NET_ADMIN):
                return Errno.EPERM;
            case SocketOption.SO_DEBUG or SocketOption.SO_DONTROUTE or SocketOption.SO_KEEPALIVE or SocketOption.SO_OOBINLINE or SocketOption.SO_PRIORITY
                or SocketOption.SO_TIMESTAMP or SocketOption.SO_MARK or SocketOption.SO_INCOMING_CPU:
                SetInert(level, name, number);
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private protected static byte[] Bytes<T>(T value)
        where T : unmanaged
    {
        var bytes = new byte[Marshal.SizeOf<T>()];
        MemoryMarshal.Write(bytes, in value);
        return bytes;
    }

    private protected static bool TryRead<T>(ReadOnlySpan<byte> bytes, out T value)
        where T : unmanaged => MemoryMarshal.TryRead(bytes, out value);

    internal int GetInert(SocketLevel level, int name, int otherwise = 0) => Settings.Inert.GetValueOrDefault(InertKey(level, name), otherwise);

    private protected void SetInert(SocketLevel level, int name, int value) => Settings.Inert[InertKey(level, name)] = value;

    private static long InertKey(SocketLevel level, int name) => (long)level << 32 | (uint)name;

    /// <summary>As on Linux, the value is doubled, for bookkeeping, and both ends are clamped (net/core/sock.c).</summary>
    private static int Doubled(int value, int minimum) => Math.Max(Math.Min(unchecked((uint)value) > SocketSettings.MaximumBuffer ? SocketSettings.MaximumBuffer : value, SocketSettings.MaximumBuffer) * 2, minimum);

    private static Timeval TimeoutOf(long nanoseconds) => nanoseconds == PollingTimeout.Infinite ? default : PollingTimeout.ToTimeval(nanoseconds);

    private Errno SetTimeout(SocketOption option, ReadOnlySpan<byte> value)
    {
        if (!TryRead(value, out Timeval time)) return Errno.EINVAL;
        if (time.tv_usec is < 0 or >= 1_000_000) return Errno.EDOM;

        // Zero means no timeout; a negative time gives up at once.
        long nanoseconds = PollingTimeout.Infinite;
        if (time.tv_sec < 0) nanoseconds = 0;
        else if ((time.tv_sec, time.tv_usec) != (0, 0)) PollingTimeout.TryConvert(time, out nanoseconds);
        if (option == SocketOption.SO_RCVTIMEO) Settings.ReceiveTimeout = nanoseconds;
        else Settings.SendTimeout = nanoseconds;
        return Errno.None;
    }
}
