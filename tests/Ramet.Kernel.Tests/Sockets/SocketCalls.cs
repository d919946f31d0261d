using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Sockets;

/// <summary>Socket calls with sockaddrs and message headers built by hand.</summary>
internal static class SocketCalls
{
    public static byte[] Abstract(string name) => [1, 0, 0, .. Encoding.ASCII.GetBytes(name)];

    public static byte[] UnixPath(string path) => [1, 0, .. Encoding.ASCII.GetBytes(path), 0];

    public static byte[] V4(string address, int port)
    {
        var bytes = new byte[16];
        bytes[0] = (byte)AddressFamily.AF_INET;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)port);
        System.Net.IPAddress.Parse(address).GetAddressBytes().CopyTo(bytes, 4);
        return bytes;
    }

    public static byte[] V6(string address, int port)
    {
        var bytes = new byte[28];
        bytes[0] = (byte)AddressFamily.AF_INET6;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)port);
        System.Net.IPAddress.Parse(address).GetAddressBytes().CopyTo(bytes, 8);
        return bytes;
    }

    public static int Port(byte[] sockaddr) => BinaryPrimitives.ReadUInt16BigEndian(sockaddr.AsSpan(2));

    public static int Socket(this TestThread thread, AddressFamily family, SocketType type) => thread.Ok(SyscallNumber.socket, (long)family, (long)type, 0);

    public static long Bind(this TestThread thread, int fd, byte[] address) => thread.Call(SyscallNumber.bind, fd, thread.Put(address), address.Length);

    public static long? Connect(this TestThread thread, int fd, byte[] address) => thread.Try(SyscallNumber.connect, fd, thread.Put(address), address.Length);

    public static long SendTo(this TestThread thread, int fd, string text, byte[] address) =>
        thread.Call(SyscallNumber.sendto, fd, thread.Put(Encoding.ASCII.GetBytes(text)), text.Length, 0, thread.Put(address), address.Length);

    public static byte[] Name(this TestThread thread, SyscallNumber call, int fd)
    {
        long address = thread.Allocate(128);
        long length = thread.Put(128);
        thread.Ok(call, fd, address, length);
        return thread.Get(address, thread.Get<int>(length));
    }

    public static (string Text, byte[] From) ReceiveFrom(this TestThread thread, int fd)
    {
        long buffer = thread.Allocate(2048);
        long address = thread.Allocate(128);
        long length = thread.Put(128);
        int count = thread.Ok(SyscallNumber.recvfrom, fd, buffer, 2048, (long)MessageFlags.MSG_DONTWAIT, address, length);
        return (thread.GetText(buffer, count), thread.Get(address, thread.Get<int>(length)));
    }

    public static int GetOption(this TestThread thread, int fd, SocketLevel level, int name)
    {
        long value = thread.Allocate(16);
        thread.Ok(SyscallNumber.getsockopt, fd, (long)level, name, value, thread.Put(4));
        return thread.Get<int>(value);
    }

    public static int GetOption(this TestThread thread, int fd, SocketOption name) => thread.GetOption(fd, SocketLevel.SOL_SOCKET, (int)name);

    public static void SetOption(this TestThread thread, int fd, SocketOption name, int value) =>
        thread.Ok(SyscallNumber.setsockopt, fd, (long)SocketLevel.SOL_SOCKET, (long)name, thread.Put(value), 4);

    /// <summary>sendmsg with text and, if given, one control message.</summary>
    public static long SendMessage(this TestThread thread, int fd, string text, ControlMessageType type = 0, byte[]? control = null)
    {
        long header = thread.Header(text.Length, thread.Put(Encoding.ASCII.GetBytes(text)), control is null ? 0 : 16 + control.Length, out long controlAddress);
        if (control is not null)
        {
            var cmsg = new CMsgHdr { cmsg_len = (ulong)(16 + control.Length), cmsg_level = (int)SocketLevel.SOL_SOCKET, cmsg_type = (int)type };
            thread.Thread.Memory.User.TryWrite(new UserAddress((ulong)controlAddress), cmsg);
            thread.Thread.Memory.User.Write(new UserAddress((ulong)controlAddress + 16), control);
        }

        return thread.Call(SyscallNumber.sendmsg, fd, header, 0);
    }

    /// <summary>recvmsg with room for so much control data.</summary>
    public static (string Text, MsgHdr Header, byte[] Control) ReceiveMessage(this TestThread thread, int fd, int controlRoom = 128, int room = 2048, MessageFlags flags = 0)
    {
        long buffer = thread.Allocate(room);
        long header = thread.Header(room, buffer, controlRoom, out long control);
        int count = thread.Ok(SyscallNumber.recvmsg, fd, header, (long)(flags | MessageFlags.MSG_DONTWAIT));
        var result = thread.Get<MsgHdr>(header);
        return (thread.GetText(buffer, Math.Min(count, room)), result, thread.Get(control, (int)result.msg_controllen));
    }

    public static byte[] Ints(params int[] values) => MemoryMarshal.AsBytes<int>(values).ToArray();

    private static long Header(this TestThread thread, int length, long buffer, int controlRoom, out long control)
    {
        control = thread.Allocate(Math.Max(16, controlRoom));
        long vector = thread.Put([(ulong)buffer, (ulong)length]);
        Assert.True(vector != 0);
        return thread.Put(new MsgHdr
        {
            msg_iov = (ulong)vector,
            msg_iovlen = 1,
            msg_control = controlRoom == 0 ? 0 : (ulong)control,
            msg_controllen = (ulong)controlRoom,
        });
    }
}
