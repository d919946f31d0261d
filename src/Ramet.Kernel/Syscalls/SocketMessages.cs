using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Sockets;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Syscalls;

/// <summary>send(2) and recv(2) in all their forms.</summary>
internal static class SocketMessageSyscalls
{
    private const int MaximumMessages = 1024;

    [Syscall(SyscallNumber.sendto)]
    public static SyscallResult SendTo(
        PosixThread thread, int fd, [In("length")] UserAddress buffer, ulong length, MessageFlags flags, UserAddress address, int addressLength)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        var message = new OutgoingMessage { Flags = flags };
        if (!address.IsNull)
        {
            error = SocketArguments.ReadAddress(thread, address, addressLength, out byte[] bytes);
            if (error != Errno.None) return error;
            message.Address = bytes;
        }

        var data = new IoBuffer(thread.Memory.User, buffer, SocketArguments.ClampLength(length));
        return socket.Send(thread, ref data, ref message);
    }

    [Syscall(SyscallNumber.recvfrom)]
    public static SyscallResult ReceiveFrom(
        PosixThread thread, int fd, [Out] UserAddress buffer, ulong length, MessageFlags flags, UserAddress address, UserAddress addressLength)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        var message = new IncomingMessage { Flags = flags };
        var data = new IoBuffer(thread.Memory.User, buffer, SocketArguments.ClampLength(length));
        var result = socket.Receive(thread, ref data, ref message);
        ControlMessages.Release(thread.Kernel, ref message.Rights);
        if (result.IsBlocked || result.Value < 0 || address.IsNull) return result;
        error = SocketArguments.WriteAddress(thread, message.Address ?? [], address, addressLength);
        return error != Errno.None ? error : result;
    }

    [Syscall(SyscallNumber.sendmsg)]
    public static SyscallResult SendMessage(PosixThread thread, int fd, UserAddress header, MessageFlags flags)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        return thread.Memory.User.TryRead(header, out MsgHdr message) ? Send(thread, socket, in message, flags) : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.recvmsg)]
    public static SyscallResult ReceiveMessage(PosixThread thread, int fd, UserAddress header, MessageFlags flags)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        return error != Errno.None ? error : Receive(thread, socket, header, flags);
    }

    [Syscall(SyscallNumber.sendmmsg)]
    public static SyscallResult SendMessages(PosixThread thread, int fd, UserAddress headers, uint count, MessageFlags flags)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        var state = MessageProgress.Of(thread);
        while (state.Done < Math.Min(count, MaximumMessages))
        {
            var at = headers + state.Done * Marshal.SizeOf<MMsgHdr>();
            var result = thread.Memory.User.TryRead(at, out MsgHdr message) ? Send(thread, socket, in message, flags) : Errno.EFAULT;
            if (state.Stops(thread, result, out var final)) return final;
            if (!thread.Memory.User.TryWrite(at + Marshal.SizeOf<MsgHdr>(), (uint)result.Value)) return state.Done > 0 ? state.Done : Errno.EFAULT;
            state.Next(thread);
        }

        return state.Done;
    }

    [Syscall(SyscallNumber.recvmmsg)]
    public static SyscallResult ReceiveMessages(PosixThread thread, int fd, UserAddress headers, uint count, MessageFlags flags, UserAddress timeout)
    {
        var error = SocketArguments.Get(thread, fd, out var socket);
        if (error != Errno.None) return error;
        error = PollingTimeout.Read(thread, timeout, out long nanoseconds);
        if (error != Errno.None) return error;

        // As on Linux, the timeout is looked at between messages only (recvmmsg(2), BUGS).
        var state = MessageProgress.Of(thread);
        if (state.Deadline == 0) state.Deadline = PollingTimeout.DeadlineAfter(thread.Kernel, nanoseconds);
        while (state.Done < Math.Min(count, MaximumMessages))
        {
            var at = headers + state.Done * Marshal.SizeOf<MMsgHdr>();
            var waitForOne = state.Done > 0 && (flags & MessageFlags.MSG_WAITFORONE) != 0 ? MessageFlags.MSG_DONTWAIT : MessageFlags.None;
            var result = Receive(thread, socket, at, (flags & ~MessageFlags.MSG_WAITFORONE) | waitForOne);
            if (state.Stops(thread, result, out var final)) return final;
            if (!thread.Memory.User.TryWrite(at + Marshal.SizeOf<MsgHdr>(), (uint)result.Value)) return state.Done > 0 ? state.Done : Errno.EFAULT;
            state.Next(thread);
            if (state.Deadline != PosixThread.Never && thread.Kernel.MonotonicNow >= state.Deadline) break;
        }

        return state.Done;
    }

    private static SyscallResult Send(PosixThread thread, Socket socket, in MsgHdr header, MessageFlags flags)
    {
        var message = new OutgoingMessage { Flags = flags };
        if (header.msg_name != 0 && header.msg_namelen != 0)
        {
            var error = SocketArguments.ReadAddress(thread, new UserAddress(header.msg_name), header.msg_namelen, out byte[] bytes);
            if (error != Errno.None) return error;
            message.Address = bytes;
        }

        var vectorError = SocketArguments.ReadVectors(thread, in header, out var vectors);
        if (vectorError != Errno.None) return vectorError;

        // Descriptions go with the first bytes: when some have been sent, they are on their way already.
        if (thread.Progress == 0)
        {
            var error = ControlMessages.Parse(thread, socket, new UserAddress(header.msg_control), header.msg_controllen, ref message);
            if (error != Errno.None) return error;
        }

        var data = new IoBuffer(thread.Memory.User, vectors);
        var result = socket.Send(thread, ref data, ref message);
        ControlMessages.Release(thread.Kernel, ref message.Rights);
        return result;
    }

    private static SyscallResult Receive(PosixThread thread, Socket socket, UserAddress address, MessageFlags flags)
    {
        var memory = thread.Memory.User;
        if (!memory.TryRead(address, out MsgHdr header)) return Errno.EFAULT;
        var error = SocketArguments.ReadVectors(thread, in header, out var vectors);
        if (error != Errno.None) return error;
        if (header.msg_namelen < 0) return Errno.EINVAL;

        var message = new IncomingMessage { Flags = flags };
        var data = new IoBuffer(memory, vectors);
        var result = socket.Receive(thread, ref data, ref message);
        if (result.IsBlocked || result.Value < 0)
        {
            ControlMessages.Release(thread.Kernel, ref message.Rights);
            return result;
        }

        int nameLength = 0;
        if (header.msg_name != 0)
        {
            var name = message.Address ?? [];
            nameLength = name.Length;
            int count = Math.Min(header.msg_namelen, nameLength);
            if (memory.Write(new UserAddress(header.msg_name), name.AsSpan(0, count)) != count) error = Errno.EFAULT;
        }

        ulong stored = ControlMessages.Store(thread, new UserAddress(header.msg_control), header.msg_control == 0 ? 0 : header.msg_controllen, ref message);
        if (header.msg_name != 0) header.msg_namelen = nameLength;
        header.msg_controllen = stored;
        header.msg_flags = message.ResultFlags | (flags & MessageFlags.MSG_CMSG_CLOEXEC);
        if (!memory.TryWrite(address, header)) error = Errno.EFAULT;
        return error != Errno.None ? error : result;
    }
}

/// <summary>How far sendmmsg or recvmmsg has come.</summary>
[Saved]
internal sealed partial class MessageProgress
{
    /// <summary>Messages that are complete.</summary>
    public int Done { get; private set; }

    /// <summary>When recvmmsg stops, 0: not set yet.</summary>
    public long Deadline { get; set; }

    /// <summary>The state of the thread's call.</summary>
    public static MessageProgress Of(PosixThread thread)
    {
        var state = thread.ResumeState as MessageProgress ?? new MessageProgress();
        thread.ResumeState = state;
        return state;
    }

    /// <summary>Whether this ends (or suspends) the call: an error counts only when no message is complete.</summary>
    public bool Stops(PosixThread thread, SyscallResult result, out SyscallResult final)
    {
        final = result;
        if (result.IsBlocked) return true;
        if (result.Value >= 0) return false;
        if (Done > 0) final = Done;
        return true;
    }

    /// <summary>The next message begins.</summary>
    public void Next(PosixThread thread)
    {
        Done++;
        thread.Progress = 0;
    }
}
