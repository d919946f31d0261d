using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Xunit;

namespace Ramet.Kernel.Tests.Polling;

public sealed class HostStreamTests
{
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;
    private readonly RecordingSink _sink = new();

    public HostStreamTests()
    {
        _a = _sandbox.NewProcess();
        Kernel.HostStreams.Sink = _sink;
        foreach (var stream in new[] { HostStream.CreateInput(Kernel), HostStream.CreateOutput(Kernel, 1), HostStream.CreateOutput(Kernel, 2) })
            Assert.Equal(Errno.None, _a.Thread.Files.Install(stream, false, out _));
    }

    private Kernel Kernel => _sandbox.Kernel;

    [Fact]
    public void Output_reaches_the_sink_with_its_stream()
    {
        Assert.Equal(3, _a.Write(1, "out"));
        Assert.Equal(3, _a.Write(2, "err"));
        Assert.Equal("1:out 2:err ", _sink.Text);
        Assert.Equal(100_000, _a.Call(SyscallNumber.write, 1, _a.Allocate(100_000), 100_000));
        Assert.Equal(100_006, _sink.Bytes);
    }

    [Fact]
    public void Full_sink_makes_the_program_wait()
    {
        _sink.Answer = OutputSinkResult.Full;
        _a.Blocks(SyscallNumber.write, 1, _a.Put("late"u8), 4);
        Assert.Equal(PollEvents.None, _a.Thread.Files.Get(1)!.Poll());
        Kernel.OnHostStreamDrained(2);
        Assert.False(_a.IsWoken);
        _sink.Answer = OutputSinkResult.Accepted;
        Kernel.OnHostStreamDrained(1);
        Assert.Equal(4, _a.Resume());
        Assert.Equal("1:late ", _sink.Text);
    }

    [Fact]
    public void Closed_sink_is_a_broken_pipe()
    {
        _sink.Answer = OutputSinkResult.Closed;
        Assert.Equal(-(long)Errno.EPIPE, _a.Write(1, "x"));
        Assert.Equal(Signal.Bit(Signal.SIGPIPE), _a.Thread.Pending.Mask);
    }

    [Fact]
    public void Input_is_read_as_it_comes_until_its_end()
    {
        long buffer = _a.Allocate(10);
        _a.Blocks(SyscallNumber.read, 0, buffer, 10);
        Kernel.HostStreams.Input.Append("hello, "u8);
        Kernel.HostStreams.Input.Append("world"u8);
        Assert.Equal(10, _a.Resume());
        Assert.Equal("hello, wor", _a.GetText(buffer, 10));
        Assert.Equal("ld", _a.Read(0));
        _a.Blocks(SyscallNumber.read, 0, buffer, 10);
        Kernel.HostStreams.Input.Close();
        Assert.Equal(0, _a.Resume());
        Assert.Equal(PollEvents.POLLHUP, _a.PollNow(0));
    }

    [Fact]
    public void Streams_look_like_pipes()
    {
        long stat = _a.Allocate(144);
        _a.Ok(SyscallNumber.fstat, 1, stat);
        Assert.Equal((uint)InodeMode.S_IFIFO, _a.Get<Stat>(stat).st_mode & (uint)InodeMode.S_IFMT);
        _a.Fails(Errno.ENOTTY, SyscallNumber.ioctl, 1, 0x5401, _a.Allocate(64));
        _a.Fails(Errno.ESPIPE, SyscallNumber.lseek, 1, 0, 0);
        _a.Fails(Errno.EBADF, SyscallNumber.read, 1, _a.Allocate(1), 1);
    }

    [Fact]
    public void Without_a_sink_output_waits_for_one()
    {
        Kernel.HostStreams.Sink = null;
        _a.Blocks(SyscallNumber.write, 1, _a.Put("x"u8), 1);
        Kernel.HostStreams.Sink = _sink;
        Assert.Equal(1, _a.Resume());
    }

    [Fact]
    public void Frozen_runner_gets_the_request_that_a_fork_posts()
    {
        var runner = new RecordingRunner();
        Kernel.HostStreams.Runner.Sink = runner;
        Assert.Equal(Errno.None, _a.Thread.Files.Install(new RunnerChannel(Kernel), false, out int fd));
        long buffer = _a.Allocate(100);
        Assert.False(Kernel.HostStreams.Runner.IsIdle);
        _a.Blocks(SyscallNumber.read, fd, buffer, 100);
        Assert.True(Kernel.HostStreams.Runner.IsIdle);
        Assert.Equal(1, runner.IdleCalls);

        var fork = _sandbox.Reload();
        var forked = _a.In(fork);
        var reply = new RecordingRunner();
        fork.Kernel.HostStreams.Runner.Sink = reply;
        fork.Kernel.HostStreams.Runner.Post("print(1)"u8.ToArray());
        Assert.Equal(8, forked.Resume());
        Assert.Equal("print(1)", forked.GetText(buffer, 8));
        Assert.Equal(4, forked.Write(fd, "done"));
        Assert.Equal(["done"], reply.Replies);
        Assert.True(_a.IsBlocked);
    }

    [Fact]
    public void Runner_reads_whole_messages_only()
    {
        Assert.Equal(Errno.None, _a.Thread.Files.Install(new RunnerChannel(Kernel), false, out int fd));
        Kernel.HostStreams.Runner.Post("first"u8.ToArray());
        Kernel.HostStreams.Runner.Post("2"u8.ToArray());
        _a.Fails(Errno.EMSGSIZE, SyscallNumber.read, fd, _a.Allocate(4), 4);
        Assert.Equal("first", _a.Read(fd));
        Assert.Equal("2", _a.Read(fd));
        Assert.Equal(PollEvents.POLLOUT, _a.PollNow(fd));
        _a.Fails(Errno.EPIPE, SyscallNumber.write, fd, _a.Put("x"u8), 1);
    }

    private sealed class RecordingSink : IOutputSink
    {
        private readonly StringBuilder _text = new();

        public OutputSinkResult Answer { get; set; }

        public long Bytes { get; private set; }

        public string Text => _text.ToString();

        public OutputSinkResult Write(int stream, ReadOnlySpan<byte> bytes)
        {
            if (Answer != OutputSinkResult.Accepted) return Answer;
            Bytes += bytes.Length;
            _text.Append(stream).Append(':').Append(Encoding.ASCII.GetString(bytes)).Append(' ');
            return OutputSinkResult.Accepted;
        }
    }

    private sealed class RecordingRunner : IRunnerSink
    {
        public List<string> Replies { get; } = [];

        public int IdleCalls { get; private set; }

        public void OnReply(ReadOnlySpan<byte> reply) => Replies.Add(Encoding.ASCII.GetString(reply));

        public void OnIdle() => IdleCalls++;
    }
}
