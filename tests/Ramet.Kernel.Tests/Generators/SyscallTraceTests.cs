using System.Text;
using Ramet.Kernel.Syscalls;
using Xunit;
using Table = Ramet.Kernel.Tests.SyscallTable;

namespace Ramet.Kernel.Tests.Generators;

public sealed class SyscallTraceTests
{
    /// <summary>Bytes at 0x1000; nothing else is readable.</summary>
    private sealed class FakeMemory(byte[] bytes) : ITraceMemory
    {
        public const ulong Start = 0x1000;

        public int Read(ulong address, Span<byte> destination)
        {
            if (address < Start || address >= Start + (ulong)bytes.Length) return 0;
            var rest = bytes.AsSpan((int)(address - Start));
            int count = Math.Min(rest.Length, destination.Length);
            rest[..count].CopyTo(destination);
            return count;
        }
    }

    private static string Trace(SyscallNumber number, SyscallArguments arguments, SyscallResult result, string memory = "")
    {
        var fake = new FakeMemory(Encoding.Latin1.GetBytes(memory));
        string call = Table.FormatCall(fake, (int)number, arguments, null);
        return Table.FormatResult(fake, (int)number, arguments, call, result);
    }

    private const ulong Cwd = unchecked((ulong)-100);

    [Fact]
    public void A_call_with_path_and_flags_looks_as_in_strace() => Assert.Equal(
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC, 000) = 3",
        Trace(SyscallNumber.openat, new(Cwd, 0x1000, 0x80000, 0), 3, "/etc/passwd\0"));

    [Fact]
    public void Errors_are_named_and_described() => Assert.Equal(
        "openat(5, \"x\", O_RDONLY, 0644) = -1 ENOENT (No such file or directory)",
        Trace(SyscallNumber.openat, new(5, 0x1000, 0, 0x1A4), Errno.ENOENT, "x\0"));

    [Theory]
    [InlineData(0x0ul, "O_RDONLY")]
    [InlineData(0x1ul, "O_WRONLY")]
    [InlineData(0x241ul, "O_WRONLY|O_CREAT|O_TRUNC")]
    [InlineData(0x80802ul, "O_RDWR|O_NONBLOCK|O_CLOEXEC")]
    [InlineData(0x101001ul, "O_WRONLY|O_SYNC")]
    [InlineData(0x1001ul, "O_WRONLY|O_DSYNC")]
    [InlineData(0x410002ul, "O_RDWR|O_TMPFILE")]
    [InlineData(0x10000ul, "O_RDONLY|O_DIRECTORY")]
    [InlineData(0x40080000ul, "O_RDONLY|O_CLOEXEC|0x40000000")]
    public void Flags_are_joined_by_name_with_the_rest_in_hexadecimal(ulong flags, string expected) =>
        Assert.Contains(", " + expected + ",", Trace(SyscallNumber.openat, new(Cwd, 0x1000, flags), 3, "x\0"), StringComparison.Ordinal);

    [Theory]
    [InlineData(0ul, "000")]
    [InlineData(0x1A4ul, "0644")]
    [InlineData(0xFFFul, "07777")]
    [InlineData(7ul, "007")]
    [InlineData(0x21B6ul, "S_IFCHR|0666")]
    public void Modes_are_octal(ulong mode, string expected) =>
        Assert.EndsWith(", " + expected + ") = 3", Trace(SyscallNumber.openat, new(Cwd, 0x1000, 0, mode), 3, "x\0"), StringComparison.Ordinal);

    [Fact]
    public void Enums_are_named_by_the_bits_of_their_type()
    {
        Assert.Equal(
            "mmap(NULL, 4096, 3, SEEK_CUR, -1, ONE|TWO) = 0x7f0000001000",
            Trace(SyscallNumber.mmap, new(0, 4096, 3, 1, ulong.MaxValue, 3), 0x7f0000001000));
        Assert.Equal(
            "mmap(0x1000, 0xffffffffffffffff, 0, SEEK_LOW, 0, HIGH|0x40) = -1 EINVAL (Invalid argument)",
            Trace(SyscallNumber.mmap, new(0x1000, ulong.MaxValue, 0, ulong.MaxValue, 0, 0xFFC0), Errno.EINVAL));
        Assert.Equal("mmap(0x1000, 1, 0, 0x5, 0, 0) = 0x0", Trace(SyscallNumber.mmap, new(0x1000, 1, 0, 5, 0, 0), 0));
    }

    [Fact]
    public void Buffers_that_are_read_are_quoted_and_cut()
    {
        Assert.Equal("write(1, \"hi\\n\", 3) = 3", Trace(SyscallNumber.write, new(1, 0x1000, 3), 3, "hi\n"));
        Assert.Equal(
            "write(1, \"01234567890123456789012345678901\"..., 40) = 40",
            Trace(SyscallNumber.write, new(1, 0x1000, 40), 40, "0123456789012345678901234567890123456789"));
        Assert.Equal("write(1, \"\\0001\\0\\377\\\"\\\\\", 6) = 6", Trace(SyscallNumber.write, new(1, 0x1000, 6), 6, "\01\0\xFF\"\\"));
        Assert.Equal("write(1, \"\", 0) = 0", Trace(SyscallNumber.write, new(1, 0x1000, 0), 0, "x"));
    }

    [Fact]
    public void Memory_that_cannot_be_read_is_an_address()
    {
        Assert.Equal("write(1, 0x9000, 3) = -1 EFAULT (Bad address)", Trace(SyscallNumber.write, new(1, 0x9000, 3), Errno.EFAULT));
        Assert.Equal("write(1, NULL, 3) = -1 EFAULT (Bad address)", Trace(SyscallNumber.write, new(1, 0, 3), Errno.EFAULT));
        Assert.Equal("write(1, 0x1000, 0xffffffffffffffff) = -1 EFAULT (Bad address)", Trace(SyscallNumber.write, new(1, 0x1000, ulong.MaxValue), Errno.EFAULT, "x"));
        Assert.StartsWith("openat(3, 0x9000, ", Trace(SyscallNumber.openat, new(3, 0x9000), Errno.EFAULT), StringComparison.Ordinal);
        Assert.StartsWith("openat(3, NULL, ", Trace(SyscallNumber.openat, new(3, 0), Errno.EFAULT), StringComparison.Ordinal);
        Assert.StartsWith("openat(3, 0x1000, ", Trace(SyscallNumber.openat, new(3, 0x1000), Errno.EFAULT, "no end"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_longer_than_one_piece_is_whole()
    {
        string path = "/" + new string('a', 1000);
        Assert.StartsWith($"openat(3, \"{path}\", ", Trace(SyscallNumber.openat, new(3, 0x1000), 4, path + "\0"), StringComparison.Ordinal);
    }

    [Fact]
    public void Buffers_that_are_filled_show_as_many_bytes_as_the_call_returned()
    {
        Assert.Equal("read(3, \"\\177ELF\", 832) = 4", Trace(SyscallNumber.read, new(3, 0x1000, 832), 4, "\x7F" + "ELFxxxx"));
        Assert.Equal("read(3, 0x1000, 832) = 0", Trace(SyscallNumber.read, new(3, 0x1000, 832), 0, "xxxx"));
        Assert.Equal("read(3, 0x1000, 832) = -1 EBADF (Bad file descriptor)", Trace(SyscallNumber.read, new(3, 0x1000, 832), Errno.EBADF, "xxxx"));
        Assert.Equal("read(3, 0x1000, 832)", Table.FormatCall(new FakeMemory("data"u8.ToArray()), 0, new(3, 0x1000, 832), null));
    }

    [Fact]
    public void Calls_without_a_value_show_a_question_mark()
    {
        Assert.Equal("exit_group(3) = ?", Trace(SyscallNumber.exit_group, new(3), SyscallResult.NoReturn));
        Assert.Equal(
            "read(3, 0x1000, 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
            Trace(SyscallNumber.read, new(3, 0x1000, 1), SyscallResult.Restart(RestartKind.ERESTARTSYS)));
        Assert.Equal("read(3, 0x1000, 1) <unfinished ...>", Trace(SyscallNumber.read, new(3, 0x1000, 1), SyscallResult.Blocked));
    }

    [Fact]
    public void Absent_calls_show_their_registers()
    {
        Assert.Equal(
            "io_uring_setup(0x10, 0x7fff0000, 0, 0, 0, 0x1) = -1 ENOSYS (Function not implemented)",
            Trace(SyscallNumber.io_uring_setup, new(16, 0x7fff0000, 0, 0, 0, 1), Errno.ENOSYS));
        Assert.StartsWith("syscall_9999(0x1, ", Trace((SyscallNumber)9999, new(1), Errno.ENOSYS), StringComparison.Ordinal);
    }
}
