using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Tests.Polling;
using Xunit;
using static Ramet.Kernel.Tests.Sockets.SocketCalls;

namespace Ramet.Kernel.Tests.Sockets;

public sealed class InetSocketTests
{
    private const AddressFamily Inet = AddressFamily.AF_INET;
    private const AddressFamily Inet6 = AddressFamily.AF_INET6;
    private const SocketType Stream = SocketType.SOCK_STREAM;
    private const SocketType Dgram = SocketType.SOCK_DGRAM;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;
    private readonly TestThread _b;

    public InetSocketTests() => (_a, _b) = (_sandbox.NewProcess(), _sandbox.NewProcess(uid: 1000));

    [Fact]
    public void Tcp_connection_carries_bytes_and_knows_its_ends()
    {
        int server = Listen(V4("127.0.0.1", 8080));
        var (client, accepted) = Connection(server, V4("127.0.0.1", 8080));
        _b.Write(client, "GET /");
        Assert.Equal("GET /", _a.Read(accepted));
        _a.Write(accepted, "200");
        Assert.Equal("200", _b.Read(client));
        Assert.Equal(V4("127.0.0.1", 8080), _b.Name(SyscallNumber.getpeername, client));
        Assert.Equal(_b.Name(SyscallNumber.getsockname, client), _a.Name(SyscallNumber.getpeername, accepted));
        Assert.Equal(V4("127.0.0.1", 8080), _a.Name(SyscallNumber.getsockname, accepted));
        Assert.InRange(Port(_b.Name(SyscallNumber.getsockname, client)), 32768, 60999);
    }

    [Fact]
    public void Port_0_gets_a_port_of_its_own()
    {
        int x = Listen(V4("0.0.0.0", 0));
        int y = Listen(V4("0.0.0.0", 0));
        var (first, second) = (Port(_a.Name(SyscallNumber.getsockname, x)), Port(_a.Name(SyscallNumber.getsockname, y)));
        Assert.NotEqual(first, second);
        Connection(x, V4("127.0.0.1", first));
    }

    [Fact]
    public void Half_close_ends_one_direction()
    {
        var (client, accepted) = Connection(Listen(V4("127.0.0.1", 80)), V4("127.0.0.1", 80));
        _b.Write(client, "request");
        _b.Ok(SyscallNumber.shutdown, client, (long)ShutdownHow.SHUT_WR);
        Assert.Equal("request", _a.Read(accepted));
        Assert.Equal("", _a.Read(accepted));
        _a.Write(accepted, "answer");
        _a.Close(accepted);
        Assert.Equal("answer", _b.Read(client));
        Assert.Equal("", _b.Read(client));
        Assert.Equal(PollEvents.POLLIN | PollEvents.POLLOUT | PollEvents.POLLRDHUP | PollEvents.POLLHUP, _b.PollNow(client));
    }

    [Fact]
    public void Writes_to_a_closed_peer_fail_from_the_second_on()
    {
        var (client, accepted) = Connection(Listen(V4("127.0.0.1", 80)), V4("127.0.0.1", 80));
        _a.Close(accepted);
        Assert.Equal(1, _b.Write(client, "x"));
        Assert.Equal(-(long)Errno.EPIPE, _b.Write(client, "x"));
        Assert.Equal(Signal.Bit(Signal.SIGPIPE), _b.Thread.Pending.Mask);
    }

    [Fact]
    public void Close_with_unread_bytes_resets()
    {
        var (client, accepted) = Connection(Listen(V4("127.0.0.1", 80)), V4("127.0.0.1", 80));
        _b.Write(client, "never read");
        _a.Close(accepted);
        Assert.Equal(PollEvents.POLLERR, _b.PollNow(client) & PollEvents.POLLERR);
        _b.Fails(Errno.ECONNRESET, SyscallNumber.read, client, _b.Allocate(1), 1);
        Assert.Equal("", _b.Read(client));
    }

    [Fact]
    public void Nobody_there_is_ECONNREFUSED()
    {
        Assert.Equal(-(long)Errno.ECONNREFUSED, _b.Connect(_b.Socket(Inet, Stream), V4("127.0.0.1", 9)));
        int fd = _b.Socket(Inet, Stream | SocketType.SOCK_NONBLOCK);
        Assert.Equal(-(long)Errno.EINPROGRESS, _b.Connect(fd, V4("127.0.0.1", 9)));
        Assert.Equal(PollEvents.POLLERR | PollEvents.POLLHUP | PollEvents.POLLOUT, _b.PollNow(fd, PollEvents.POLLOUT));
        Assert.Equal((int)Errno.ECONNREFUSED, _b.GetOption(fd, SocketOption.SO_ERROR));
        Assert.Equal(0, _b.GetOption(fd, SocketOption.SO_ERROR));
    }

    [Fact]
    public void Connect_that_does_not_wait_reports_by_poll()
    {
        Listen(V4("127.0.0.1", 80));
        int fd = _b.Socket(Inet, Stream | SocketType.SOCK_NONBLOCK);
        Assert.Equal(-(long)Errno.EINPROGRESS, _b.Connect(fd, V4("127.0.0.1", 80)));
        Assert.Equal(PollEvents.POLLOUT, _b.PollNow(fd));
        Assert.Equal(0, _b.GetOption(fd, SocketOption.SO_ERROR));
        Assert.Equal(0, _b.Connect(fd, V4("127.0.0.1", 80)));
        Assert.Equal(-(long)Errno.EISCONN, _b.Connect(fd, V4("127.0.0.1", 80)));
    }

    [Fact]
    public void Full_backlog_keeps_connects_waiting()
    {
        int server = Listen(V4("127.0.0.1", 80), backlog: 0);
        Assert.Equal(0, _b.Connect(_b.Socket(Inet, Stream), V4("127.0.0.1", 80)));
        int patient = _b.Socket(Inet, Stream);
        int polite = _b.Socket(Inet, Stream | SocketType.SOCK_NONBLOCK);
        Assert.Null(_b.Connect(patient, V4("127.0.0.1", 80)));
        var c = _sandbox.NewProcess();
        int other = _b.Share(polite, c);
        Assert.Equal(-(long)Errno.EINPROGRESS, c.Connect(other, V4("127.0.0.1", 80)));
        Assert.Equal(-(long)Errno.EALREADY, c.Connect(other, V4("127.0.0.1", 80)));
        Assert.Equal(PollEvents.None, c.PollNow(other));
        _a.Ok(SyscallNumber.accept, server, 0, 0);
        Assert.Equal(0, _b.Resume());
        _a.Close(server);
        Assert.Equal((int)Errno.ECONNREFUSED, _b.GetOption(polite, SocketOption.SO_ERROR));
        _b.Fails(Errno.ECONNRESET, SyscallNumber.read, patient, _b.Allocate(1), 1);
    }

    [Fact]
    public void Addresses_outside_are_unreachable()
    {
        Assert.Equal(-(long)Errno.ENETUNREACH, _b.Connect(_b.Socket(Inet, Stream), V4("93.184.215.14", 80)));
        Assert.Equal(-(long)Errno.ENETUNREACH, _b.Connect(_b.Socket(Inet6, Stream), V6("2606:2800::1", 80)));
        int udp = _b.Socket(Inet, Dgram);
        Assert.Equal(-(long)Errno.ENETUNREACH, _b.SendTo(udp, "x", V4("8.8.8.8", 53)));
        Assert.Equal(-(long)Errno.EACCES, _b.SendTo(udp, "x", V4("255.255.255.255", 53)));
        Assert.Equal(-(long)Errno.EADDRNOTAVAIL, _b.Bind(udp, V4("10.1.2.3", 5000)));
    }

    [Fact]
    public void Dual_stack_listener_takes_both_families()
    {
        int server = _a.Socket(Inet6, Stream);
        _a.Bind(server, V6("::", 8000));
        _a.Ok(SyscallNumber.listen, server, 5);
        var (_, accepted) = Connection(server, V4("127.0.0.1", 8000), Inet);
        Assert.Equal(V6("::ffff:127.0.0.1", 8000), _a.Name(SyscallNumber.getsockname, accepted));
        Connection(server, V6("::1", 8000), Inet6);
        Assert.Equal(-(long)Errno.EADDRINUSE, _a.Bind(_a.Socket(Inet, Stream), V4("0.0.0.0", 8000)));
    }

    [Fact]
    public void V6only_listener_leaves_the_port_to_ipv4()
    {
        int server = _a.Socket(Inet6, Stream);
        _a.Ok(SyscallNumber.setsockopt, server, (long)SocketLevel.SOL_IPV6, 26, _a.Put(1), 4);
        _a.Bind(server, V6("::", 8000));
        _a.Ok(SyscallNumber.listen, server, 5);
        Assert.Equal(-(long)Errno.ECONNREFUSED, _b.Connect(_b.Socket(Inet, Stream), V4("127.0.0.1", 8000)));
        Listen(V4("0.0.0.0", 8000));
        Assert.Equal(0, _b.Connect(_b.Socket(Inet, Stream), V4("127.0.0.1", 8000)));
    }

    [Fact]
    public void Ports_are_taken_until_they_are_shared_or_freed()
    {
        int server = Listen(V4("127.0.0.1", 7000));
        Assert.Equal(-(long)Errno.EADDRINUSE, _a.Bind(_a.Socket(Inet, Stream), V4("0.0.0.0", 7000)));
        Assert.Equal(0, _a.Bind(_a.Socket(Inet, Stream), V4("127.0.0.2", 7000)));
        _a.Close(server);
        Listen(V4("127.0.0.1", 7000));

        var sharing = new[] { _a.Socket(Inet, Stream), _a.Socket(Inet, Stream) };
        foreach (int fd in sharing)
        {
            _a.SetOption(fd, SocketOption.SO_REUSEPORT, 1);
            Assert.Equal(0, _a.Bind(fd, V4("127.0.0.1", 7001)));
            _a.Ok(SyscallNumber.listen, fd, 1);
        }

        Assert.Equal(-(long)Errno.EACCES, _b.Bind(_b.Socket(Inet, Stream), V4("127.0.0.1", 80)));
        Assert.Equal(-(long)Errno.EAFNOSUPPORT, _a.Bind(_a.Socket(Inet, Stream), V6("::1", 80)[..16]));
        Assert.Equal(-(long)Errno.EINVAL, _a.Bind(_a.Socket(Inet, Stream), V4("127.0.0.1", 80)[..8]));
    }

    [Fact]
    public void Restarted_server_needs_reuseaddr_while_old_connections_live()
    {
        int server = Listen(V4("127.0.0.1", 7000));
        Connection(server, V4("127.0.0.1", 7000));
        _a.Close(server);
        int next = _a.Socket(Inet, Stream);
        Assert.Equal(-(long)Errno.EADDRINUSE, _a.Bind(next, V4("127.0.0.1", 7000)));

        int reusing = _a.Socket(Inet, Stream);
        _a.SetOption(reusing, SocketOption.SO_REUSEADDR, 1);
        Assert.Equal(0, _a.Bind(reusing, V4("127.0.0.1", 7002)));
        _a.Ok(SyscallNumber.listen, reusing, 1);
        Connection(reusing, V4("127.0.0.1", 7002));
        _a.Close(reusing);
        int again = _a.Socket(Inet, Stream);
        _a.SetOption(again, SocketOption.SO_REUSEADDR, 1);
        Assert.Equal(0, _a.Bind(again, V4("127.0.0.1", 7002)));
        _a.Ok(SyscallNumber.listen, again, 1);
    }

    [Fact]
    public void Large_transfers_arrive_whole()
    {
        var (client, accepted) = Connection(Listen(V4("127.0.0.1", 80)), V4("127.0.0.1", 80));
        var sent = new byte[1_000_000];
        new Random(4).NextBytes(sent);
        Assert.Null(_b.Try(SyscallNumber.write, client, _b.Put(sent), sent.Length));
        var received = new List<byte>();
        long buffer = _a.Allocate(100_000);
        long? result = null;
        while (received.Count < sent.Length)
        {
            received.AddRange(_a.Get(buffer, _a.Ok(SyscallNumber.recvfrom, accepted, buffer, 100_000, (long)MessageFlags.MSG_DONTWAIT)));
            if (result is null && _b.IsWoken) result = _b.TryResume();
        }

        Assert.Equal(sent.Length, result);
        Assert.Equal(sent, received);
    }

    [Fact]
    public void Options_are_remembered_and_unknown_ones_refused()
    {
        int fd = _a.Socket(Inet, Stream);
        Assert.Equal(0, _a.GetOption(fd, SocketLevel.SOL_TCP, 1));
        _a.Ok(SyscallNumber.setsockopt, fd, (long)SocketLevel.SOL_TCP, 1, _a.Put(1), 4);
        Assert.Equal(1, _a.GetOption(fd, SocketLevel.SOL_TCP, 1));
        _a.SetOption(fd, SocketOption.SO_KEEPALIVE, 1);
        Assert.Equal(1, _a.GetOption(fd, SocketOption.SO_KEEPALIVE));
        Assert.Equal(6, _a.GetOption(fd, SocketOption.SO_PROTOCOL));
        Assert.Equal(0, _a.GetOption(fd, SocketOption.SO_ACCEPTCONN));
        _a.Fails(Errno.ENOPROTOOPT, SyscallNumber.setsockopt, fd, (long)SocketLevel.SOL_TCP, 999, _a.Put(1), 4);
        _a.Fails(Errno.EPERM, SyscallNumber.socket, (long)Inet, (long)SocketType.SOCK_RAW, 1);
        _a.Fails(Errno.EPROTONOSUPPORT, SyscallNumber.socket, (long)Inet, (long)Stream, 17);
    }

    [Fact]
    public void Unconnected_tcp_sockets_refuse_to_carry()
    {
        int fd = _a.Socket(Inet, Stream);
        Assert.Equal(PollEvents.POLLOUT | PollEvents.POLLHUP, _a.PollNow(fd));
        _a.Fails(Errno.ENOTCONN, SyscallNumber.read, fd, _a.Allocate(1), 1);
        Assert.Equal(-(long)Errno.EPIPE, _a.Write(fd, "x"));
        _a.Fails(Errno.ENOTCONN, SyscallNumber.shutdown, fd, 2);
        _a.Fails(Errno.ENOTCONN, SyscallNumber.getpeername, fd, _a.Allocate(16), _a.Put(16));
        _a.Fails(Errno.EINVAL, SyscallNumber.accept, fd, 0, 0);
    }

    [Fact]
    public void Udp_datagrams_find_their_socket_and_can_be_answered()
    {
        int server = _a.Socket(Inet, Dgram);
        Assert.Equal(0, _a.Bind(server, V4("0.0.0.0", 5353)));
        int client = _b.Socket(Inet, Dgram);
        Assert.Equal(5, _b.SendTo(client, "query", V4("127.0.0.1", 5353)));
        var (text, from) = _a.ReceiveFrom(server);
        Assert.Equal("query", text);
        Assert.Equal(6, _a.SendTo(server, "answer", from));
        var (answer, source) = _b.ReceiveFrom(client);
        Assert.Equal("answer", answer);
        Assert.Equal(V4("127.0.0.1", 5353), source);
    }

    [Fact]
    public void Connected_udp_sockets_hear_their_peer_only_and_learn_of_refusal()
    {
        int server = _a.Socket(Inet, Dgram);
        _a.Bind(server, V4("127.0.0.1", 6000));
        int client = _b.Socket(Inet, Dgram);
        Assert.Equal(0, _b.Connect(client, V4("127.0.0.1", 6000)));
        byte[] address = _b.Name(SyscallNumber.getsockname, client);
        _a.SendTo(_a.Socket(Inet, Dgram), "stranger", address);
        Assert.Equal(PollEvents.None, _b.PollNow(client, PollEvents.POLLIN));
        _a.SendTo(server, "peer", address);
        Assert.Equal("peer", _b.Read(client));
        _a.Close(server);
        Assert.Equal(1, _b.Write(client, "x"));
        _b.Fails(Errno.ECONNREFUSED, SyscallNumber.read, client, _b.Allocate(1), 1);
        _b.Fails(Errno.EDESTADDRREQ, SyscallNumber.write, _b.Socket(Inet, Dgram), _b.Put("x"u8), 1);
    }

    [Fact]
    public void Udp_over_the_receive_buffer_is_lost_and_over_64_KiB_refused()
    {
        int server = _a.Socket(Inet, Dgram);
        _a.Bind(server, V4("127.0.0.1", 6000));
        int client = _b.Socket(Inet, Dgram);
        byte[] target = V4("127.0.0.1", 6000);
        long address = _b.Put(target);
        long data = _b.Allocate(70_000);
        for (int i = 0; i < 10; i++) Assert.Equal(60_000, _b.Call(SyscallNumber.sendto, client, data, 60_000, 0, address, target.Length));
        Assert.InRange(_sandbox.Kernel.Buffers.Used, 1, 220_000);
        _b.Fails(Errno.EMSGSIZE, SyscallNumber.sendto, client, data, 65_508, 0, address, target.Length);
    }

    [Fact]
    public void Connections_survive_a_fork_of_the_sandbox()
    {
        var (client, accepted) = Connection(Listen(V4("127.0.0.1", 80)), V4("127.0.0.1", 80));
        _b.Write(client, "before");
        var copy = _sandbox.Reload();
        var (a2, b2) = (_a.In(copy), _b.In(copy));
        b2.Write(client, " after");
        Assert.Equal("before after", a2.Read(accepted));
        Assert.Equal("before", _a.Read(accepted));
        Assert.Equal(0, b2.Connect(b2.Socket(Inet, Stream), V4("127.0.0.1", 80)));
    }

    private int Listen(byte[] address, int backlog = 5)
    {
        int fd = _a.Socket(Inet, Stream);
        Assert.Equal(0, _a.Bind(fd, address));
        _a.Ok(SyscallNumber.listen, fd, backlog);
        return fd;
    }

    private (int Client, int Accepted) Connection(int server, byte[] address, AddressFamily family = Inet)
    {
        int client = _b.Socket(family, Stream);
        Assert.Equal(0, _b.Connect(client, address));
        return (client, _a.Ok(SyscallNumber.accept, server, 0, 0));
    }
}
