using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Syscalls;
using Xunit;
using Table = Ramet.Kernel.Tests.SyscallTable;

namespace Ramet.Kernel.Tests.Generators;

public sealed class SyscallTableTests
{
    private static object?[] Dispatch(SyscallNumber number, params ulong[] a)
    {
        SampleHandlers.Last = null;
        Array.Resize(ref a, 6);
        var result = Table.Dispatch(null!, (int)number, new SyscallArguments(a[0], a[1], a[2], a[3], a[4], a[5]));
        Assert.Equal(SampleHandlers.Last!.Length, result.Value);
        return SampleHandlers.Last;
    }

    [Fact]
    public void Arguments_are_decoded_by_their_types()
    {
        // Upper halves of registers are garbage where the argument is an int.
        var arguments = Dispatch(SyscallNumber.openat, 0xDEAD_BEEF_FFFF_FF9C, 0x7000, 0xFFFF_0000_0008_0001, 0x1234_5678_0000_01A4);
        Assert.Equal([-100, new UserPath(new UserAddress(0x7000)), OpenFlags.O_WRONLY | OpenFlags.O_CLOEXEC, (InodeMode)0x1A4], arguments);

        arguments = Dispatch(SyscallNumber.mmap, 0x1000, ulong.MaxValue, 0xAAAA_AAAA_8000_0000, ulong.MaxValue, 0x8000_0000_0000_0000, 0x1FF);
        Assert.Equal([new UserAddress(0x1000), ulong.MaxValue, 0x8000_0000u, SampleEnum.SEEK_LOW, long.MinValue, (SampleByte)0xFF], arguments);
    }

    [Fact]
    public void One_handler_may_serve_two_numbers()
    {
        Assert.Empty(Dispatch(SyscallNumber.getpid));
        Assert.Empty(Dispatch(SyscallNumber.gettid));
    }

    [Theory]
    [InlineData((int)SyscallNumber.io_uring_setup)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void Absent_calls_return_ENOSYS(int number)
    {
        Assert.Equal(Errno.ENOSYS, Table.Dispatch(null!, number, default).Error);
        Assert.False(Table.IsPresent(number));
    }

    [Fact]
    public void Present_calls_are_known()
    {
        Assert.True(Table.IsPresent((int)SyscallNumber.read));
        Assert.True(Table.IsPresent((int)SyscallNumber.gettid));
    }

    [Fact]
    public void Arguments_come_from_the_registers_of_the_calling_convention()
    {
        var arguments = new SyscallArguments(new UserRegisters { Rdi = 1, Rsi = 2, Rdx = 3, R10 = 4, R8 = 5, R9 = 6, Rcx = 99, Rax = 98 });
        Assert.Equal([1UL, 2, 3, 4, 5, 6], Enumerable.Range(0, 6).Select(i => arguments[i]));
    }

    [Fact]
    public void Names_are_the_kernels_own()
    {
        Assert.Equal("openat", Table.NameOf(257));
        Assert.Equal("exit_group", Table.NameOf(231));
        Assert.Equal("syscall_9999", Table.NameOf(9999));
    }

    [Fact]
    public void The_kernels_own_table_lists_every_number_of_the_architecture_once()
    {
        var numbers = Ramet.Kernel.Syscalls.SyscallTable.All.Select(c => c.Number).ToList();
        Assert.Equal(Enum.GetValues<SyscallNumber>().Select(n => (int)n).Order(), numbers);
        foreach (var call in Ramet.Kernel.Syscalls.SyscallTable.All)
            Assert.Equal(call.Support != SyscallSupport.Absent, Ramet.Kernel.Syscalls.SyscallTable.IsPresent(call.Number));
    }

    [Fact]
    public void The_documentation_lists_all_calls_with_support_and_counts()
    {
        string text = SyscallDocumentation.ToMarkdown(Table.All);
        Assert.Contains("6 are full, 1 partial and", text, StringComparison.Ordinal);
        Assert.Contains("| 0 | read | full |  |\n| 1 | write | partial | everything \\| all of it |\n| 2 | open | absent |  |\n", text, StringComparison.Ordinal);
        Assert.Equal(Enum.GetValues<SyscallNumber>().Length, text.Split('\n').Count(l => l.StartsWith("| ", StringComparison.Ordinal)) - 1);
        Assert.Equal("SampleHandlers.Read", Table.All[0].Handler);
    }
}
