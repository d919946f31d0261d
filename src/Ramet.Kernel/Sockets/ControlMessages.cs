using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Sockets;

/// <summary>Ancillary data of sendmsg and recvmsg (cmsg(3)).</summary>
internal static class ControlMessages
{
    /// <summary>Descriptors in one message (SCM_MAX_FD).</summary>
    private const int MaximumRights = 253;

    /// <summary>net.core.optmem_max.</summary>
    private const ulong MaximumControl = 20480;

    private const int HeaderSize = 16;

    /// <summary>Reads what a sender attached. On an error no reference is kept. EFAULT, EINVAL, EBADF, EPERM, ENOBUFS, ETOOMANYREFS.</summary>
    public static Errno Parse(PosixThread thread, Socket socket, UserAddress address, ulong length, ref OutgoingMessage message)
    {
        if (length == 0) return Errno.None;
        if (length > MaximumControl) return Errno.ENOBUFS;
        var control = new byte[length];
        if (thread.Memory.User.Read(address, control) != control.Length) return Errno.EFAULT;
        var error = Parse(thread, socket, control, ref message);
        if (error != Errno.None) Release(thread.Kernel, ref message.Rights);
        return error;
    }

    /// <summary>Drops descriptions that were not passed on.</summary>
    public static void Release(Kernel kernel, ref List<FileDescription>? rights)
    {
        var released = rights;
        rights = null;
        if (released is null) return;
        foreach (var description in released) description.Release(kernel);
    }

    /// <summary>
    /// Stores what came along into the receiver's control buffer, and installs descriptors. What does not fit is dropped, and MSG_CTRUNC tells. Returns how many bytes
    /// were stored.
    /// </summary>
    public static ulong Store(PosixThread thread, UserAddress address, ulong capacity, ref IncomingMessage message)
    {
        ulong used = 0;
        if (message.Credentials is { } credentials)
        {
            var bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<UCred>(in credentials));
            used = Put(thread, address, capacity, used, ControlMessageType.SCM_CREDENTIALS, bytes, ref message);
        }

        if (message.Rights is { } rights)
        {
            message.Rights = null;
            int fit = capacity >= used + HeaderSize ? (int)Math.Min((capacity - used - HeaderSize) / sizeof(int), MaximumRights) : 0;
            var descriptors = new List<int>();
            bool closeOnExec = (message.Flags & MessageFlags.MSG_CMSG_CLOEXEC) != 0;
            foreach (var description in rights)
            {
                if (descriptors.Count < fit && thread.Files.Install(description, closeOnExec, out int descriptor) == Errno.None)
                {
                    descriptors.Add(descriptor);
                    continue;
                }

                fit = 0;
                message.ResultFlags |= MessageFlags.MSG_CTRUNC;
                description.Release(thread.Kernel);
            }

            if (descriptors.Count > 0)
            {
                var bytes = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(descriptors));
                used = Put(thread, address, capacity, used, ControlMessageType.SCM_RIGHTS, bytes, ref message);
            }
        }

        foreach (var item in message.Controls ?? []) used = Put(thread, address, capacity, used, item.Level, item.Type, item.Data, ref message);
        return Math.Min(used, capacity);
    }

    private static Errno Parse(PosixThread thread, Socket socket, ReadOnlySpan<byte> control, ref OutgoingMessage message)
    {
        while (control.Length >= HeaderSize)
        {
            var header = MemoryMarshal.Read<CMsgHdr>(control);
            if (header.cmsg_len < HeaderSize || header.cmsg_len > (ulong)control.Length) return Errno.EINVAL;
            var data = control[HeaderSize..(int)header.cmsg_len];
            if (header.cmsg_level == (int)SocketLevel.SOL_SOCKET)
            {
                var error = (ControlMessageType)header.cmsg_type switch
                {
                    ControlMessageType.SCM_RIGHTS when socket.Family == AddressFamily.AF_UNIX => ParseRights(thread, data, ref message),
                    ControlMessageType.SCM_CREDENTIALS when socket.Family == AddressFamily.AF_UNIX => ParseCredentials(thread, data, ref message),
                    _ => Errno.EINVAL,
                };
                if (error != Errno.None) return error;
            }

            else if (socket is UdpSocket && header.cmsg_level is (int)SocketLevel.SOL_IP or (int)SocketLevel.SOL_IPV6)
            {
                // A socket of IPv4 passes over what is for IPv6, and the other way round, except for addresses in their mapped form.
                bool own = header.cmsg_level == (int)SocketLevel.SOL_IP || socket.Family == AddressFamily.AF_INET6;
                var error = own ? PacketControls.Parse((SocketLevel)header.cmsg_level, header.cmsg_type, data, ref message) : Errno.None;
                if (error != Errno.None) return error;
            }

            int step = (int)Math.Min(Align(header.cmsg_len), (ulong)control.Length);
            control = control[step..];
        }

        return Errno.None;
    }

    private static Errno ParseRights(PosixThread thread, ReadOnlySpan<byte> data, ref OutgoingMessage message)
    {
        int count = data.Length / sizeof(int);
        if ((message.Rights?.Count ?? 0) + count > MaximumRights) return Errno.EINVAL;
        var sockets = thread.Kernel.Sockets;
        ulong most = thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_NOFILE);
        if ((ulong)(sockets.RightsInFlight + count) > most) sockets.Collect(thread.Kernel);
        ulong inFlight = (ulong)(sockets.RightsInFlight + count);
        if (inFlight > thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_NOFILE)) return Errno.ETOOMANYREFS;
        for (int i = 0; i < count; i++)
        {
            int descriptor = BinaryPrimitives.ReadInt32LittleEndian(data[(i * sizeof(int))..]);
            if (thread.Files.Get(descriptor) is not { } description) return Errno.EBADF;
            (message.Rights ??= []).Add(description.AddReference());
        }

        return Errno.None;
    }

    private static Errno ParseCredentials(PosixThread thread, ReadOnlySpan<byte> data, ref OutgoingMessage message)
    {
        if (data.Length != Marshal.SizeOf<UCred>()) return Errno.EINVAL;
        var given = MemoryMarshal.Read<UCred>(data);
        var own = thread.Credentials;
        bool allowed = (given.pid == thread.Process.Pid || own.HasCapability(Capability.CAP_SYS_ADMIN))
            && (given.uid == own.Uid || given.uid == own.EffectiveUid || given.uid == own.SavedUid || own.HasCapability(Capability.CAP_SETUID))
            && (given.gid == own.Gid || given.gid == own.EffectiveGid || given.gid == own.SavedGid || own.HasCapability(Capability.CAP_SETGID));
        if (!allowed) return Errno.EPERM;
        message.Credentials = given;
        return Errno.None;
    }

    private static ulong Put(
        PosixThread thread, UserAddress address, ulong capacity, ulong offset, ControlMessageType type, scoped ReadOnlySpan<byte> data, ref IncomingMessage message) =>
        Put(thread, address, capacity, offset, SocketLevel.SOL_SOCKET, (int)type, data, ref message);

    private static ulong Put(
        PosixThread thread, UserAddress address, ulong capacity, ulong offset, SocketLevel level, int type, scoped ReadOnlySpan<byte> data, ref IncomingMessage message)
    {
        if (capacity < offset + HeaderSize)
        {
            message.ResultFlags |= MessageFlags.MSG_CTRUNC;
            return offset;
        }

        ulong room = capacity - offset - HeaderSize;
        if ((ulong)data.Length > room)
        {
            message.ResultFlags |= MessageFlags.MSG_CTRUNC;
            data = data[..(int)room];
        }

        var header = new CMsgHdr { cmsg_len = (ulong)(HeaderSize + data.Length), cmsg_level = (int)level, cmsg_type = type };
        thread.Memory.User.TryWrite(address + (long)offset, header);
        thread.Memory.User.Write(address + (long)offset + HeaderSize, data);
        return offset + Align(header.cmsg_len);
    }

    private static ulong Align(ulong length) => (length + 7) & ~7UL;
}
