using System.Runtime.InteropServices;
using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Tests.Polling;
using Xunit;
using static Ramet.Kernel.Tests.Sockets.SocketCalls;

namespace Ramet.Kernel.Tests.Sockets;

public sealed class UnixSocketTests
{
    private const long Unix = (long)AddressFamily.AF_UNIX;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;
    private readonly TestThread _b;

    public UnixSocketTests() => (_a, _b) = (_sandbox.NewProcess(), _sandbox.NewProcess(uid: 1000));

    [Fact]
    public void Socketpair_carries_bytes_both_ways_and_ends_with_0()
    {
        var (x, y) = StreamPair();
        _a.Write(x, "ping");
        _a.Write(x, "!");
        Assert.Equal("ping!", _a.Read(y));
        _a.Write(y, "pong");
        Assert.Equal("pong", _a.Read(x));
        _a.Close(x);
        Assert.Equal("", _a.Read(y));
        Assert.Equal(-(long)Errno.EPIPE, _a.Write(y, "x"));
        Assert.Equal(Signal.Bit(Signal.SIGPIPE), _a.Thread.Pending.Mask);
    }

    [Fact]
    public void Nosignal_spares_the_sender()
    {
        var (x, y) = StreamPair();
        _a.Close(y);
        _a.Fails(Errno.EPIPE, SyscallNumber.sendto, x, _a.Put("x"u8), 1, (long)MessageFlags.MSG_NOSIGNAL);
        Assert.Equal(0UL, _a.Thread.Pending.Mask);
    }

    [Fact]
    public void Closing_with_unread_bytes_resets_the_other_side()
    {
        var (x, y) = StreamPair();
        _a.Write(x, "unread");
        _a.Close(y);
        _a.Fails(Errno.ECONNRESET, SyscallNumber.read, x, _a.Allocate(1), 1);
        Assert.Equal("", _a.Read(x));
    }

    [Fact]
    public void Full_stream_blocks_the_writer_until_it_is_drained()
    {
        var (x, y) = StreamPair();
        int size = 400_000;
        var sent = new byte[size];
        new Random(3).NextBytes(sent);
        _a.Share(y, _b);
        int other = _a.Share(y, _b);
        _a.Blocks(SyscallNumber.write, x, _a.Put(sent), size);
        var received = new List<byte>();
        long buffer = _b.Allocate(65536);
        long? result = null;
        while (received.Count < size)
        {
            int count = _b.Ok(SyscallNumber.read, other, buffer, 65536);
            received.AddRange(_b.Get(buffer, count));
            if (result is null && _a.IsWoken) result = _a.TryResume();
        }

        Assert.Equal(size, result);
        Assert.Equal(sent, received);
        Assert.Equal(0, _sandbox.Kernel.Buffers.Used);
    }

    [Fact]
    public void Waitall_collects_and_a_signal_returns_what_there_is()
    {
        var (x, y) = StreamPair();
        int other = _a.Share(x, _b);
        long buffer = _a.Allocate(10);
        _a.Write(x, "abc");
        _a.Blocks(SyscallNumber.recvfrom, y, buffer, 10, (long)MessageFlags.MSG_WAITALL);
        _b.Write(other, "def");
        Assert.Null(_a.TryResume());
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(6, _a.Resume());
        Assert.Equal("abcdef", _a.GetText(buffer, 6));
    }

    [Fact]
    public void Peek_leaves_the_bytes()
    {
        var (x, y) = StreamPair();
        _a.Write(x, "abc");
        long buffer = _a.Allocate(10);
        Assert.Equal(2, _a.Call(SyscallNumber.recvfrom, y, buffer, 2, (long)MessageFlags.MSG_PEEK));
        Assert.Equal("ab", _a.GetText(buffer, 2));
        Assert.Equal("abc", _a.Read(y));
    }

    [Fact]
    public void Shutdown_closes_one_direction()
    {
        var (x, y) = StreamPair();
        _a.Ok(SyscallNumber.shutdown, x, (long)ShutdownHow.SHUT_WR);
        Assert.Equal("", _a.Read(y));
        Assert.Equal(PollEvents.POLLIN | PollEvents.POLLOUT | PollEvents.POLLRDHUP, _a.PollNow(y));
        _a.Write(y, "still");
        Assert.Equal("still", _a.Read(x));
        Assert.Equal(-(long)Errno.EPIPE, _a.Write(x, "x"));
        _a.Fails(Errno.EINVAL, SyscallNumber.shutdown, x, 3);
    }

    [Fact]
    public void Receive_timeout_ends_the_wait_with_EAGAIN()
    {
        var (x, _) = StreamPair();
        _a.Ok(SyscallNumber.setsockopt, x, (long)SocketLevel.SOL_SOCKET, (long)SocketOption.SO_RCVTIMEO, _a.Put(new Timeval { tv_usec = 20_000 }), 16);
        _a.Blocks(SyscallNumber.read, x, _a.Allocate(1), 1);
        _sandbox.Advance(21);
        Assert.Equal(-(long)Errno.EAGAIN, _a.Resume());
    }

    [Fact]
    public void Messages_of_seqpacket_and_datagram_keep_their_boundaries()
    {
        foreach (var type in new[] { SocketType.SOCK_SEQPACKET, SocketType.SOCK_DGRAM })
        {
            var (x, y) = _a.Pair(SyscallNumber.socketpair, Unix, (long)type, 0);
            _a.Write(x, "first");
            _a.Write(x, "");
            _a.Write(x, "third");
            var (text, header, _) = _a.ReceiveMessage(y, room: 3);
            Assert.Equal("fir", text);
            Assert.True((header.msg_flags & MessageFlags.MSG_TRUNC) != 0);
            Assert.Equal("", _a.Read(y));
            Assert.Equal(5, _a.Call(SyscallNumber.recvfrom, y, _a.Allocate(1), 1, (long)MessageFlags.MSG_TRUNC));
            _a.Fails(Errno.EMSGSIZE, SyscallNumber.write, x, _a.Allocate(300_000), 300_000);
        }
    }

    [Fact]
    public void Abstract_name_is_connected_to_and_freed_by_close()
    {
        int server = Listen(_a, Abstract("name"));
        int client = _b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM);
        Assert.Equal(0, _b.Connect(client, Abstract("name")));
        _b.Write(client, "early");
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(server));
        int accepted = _a.Ok(SyscallNumber.accept4, server, 0, 0, (long)SocketType.SOCK_CLOEXEC);
        Assert.True(_a.Thread.Files.IsCloseOnExec(accepted));
        Assert.Equal("early", _a.Read(accepted));
        Assert.Equal(Abstract("name"), _a.Name(SyscallNumber.getsockname, accepted));
        Assert.Equal(Abstract("name"), _b.Name(SyscallNumber.getpeername, client));
        Assert.Equal(-(long)Errno.EADDRINUSE, _a.Bind(_a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), Abstract("name")));
        _a.Close(server);
        Assert.Equal(-(long)Errno.ECONNREFUSED, _b.Connect(_b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), Abstract("name")));
        Listen(_a, Abstract("name"));
    }

    [Fact]
    public void Path_makes_a_socket_file_that_outlives_the_socket()
    {
        int server = Listen(_a, UnixPath("/tmp/sock"));
        long stat = _a.Allocate(144);
        _a.Ok(SyscallNumber.stat, _a.Put("/tmp/sock\0"u8), stat);
        Assert.Equal((uint)InodeMode.S_IFSOCK, _a.Get<Stat>(stat).st_mode & (uint)InodeMode.S_IFMT);
        int client = _a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM);
        Assert.Equal(0, _a.Connect(client, UnixPath("/tmp/sock")));
        Assert.Equal(-(long)Errno.EADDRINUSE, _a.Bind(_a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), UnixPath("/tmp/sock")));
        Assert.Equal(-(long)Errno.EPROTOTYPE, _a.Connect(_a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM), UnixPath("/tmp/sock")));
        _a.Close(server);
        Assert.Equal(-(long)Errno.ECONNREFUSED, _a.Connect(_a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), UnixPath("/tmp/sock")));
        Assert.Equal(-(long)Errno.ENOENT, _a.Connect(_a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), UnixPath("/tmp/none")));
    }

    [Fact]
    public void Socket_file_without_write_permission_refuses_others()
    {
        Listen(_a, UnixPath("/tmp/private"));
        _a.Ok(SyscallNumber.chmod, _a.Put("/tmp/private\0"u8), 0x180);
        Assert.Equal(-(long)Errno.EACCES, _b.Connect(_b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), UnixPath("/tmp/private")));
    }

    [Fact]
    public void Full_backlog_makes_connect_wait_until_accept()
    {
        int server = Listen(_a, Abstract("busy"), backlog: 0);
        Assert.Equal(0, _b.Connect(_b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), Abstract("busy")));
        int impatient = _b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK);
        Assert.Equal(-(long)Errno.EAGAIN, _b.Connect(impatient, Abstract("busy")));
        Assert.Null(_b.Connect(_b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), Abstract("busy")));
        _a.Ok(SyscallNumber.accept, server, 0, 0);
        Assert.Equal(0, _b.Resume());
        _a.Ok(SyscallNumber.accept, server, 0, 0);
        _a.Blocks(SyscallNumber.accept, server, 0, 0);
    }

    [Fact]
    public void Closed_listener_ends_those_that_were_not_accepted()
    {
        int server = Listen(_a, Abstract("gone"));
        int client = _b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM);
        Assert.Equal(0, _b.Connect(client, Abstract("gone")));
        _a.Close(server);
        _b.Fails(Errno.ECONNRESET, SyscallNumber.read, client, _b.Allocate(1), 1);
    }

    [Fact]
    public void Descriptors_are_passed_with_a_message()
    {
        var (x, y) = StreamPair();
        int other = _a.Share(y, _b);
        var (reader, writer) = _a.Pipe();
        Assert.Equal(1, _a.SendMessage(x, "m", ControlMessageType.SCM_RIGHTS, Ints(writer, reader)));
        _a.Close(reader);
        _a.Close(writer);
        var (text, header, control) = _b.ReceiveMessage(other, flags: MessageFlags.MSG_CMSG_CLOEXEC);
        Assert.Equal("m", text);
        Assert.Equal(MessageFlags.MSG_CMSG_CLOEXEC, header.msg_flags);
        Assert.Equal(24, control.Length);
        var (w, r) = (BitConverter.ToInt32(control, 16), BitConverter.ToInt32(control, 20));
        Assert.True(_b.Thread.Files.IsCloseOnExec(w));
        _b.Write(w, "through");
        Assert.Equal("through", _b.Read(r));
        Assert.Equal(0, _sandbox.Kernel.Sockets.RightsInFlight);
    }

    [Fact]
    public void Descriptors_without_room_are_closed_and_MSG_CTRUNC_tells()
    {
        var (x, y) = StreamPair();
        var (reader, writer) = _a.Pipe();
        _a.SendMessage(x, "m", ControlMessageType.SCM_RIGHTS, Ints(writer, reader));
        _a.Close(writer);
        var (_, header, control) = _a.ReceiveMessage(y, controlRoom: 20);
        Assert.Equal(MessageFlags.MSG_CTRUNC, header.msg_flags);
        int received = BitConverter.ToInt32(control, 16);
        _a.Close(received);
        Assert.Equal(PollEvents.POLLHUP, _a.PollNow(reader));
        _a.SendMessage(x, "m", ControlMessageType.SCM_RIGHTS, Ints(reader));
        _a.Read(y);
        Assert.Equal(0, _sandbox.Kernel.Sockets.RightsInFlight);
    }

    [Fact]
    public void Descriptors_in_flight_are_closed_with_the_socket()
    {
        var (x, y) = StreamPair();
        var (reader, writer) = _a.Pipe();
        _a.SendMessage(x, "m", ControlMessageType.SCM_RIGHTS, Ints(writer));
        _a.Close(writer);
        Assert.Equal(PollEvents.None, _a.PollNow(reader));
        _a.Close(y);
        Assert.Equal(PollEvents.POLLHUP, _a.PollNow(reader));
        Assert.Equal(-(long)Errno.EBADF, _a.SendMessage(x, "m", ControlMessageType.SCM_RIGHTS, Ints(99)));
    }

    [Fact]
    public void Credentials_come_with_messages_when_asked_for()
    {
        var (x, y) = StreamPair();
        _a.SetOption(y, SocketOption.SO_PASSCRED, 1);
        int other = _a.Share(x, _b);
        _a.Write(x, "root");
        _b.Write(other, "user");
        var (first, _, control) = _a.ReceiveMessage(y);
        Assert.Equal("root", first);
        Assert.Equal(_a.Thread.Process.Pid, MemoryMarshal.Read<UCred>(control.AsSpan(16)).pid);
        var (second, _, control2) = _a.ReceiveMessage(y);
        Assert.Equal("user", second);
        Assert.Equal(1000u, MemoryMarshal.Read<UCred>(control2.AsSpan(16)).uid);
        var lie = MemoryMarshal.AsBytes<UCred>([new UCred { pid = 1 }]).ToArray();
        Assert.Equal(-(long)Errno.EPERM, _b.SendMessage(other, "m", ControlMessageType.SCM_CREDENTIALS, lie));
        Assert.Equal(1, _a.SendMessage(x, "m", ControlMessageType.SCM_CREDENTIALS, lie));
    }

    [Fact]
    public void Peercred_is_that_of_the_connector_and_the_listener()
    {
        int server = Listen(_a, Abstract("who"));
        int client = _b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM);
        _b.Connect(client, Abstract("who"));
        int accepted = _a.Ok(SyscallNumber.accept, server, 0, 0);
        Assert.Equal((_b.Thread.Process.Pid, 1000u), PeerCredentials(_a, accepted));
        Assert.Equal((_a.Thread.Process.Pid, 0u), PeerCredentials(_b, client));
    }

    [Fact]
    public void Datagrams_tell_their_sender_and_wait_for_room()
    {
        int server = _a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM);
        _a.Bind(server, Abstract("dgram"));
        int client = _b.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM);
        _b.Bind(client, Abstract("client"));
        Assert.Equal(5, _b.SendTo(client, "hello", Abstract("dgram")));
        var (text, from) = _a.ReceiveFrom(server);
        Assert.Equal(("hello", "client"), (text, Encoding.ASCII.GetString(from, 3, from.Length - 3)));

        _b.Connect(client, Abstract("dgram"));
        long data = _b.Put("x"u8);
        int sent = 0;
        while (_b.Try(SyscallNumber.sendto, client, data, 1, 0) is not null) sent++;
        Assert.Equal(512, sent);
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(server, PollEvents.POLLIN));
        Assert.Equal(PollEvents.None, _b.Thread.Files.Get(client)!.Poll());
        _a.ReceiveFrom(server);
        Assert.Equal(1, _b.Resume());
        _a.Close(server);
        _b.Fails(Errno.ECONNREFUSED, SyscallNumber.sendto, client, data, 1, 0);
    }

    [Fact]
    public void Autobind_gives_a_name_and_options_tell_the_truth()
    {
        int fd = _a.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM);
        Assert.Equal(0, _a.Bind(fd, [1, 0]));
        Assert.Equal(8, _a.Name(SyscallNumber.getsockname, fd).Length);
        Assert.Equal((int)SocketType.SOCK_DGRAM, _a.GetOption(fd, SocketOption.SO_TYPE));
        Assert.Equal((int)AddressFamily.AF_UNIX, _a.GetOption(fd, SocketOption.SO_DOMAIN));
        _a.SetOption(fd, SocketOption.SO_SNDBUF, 10_000);
        Assert.Equal(20_000, _a.GetOption(fd, SocketOption.SO_SNDBUF));
        _a.Fails(Errno.ENOPROTOOPT, SyscallNumber.getsockopt, fd, (long)SocketLevel.SOL_SOCKET, 9999, _a.Allocate(4), _a.Put(4));
        _a.Fails(Errno.ENOTSOCK, SyscallNumber.getsockname, _a.Pipe().Reader, _a.Allocate(16), _a.Put(16));
        _a.Fails(Errno.EAFNOSUPPORT, SyscallNumber.socket, 99, 1, 0);
        _a.Fails(Errno.ESOCKTNOSUPPORT, SyscallNumber.socket, Unix, 7, 0);
        _a.Fails(Errno.EOPNOTSUPP, SyscallNumber.socketpair, (long)AddressFamily.AF_INET, 1, 0, _a.Allocate(8));
    }

    [Fact]
    public void Many_messages_go_and_come_in_one_call()
    {
        var (x, y) = _a.Pair(SyscallNumber.socketpair, Unix, (long)SocketType.SOCK_DGRAM, 0);
        long texts = _a.Put("abcdef"u8);
        var headers = new MMsgHdr[3];
        for (int i = 0; i < 3; i++)
            headers[i].msg_hdr = new MsgHdr { msg_iov = (ulong)_a.Put([(ulong)(texts + (i * 2)), 2UL]), msg_iovlen = 1 };
        Assert.Equal(3, _a.Call(SyscallNumber.sendmmsg, x, _a.Put(headers), 3, 0));
        long buffer = _a.Allocate(64);
        for (int i = 0; i < 3; i++)
            headers[i].msg_hdr = new MsgHdr { msg_iov = (ulong)_a.Put([(ulong)(buffer + (i * 16)), 16UL]), msg_iovlen = 1 };
        long vector = _a.Put([.. headers, default]);
        Assert.Equal(3, _a.Call(SyscallNumber.recvmmsg, y, vector, 4, (long)MessageFlags.MSG_WAITFORONE, 0));
        Assert.Equal("cd", _a.GetText(buffer + 16, 2));
        Assert.Equal(2u, _a.Get<MMsgHdr>(vector + 64).msg_len);
        _a.Blocks(SyscallNumber.recvmmsg, y, vector, 3, 0, 0);
        _b.Write(_a.Share(x, _b), "1");
        Assert.Null(_a.TryResume());
        _a.Thread.SendSignal(Signal.SIGUSR1);
        Assert.Equal(1, _a.Resume());
    }

    [Fact]
    public void Over_the_budget_streams_wait_and_messages_get_ENOBUFS()
    {
        _sandbox.Kernel.Buffers.Limit = 100_000;
        var (x, _) = StreamPair();
        _a.Ok(SyscallNumber.fcntl, x, 4, (long)OpenFlags.O_NONBLOCK);
        Assert.InRange(_a.Call(SyscallNumber.write, x, _a.Allocate(200_000), 200_000), 1, 100_000);
        var (p, _) = _a.Pair(SyscallNumber.socketpair, Unix, (long)SocketType.SOCK_SEQPACKET, 0);
        _a.Fails(Errno.ENOBUFS, SyscallNumber.write, p, _a.Allocate(90_000), 90_000);
        var (q, z) = StreamPair();
        Assert.Equal(1, _a.Write(q, "x"));
        Assert.Equal("x", _a.Read(z));
    }

    [Fact]
    public void Sockets_are_saved_with_what_is_in_flight()
    {
        var (x, y) = StreamPair();
        var (reader, writer) = _a.Pipe();
        _a.SendMessage(x, "kept", ControlMessageType.SCM_RIGHTS, Ints(writer));
        int server = Listen(_a, Abstract("saved"));
        var copy = _sandbox.Reload();
        var (a2, b2) = (_a.In(copy), _b.In(copy));
        var (text, _, control) = a2.ReceiveMessage(y);
        Assert.Equal("kept", text);
        a2.Write(BitConverter.ToInt32(control, 16), "too");
        Assert.Equal("too", a2.Read(reader));
        Assert.Equal(0, b2.Connect(b2.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM), Abstract("saved")));
        a2.Ok(SyscallNumber.accept, server, 0, 0);
    }

    private static (int Pid, uint Uid) PeerCredentials(TestThread thread, int fd)
    {
        long value = thread.Allocate(12);
        thread.Ok(SyscallNumber.getsockopt, fd, (long)SocketLevel.SOL_SOCKET, (long)SocketOption.SO_PEERCRED, value, thread.Put(12));
        var credentials = thread.Get<UCred>(value);
        return (credentials.pid, credentials.uid);
    }

    private static int Listen(TestThread thread, byte[] address, int backlog = 5)
    {
        int fd = thread.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM);
        Assert.Equal(0, thread.Bind(fd, address));
        thread.Ok(SyscallNumber.listen, fd, backlog);
        return fd;
    }

    private (int A, int B) StreamPair() => _a.Pair(SyscallNumber.socketpair, Unix, (long)SocketType.SOCK_STREAM, 0);
}
