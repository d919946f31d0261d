using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Polling;
using Xunit;
using static Ramet.Kernel.Tests.Sockets.SocketCalls;

namespace Ramet.Kernel.Tests.Sockets;

/// <summary>What sockets hold of the host's memory is bounded, and given back.</summary>
public sealed class SocketLimitTests
{
    private const AddressFamily Inet = AddressFamily.AF_INET;
    private const AddressFamily Unix = AddressFamily.AF_UNIX;
    private const SocketType Stream = SocketType.SOCK_STREAM;
    private static readonly byte[] Address = V4("127.0.0.1", 80);
    private readonly TestSandbox _sandbox = new(maxOpenFiles: 64);
    private readonly TestThread _a;

    public SocketLimitTests() => _a = _sandbox.NewProcess();

    [Fact]
    public void A_connect_that_is_closed_while_it_waits_leaves_nothing_behind()
    {
        Listen(Inet, Address, backlog: 0);
        int queued = _a.Socket(Inet, Stream);
        Assert.Equal(0, _a.Connect(queued, Address));
        int size = 0;
        for (int i = 0; i < 1000; i++)
        {
            int client = _a.Socket(Inet, Stream | SocketType.SOCK_NONBLOCK);
            Assert.Equal(-(long)Errno.EINPROGRESS, _a.Connect(client, Address));
            _a.Close(client);
            if (i == 100) size = StateSerializer.Save(_sandbox.Kernel).Length;
        }

        // Counters grow by some bytes; 900 sockets would be a hundred thousand.
        Assert.InRange(StateSerializer.Save(_sandbox.Kernel).Length, size - 1000, size + 1000);
    }

    [Fact]
    public void Those_who_wait_to_connect_are_admitted_in_turn_and_after_a_snapshot_too()
    {
        int listener = Listen(Inet, Address, backlog: 0);
        int[] clients = new int[4];
        for (int i = 0; i < clients.Length; i++)
        {
            clients[i] = _a.Socket(Inet, Stream | SocketType.SOCK_NONBLOCK);
            Assert.Equal(-(long)Errno.EINPROGRESS, _a.Connect(clients[i], Address));
        }

        // The first is in the queue, three wait; the middle one goes.
        _a.Close(clients[2]);
        var a = _a.In(_sandbox.Reload());
        a.Ok(SyscallNumber.accept, listener, 0, 0);
        Assert.Equal(0, a.Connect(clients[1], Address));
        Assert.Equal(-(long)Errno.EALREADY, a.Connect(clients[3], Address));
        a.Ok(SyscallNumber.accept, listener, 0, 0);
        Assert.Equal(0, a.Connect(clients[3], Address));
        a.Ok(SyscallNumber.accept, listener, 0, 0);
        a.Ok(SyscallNumber.fcntl, listener, (long)FcntlCommand.F_SETFL, (long)OpenFlags.O_NONBLOCK);
        a.Fails(Errno.EAGAIN, SyscallNumber.accept, listener, 0, 0);
    }

    [Theory]
    [InlineData(Inet, Errno.ECONNREFUSED)]
    [InlineData(Unix, Errno.ENFILE)]
    public void Connections_that_nobody_accepts_count_as_open_files(AddressFamily family, Errno refusal)
    {
        byte[] address = family == Unix ? Abstract("x") : Address;
        int listener = Listen(family, address, backlog: 1000);
        int before = _sandbox.Kernel.Mounts.OpenFiles;
        int made = 0;
        Errno error;
        while (true)
        {
            int client = _a.Socket(family, Stream);
            error = (Errno)(-_a.Connect(client, address)!.Value);
            _a.Close(client);
            if (error != Errno.None) break;
            Assert.Equal(before + ++made, _sandbox.Kernel.Mounts.OpenFiles);
        }

        Assert.Equal(refusal, error);
        Assert.Equal(64 - before - 1, made);
        _a.Close(_a.Ok(SyscallNumber.accept, listener, 0, 0));
        Assert.Equal(before + made - 1, _sandbox.Kernel.Mounts.OpenFiles);
        _a.Close(listener);
        Assert.Equal(before - 1, _sandbox.Kernel.Mounts.OpenFiles);
    }

    [Theory]
    [InlineData(Inet)]
    [InlineData(Unix)]
    public void Accept_without_a_free_descriptor_is_EMFILE_and_the_connection_waits(AddressFamily family)
    {
        byte[] address = family == Unix ? Abstract("x") : Address;
        int listener = Listen(family, address, backlog: 5);
        int client = _a.Socket(family, Stream);
        Assert.Equal(0, _a.Connect(client, address));
        _a.Thread.Process.ResourceLimits.Set(ResourceLimit.RLIMIT_NOFILE, (ulong)client + 1, 1024);
        _a.Fails(Errno.EMFILE, SyscallNumber.accept, listener, 0, 0);
        Assert.Equal(PollEvents.POLLIN, _a.PollNow(listener));
        _a.Thread.Process.ResourceLimits.Set(ResourceLimit.RLIMIT_NOFILE, (ulong)client + 2, 1024);
        int accepted = _a.Ok(SyscallNumber.accept, listener, 0, 0);
        _a.Write(client, "still here");
        Assert.Equal("still here", _a.Read(accepted));
    }

    [Fact]
    public void Netlink_answers_count_against_the_budget()
    {
        const ushort RTM_GETLINK = 18, NLM_F_REQUEST_AND_DUMP = 0x301;
        int fd = _a.Ok(SyscallNumber.socket, (long)AddressFamily.AF_NETLINK, (long)SocketType.SOCK_RAW, 0);
        byte[] request = new byte[32];
        BitConverter.TryWriteBytes(request, request.Length);
        BitConverter.TryWriteBytes(request.AsSpan(4), RTM_GETLINK);
        BitConverter.TryWriteBytes(request.AsSpan(6), NLM_F_REQUEST_AND_DUMP);
        long message = _a.Put(request);
        var buffers = _sandbox.Kernel.Buffers;
        long before = buffers.Used;
        _a.Ok(SyscallNumber.sendto, fd, message, request.Length, 0, 0, 0);
        Assert.True(buffers.Used > before);
        long room = _a.Allocate(8192);
        while (_a.Call(SyscallNumber.recvfrom, fd, room, 8192, (long)MessageFlags.MSG_DONTWAIT) > 0) Assert.True(buffers.Used >= before);
        Assert.Equal(before, buffers.Used);

        // Over the budget: lost, and the reader is told.
        long limit = buffers.Limit;
        buffers.Limit = before;
        _a.Ok(SyscallNumber.sendto, fd, message, request.Length, 0, 0, 0);
        buffers.Limit = limit;
        _a.Fails(Errno.ENOBUFS, SyscallNumber.recvfrom, fd, room, 8192, (long)MessageFlags.MSG_DONTWAIT);
        _a.Ok(SyscallNumber.sendto, fd, message, request.Length, 0, 0, 0);
        Assert.True(buffers.Used > before);
        _a.Close(fd);
        Assert.Equal(before, buffers.Used);
    }

    [Fact]
    public void A_peek_into_a_bad_buffer_keeps_no_reference_to_what_is_in_flight()
    {
        var (x, y) = _a.Pair(SyscallNumber.socketpair, (long)Unix, (long)Stream, 0);
        var (reader, writer) = _a.Pipe();
        Assert.Equal(1, _a.SendMessage(x, "m", ControlMessageType.SCM_RIGHTS, Ints(writer)));
        var description = _a.Thread.Files.Get(writer)!;
        int references = description.References;
        long vector = _a.Put([8UL, 1UL]);
        long header = _a.Put(new MsgHdr { msg_iov = (ulong)vector, msg_iovlen = 1 });
        for (int i = 0; i < 3; i++) _a.Fails(Errno.EFAULT, SyscallNumber.recvmsg, y, header, (long)(MessageFlags.MSG_PEEK | MessageFlags.MSG_DONTWAIT));
        Assert.Equal(references, description.References);
        _a.Close(writer);
        _a.Close(y);
        Assert.Equal("", _a.Read(reader));
    }

    [Fact]
    public void Datagram_sockets_leave_their_peer_in_any_order()
    {
        int server = _a.Socket(Unix, SocketType.SOCK_DGRAM);
        Assert.Equal(0, _a.Bind(server, Abstract("d")));
        int[] clients = [.. Enumerable.Range(0, 5).Select(_ => _a.Socket(Unix, SocketType.SOCK_DGRAM))];
        foreach (int client in clients) Assert.Equal(0, _a.Connect(client, Abstract("d")));
        foreach (int i in new[] { 2, 0, 4 }) _a.Close(clients[i]);
        Assert.Equal(0, _a.Connect(clients[1], Abstract("d")));
        var a = _a.In(_sandbox.Reload());
        a.Close(server);
        Assert.Equal(-(long)Errno.ECONNREFUSED, a.Write(clients[1], "x"));
        a.Close(clients[3]);
        a.Close(clients[1]);
    }

    [Fact]
    public void Bindings_of_one_port_leave_it_in_any_order()
    {
        int listener = Listen(Inet, Address, backlog: 10);
        int[] accepted = new int[5];
        for (int i = 0; i < accepted.Length; i++)
        {
            Assert.Equal(0, _a.Connect(_a.Socket(Inet, Stream), Address));
            accepted[i] = _a.Ok(SyscallNumber.accept, listener, 0, 0);
        }

        foreach (int i in new[] { 4, 1 }) _a.Close(accepted[i]);
        _a.Close(listener);
        foreach (int i in new[] { 0, 2 }) _a.Close(accepted[i]);
        int other = _a.Socket(Inet, Stream);
        Assert.Equal(-(long)Errno.EADDRINUSE, _a.Bind(other, Address));
        _a.Close(accepted[3]);
        Assert.Equal(0, _a.Bind(other, Address));
    }

    private int Listen(AddressFamily family, byte[] address, int backlog)
    {
        int fd = _a.Socket(family, Stream);
        Assert.Equal(0, _a.Bind(fd, address));
        _a.Ok(SyscallNumber.listen, fd, backlog);
        return fd;
    }
}
