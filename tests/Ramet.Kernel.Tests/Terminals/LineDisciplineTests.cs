using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Terminals;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Terminals;

public sealed class LineDisciplineTests
{
    private readonly TerminalFixture _t = new();

    private TestThread Shell => _t.Shell;

    private int Slave => _t.Slave;

    [Fact]
    public void A_line_is_echoed_and_read_as_a_whole()
    {
        Assert.Equal("hel", _t.Type("hel"));
        Assert.Equal(0, _t.Count(Slave));
        Assert.Equal(PollEvents.POLLOUT, Shell.PollNow(Slave));
        Assert.Equal("lo\r\n", _t.Type("lo\r"));
        Assert.Equal(PollEvents.POLLIN | PollEvents.POLLOUT, Shell.PollNow(Slave));
        Assert.Equal("rest\r\n", _t.Type("rest\n"));
        Assert.Equal("he", Shell.Read(Slave, 2));
        Assert.Equal("llo\n", Shell.Read(Slave));
        Assert.Equal("rest\n", Shell.Read(Slave));
    }

    [Fact]
    public void Reader_waits_until_the_line_is_complete()
    {
        long buffer = Shell.Allocate(16);
        var other = _t.NewJob();
        var leader = Shell.Thread.Process;
        other.Thread.Process.ProcessGroup = leader.ProcessGroup;
        Shell.Blocks(SyscallNumber.read, Slave, buffer, 16);
        other.Write(0, "a");
        Assert.False(Shell.IsWoken);
        other.Write(0, "b\n");
        Assert.Equal(3, Shell.Resume());
        Assert.Equal("ab\n", Shell.GetText(buffer, 3));
    }

    [Fact]
    public void Characters_words_and_lines_are_erased()
    {
        Assert.Equal("ab\b \b\r\n", _t.Type("ab\x7f\n"));
        Assert.Equal("a\n", Shell.Read(Slave));
        Assert.Equal("one two\b \b\b \b\b \bx\r\n", _t.Type("one two\x17x\n"));
        Assert.Equal("one x\n", Shell.Read(Slave));
        Assert.Equal("abc\b \b\b \b\b \bd\r\n", _t.Type("abc\x15" + "d\n"));
        Assert.Equal("d\n", Shell.Read(Slave));
        Assert.Equal("^A\b \b\b \b\r\n", _t.Type("\x01\x7f\n"));
        Assert.Equal("\n", Shell.Read(Slave));
        Assert.Equal("ab\t\b\b\b\b\b\b\r\n", _t.Type("ab\t\x7f\n"));
        Assert.Equal("ab\n", Shell.Read(Slave));
        Assert.Equal("", _t.Type("\x7f"));
    }

    [Fact]
    public void A_character_of_several_bytes_is_erased_at_once_if_the_terminal_is_UTF8()
    {
        _t.Change(set: InputModes.IUTF8);
        long text = Shell.Put("\u00e9\x7f\n"u8);
        Shell.Ok(SyscallNumber.write, _t.Master, text, 4);
        Assert.Equal("\n", Shell.Read(Slave));
        _t.Change(clear: InputModes.IUTF8);
        Shell.Ok(SyscallNumber.write, _t.Master, text, 4);
        long buffer = Shell.Allocate(8);
        Assert.Equal(2, Shell.Ok(SyscallNumber.read, Slave, buffer, 8));
        Assert.Equal([0xC3, (byte)'\n'], Shell.Get(buffer, 2));
    }

    [Fact]
    public void Kill_without_ECHOKE_shows_the_character_and_a_new_line()
    {
        _t.Change(clearLocal: LocalModes.ECHOKE);
        Assert.Equal("ab^U\r\n", _t.Type("ab\x15"));
        _t.Change(setLocal: LocalModes.ECHOPRT, clearLocal: LocalModes.ECHO);
        Assert.Equal("", _t.Type("ab\x15"));
        _t.Change(setLocal: LocalModes.ECHO);
        Assert.Equal("ab\\b/c\r\n", _t.Type("ab\x7f" + "c\n"));
        Assert.Equal("ac\n", Shell.Read(Slave));
    }

    [Fact]
    public void Literal_next_and_reprint()
    {
        Assert.Equal("^\b^C\r\n", _t.Type("\x16\x03\n"));
        Assert.Equal("\x03\n", Shell.Read(Slave));
        Assert.Equal("ab^R\r\nab", _t.Type("ab\x12"));
        Assert.Equal("c\r\n", _t.Type("c\n"));
        Assert.Equal("abc\n", Shell.Read(Slave));
    }

    [Fact]
    public void End_of_file_ends_a_line_without_being_part_of_it()
    {
        Assert.Equal("ab", _t.Type("ab\x04"));
        Assert.Equal("ab", Shell.Read(Slave));
        _t.Type("\x04");
        Assert.Equal("", Shell.Read(Slave));
        _t.Type("xy\x04z\n");
        Assert.Equal("xy", Shell.Read(Slave, 2));
        Assert.Equal("z\n", Shell.Read(Slave));
        _t.Change(characters: (ControlCharacter.VEOL, (byte)';'));
        Assert.Equal("a;b;", _t.Type("a;b;"));
        Assert.Equal("a;", Shell.Read(Slave));
        Assert.Equal("b;", Shell.Read(Slave));
    }

    [Fact]
    public void Carriage_returns_and_newlines_are_translated()
    {
        _t.Change(set: InputModes.INLCR, clear: InputModes.ICRNL, clearLocal: LocalModes.ICANON | LocalModes.ECHO);
        _t.Type("a\nb\rc");
        Assert.Equal("a\rb\rc", Shell.Read(Slave));
        _t.Change(set: InputModes.IGNCR, clear: InputModes.INLCR);
        _t.Type("a\nb\rc");
        Assert.Equal("a\nbc", Shell.Read(Slave));
        Shell.Write(Slave, "x\ny\tz");
        Assert.Equal("x\r\ny\tz", _t.Output());
        _t.Change(setOutput: OutputModes.XTABS);
        Shell.Write(Slave, "\ry\tz");
        Assert.Equal("\ry       z", _t.Output());
        _t.Change(clearOutput: OutputModes.OPOST);
        Shell.Write(Slave, "x\ny\tz");
        Assert.Equal("x\ny\tz", _t.Output());
    }

    [Fact]
    public void Raw_reads_follow_VMIN_and_VTIME()
    {
        void Timing(byte minimum, byte time) => _t.Change(
            clearLocal: LocalModes.ICANON | LocalModes.ECHO, characters: [(ControlCharacter.VMIN, minimum), (ControlCharacter.VTIME, time)]);
        long buffer = Shell.Allocate(16);
        var typist = _t.NewJob();
        typist.Thread.Process.ProcessGroup = Shell.Thread.Process.ProcessGroup;
        Timing(0, 0);
        Assert.Equal(0, Shell.Ok(SyscallNumber.read, Slave, buffer, 16));
        Timing(3, 0);
        Shell.Blocks(SyscallNumber.read, Slave, buffer, 16);
        typist.Write(0, "ab");
        if (Shell.IsWoken) Assert.Null(Shell.TryResume());
        Assert.Equal(PollEvents.POLLOUT, typist.PollNow(1));
        typist.Write(0, "cd");
        Assert.Equal(4, Shell.Resume());
        Timing(0, 5);
        Shell.Blocks(SyscallNumber.read, Slave, buffer, 16);
        _t.Sandbox.Advance(499);
        Assert.False(Shell.IsWoken);
        _t.Sandbox.Advance(1);
        Assert.Equal(0, Shell.Resume());
        Timing(3, 2);
        Shell.Blocks(SyscallNumber.read, Slave, buffer, 16);
        _t.Sandbox.Advance(5000);
        Assert.False(Shell.IsWoken);
        typist.Write(0, "a");
        Assert.Null(Shell.TryResume());
        _t.Sandbox.Advance(150);
        typist.Write(0, "b");
        Assert.Null(Shell.TryResume());
        _t.Sandbox.Advance(199);
        Assert.False(Shell.IsWoken);
        _t.Sandbox.Advance(1);
        Assert.Equal(2, Shell.Resume());
    }

    [Fact]
    public void Switching_to_raw_gives_what_was_typed_and_back_makes_it_a_line()
    {
        _t.Type("abc");
        Assert.Equal(0, _t.Count(Slave));
        _t.Change(clearLocal: LocalModes.ICANON);
        Assert.Equal(3, _t.Count(Slave));
        Assert.Equal("ab", Shell.Read(Slave, 2));
        _t.Change(setLocal: LocalModes.ICANON);
        Assert.Equal("c", Shell.Read(Slave));
    }

    [Fact]
    public void Output_stops_and_goes_on()
    {
        _t.Type("\x13");
        Assert.Equal(PollEvents.None, Shell.PollNow(Slave));
        Shell.Blocks(SyscallNumber.write, Slave, Shell.Put("late"u8), 4);
        var typist = _t.NewJob();
        typist.Write(0, "\x11");
        Assert.Equal(4, Shell.Resume());
        Assert.Equal("late", _t.Output());
    }

    [Fact]
    public void A_line_longer_than_the_buffer_loses_its_end_but_can_be_ended()
    {
        _t.Change(clearLocal: LocalModes.ECHO);
        _t.Type(new string('x', 5000) + "\n");
        string line = Shell.Read(Slave, 8192);
        Assert.Equal(4096, line.Length);
        Assert.Equal('\n', line[^1]);
    }

    [Fact]
    public void Raw_input_that_nobody_reads_waits_in_order_and_then_stops_the_master()
    {
        _t.Change(clear: InputModes.IXON, clearLocal: LocalModes.ICANON | LocalModes.ECHO | LocalModes.ISIG);
        byte[] bytes = new byte[100_000];
        new Random(7).NextBytes(bytes);
        bytes.AsSpan().Replace((byte)'\r', (byte)'n');
        Shell.Blocks(SyscallNumber.write, _t.Master, Shell.Put(bytes), bytes.Length);
        var reader = _t.NewJob();
        reader.Thread.Process.ProcessGroup = Shell.Thread.Process.ProcessGroup;
        long buffer = reader.Allocate(4096);
        List<byte> received = [];
        while (received.Count < bytes.Length)
        {
            received.AddRange(reader.Get(buffer, reader.Ok(SyscallNumber.read, 1, buffer, 4096)));
            if (Shell.IsWoken) Shell.TryResume();
        }

        Assert.Equal(bytes, received);
    }

    [Fact]
    public void Modes_survive_a_snapshot_with_a_half_typed_line()
    {
        _t.Type("ha");
        var reloaded = _t.Sandbox.Reload();
        var shell = Shell.In(reloaded);
        shell.Write(_t.Master, "lf\n");
        Assert.Equal("half\n", shell.Read(Slave));
    }

    [Fact]
    public void Packet_mode_tells_of_data_and_of_flow()
    {
        Shell.Ok(SyscallNumber.ioctl, _t.Master, 0x5420, Shell.Put(1));
        Shell.Write(Slave, "x");
        Assert.Equal("\0x", Shell.Read(_t.Master));
        _t.Change(clear: InputModes.IXON);
        Assert.Equal(PollEvents.POLLIN | PollEvents.POLLPRI | PollEvents.POLLOUT, Shell.PollNow(_t.Master, PollEvents.POLLIN | PollEvents.POLLPRI | PollEvents.POLLOUT));
        Assert.Equal("\x10", Shell.Read(_t.Master));
        _t.Change(set: InputModes.IXON);
        Assert.Equal("\x20", Shell.Read(_t.Master));
    }
}
