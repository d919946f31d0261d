using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class ExitTests : IDisposable
{
    private readonly Guest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Syscall_exits_with_rip_behind_it_and_all_registers()
    {
        _guest.Start([0x0F, 0x05]);
        ref var r = ref _guest.Cpu.Registers;
        r = new UserRegisters
        {
            Rax = 1, Rbx = 2, Rdx = 4, Rsi = 5, Rdi = 6, Rsp = Guest.Stack - 16, Rbp = 8, R8 = 9, R9 = 10, R10 = 11, R12 = 13, R13 = 14, R14 = 15, R15 = 16,
            Rip = Guest.Code, Rflags = 0x202,
        };
        var before = r;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        before.Rip = before.Rcx = Guest.Code + 2;
        before.R11 = before.Rflags = 0x202;
        Assert.Equal(before, _guest.Cpu.Registers);
    }

    [Fact]
    public void Syscall_results_reach_the_program()
    {
        // 1: syscall; add rbx, rax; dec rdi; jnz 1b; syscall
        _guest.Start([0x0F, 0x05, 0x48, 0x01, 0xC3, 0x48, 0xFF, 0xCF, 0x75, 0xF6, 0x0F, 0x05]);
        _guest.Cpu.Registers.Rdi = 10;
        for (var i = 1; i <= 10; i++)
        {
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            Assert.Equal(Guest.Code + 2, _guest.Cpu.Registers.Rip);
            _guest.Cpu.Registers.Rax = (ulong)i;
        }
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(Guest.Code + 12, _guest.Cpu.Registers.Rip);
        Assert.Equal(55u, _guest.Cpu.Registers.Rbx);
    }

    [Theory]
    [InlineData(new byte[] { 0x48, 0x8B, 0x07 }, 4u)] // mov rax, [rdi]: a user read of an absent page
    [InlineData(new byte[] { 0x48, 0x89, 0x07 }, 6u)] // mov [rdi], rax: a user write
    [InlineData(new byte[] { 0xFF, 0xE7 }, 0x14u)] // jmp rdi: an instruction fetch
    public void Access_to_an_absent_page_gives_address_and_error_code(byte[] code, uint errorCode)
    {
        const ulong target = 0x1234_5678;
        _guest.Start(code);
        _guest.Cpu.Registers.Rdi = target;
        _guest.Cpu.Registers.Rbx = 0xB0B;
        var exit = _guest.Cpu.Run();
        Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, errorCode, target), exit);
        Assert.Equal(errorCode == 0x14 ? target : Guest.Code, _guest.Cpu.Registers.Rip);
        Assert.Equal(Guest.Stack - 16, _guest.Cpu.Registers.Rsp);
        Assert.Equal(0xB0Bu, _guest.Cpu.Registers.Rbx);
        Assert.Equal(target, _guest.Cpu.Registers.Rdi);
    }

    [Fact]
    public void Write_to_a_read_only_page_faults_with_the_protection_bit()
    {
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadOnly);
        _guest.Start([0x48, 0x89, 0x07]); // mov [rdi], rax
        _guest.Cpu.Registers.Rdi = Guest.Data + 8;
        Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 7, Guest.Data + 8), _guest.Cpu.Run());
    }

    [Fact]
    public void Execution_of_a_no_execute_page_faults_with_the_fetch_bit()
    {
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadWrite | Guest.NoExecute);
        _guest.Start([0xFF, 0xE7]); // jmp rdi
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 0x15, Guest.Data), _guest.Cpu.Run());
    }

    [Fact]
    public void A_fault_is_retried_after_the_page_is_mapped()
    {
        _guest.Start([0x48, 0x89, 0x07, 0x48, 0x8B, 0x1F, 0x0F, 0x05]); // mov [rdi], rax; mov rbx, [rdi]; syscall
        _guest.Cpu.Registers.Rdi = Guest.Data;
        _guest.Cpu.Registers.Rax = 0xFEED;
        Assert.Equal(VcpuExitKind.PageFault, _guest.Cpu.Run().Kind);
        var frame = _guest.NewFrame();
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0xFEEDu, _guest.Cpu.Registers.Rbx);
        Assert.Equal(0xFEEDu, _guest.Read64(frame));
    }

    [Theory]
    [InlineData("divide error", 0, new byte[] { 0x31, 0xC9, 0xF7, 0xF1 }, 2, 0u)] // xor ecx, ecx; div ecx
    [InlineData("int3", 3, new byte[] { 0xCC }, 1, 0u)]
    [InlineData("ud2", 6, new byte[] { 0x0F, 0x0B }, 0, 0u)]
    [InlineData("hlt", 13, new byte[] { 0xF4 }, 0, 0u)]
    [InlineData("cli", 13, new byte[] { 0xFA }, 0, 0u)]
    [InlineData("mov from cr0", 13, new byte[] { 0x0F, 0x20, 0xC0 }, 0, 0u)]
    [InlineData("wrmsr", 13, new byte[] { 0x0F, 0x30 }, 0, 0u)]
    [InlineData("in from a closed port", 13, new byte[] { 0xE4, 0x60 }, 0, 0u)]
    [InlineData("out to a fault's port", 13, new byte[] { 0xE6, 0x0E }, 0, 0u)]
    [InlineData("out of a word that covers the open port", 13, new byte[] { 0x66, 0xE7, 0x20 }, 0, 0u)]
    [InlineData("load of a bad selector", 13, new byte[] { 0xB8, 0xF8, 0, 0, 0, 0x8E, 0xD8 }, 5, 0xF8u)] // mov eax, 0xf8; mov ds, eax
    public void Exceptions_arrive_with_vector_and_rip(string what, int vector, byte[] code, int rip, uint errorCode)
    {
        var exit = _guest.Run(code);
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, (byte)vector, errorCode), exit);
        Assert.True(Guest.Code + (ulong)rip == _guest.Cpu.Registers.Rip, $"{what}: RIP is 0x{_guest.Cpu.Registers.Rip:x}");
        Assert.Equal(Guest.Stack - 16, _guest.Cpu.Registers.Rsp);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(0x80)]
    [InlineData(14)]
    public void Software_interrupts_never_pass_for_something_else(byte number)
    {
        var exit = _guest.Run(0xCD, number);
        Assert.Equal(VcpuExitKind.Exception, exit.Kind);
        // #UD where KVM does not run `int n`; otherwise #OF for the open gate and #GP for closed and absent ones.
        Assert.Contains(exit.Vector, number == 4 ? new byte[] { 4, 6 } : [6, 13]);
    }

    [Fact]
    public void Non_canonical_data_access_is_a_protection_fault()
    {
        _guest.Start([0x48, 0x8B, 0x07]);
        _guest.Cpu.Registers.Rdi = 0x8000_0000_0000;
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 13), _guest.Cpu.Run());
        Assert.Equal(Guest.Code, _guest.Cpu.Registers.Rip);
    }

    [Fact]
    public void Non_canonical_stack_access_is_a_stack_fault()
    {
        _guest.Start([0x50]); // push rax
        _guest.Cpu.Registers.Rsp = 0x8000_0000_0010;
        // QEMU's own CPU raises #GP where hardware raises #SS.
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, (byte)(Emulated.IsOn ? 13 : 12)), _guest.Cpu.Run());
        Assert.Equal(0x8000_0000_0010u, _guest.Cpu.Registers.Rsp);
    }

    [Fact]
    public void Misaligned_access_with_the_alignment_flag_is_an_alignment_fault()
    {
        Assert.SkipWhen(Emulated.IsOn, "QEMU's own CPU does not raise #AC");
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadWrite);
        _guest.Start([0x48, 0x8B, 0x07]);
        _guest.Cpu.Registers.Rdi = Guest.Data + 1;
        _guest.Cpu.Registers.Rflags |= 0x40000;
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 17), _guest.Cpu.Run());
    }

    [Fact]
    public void Unmasked_simd_exception_arrives_as_vector_19()
    {
        Assert.SkipWhen(Emulated.IsOn, "QEMU's own CPU does not raise #XM");
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadWrite);
        // mov dword [rdi], 0; ldmxcsr [rdi]; xorps xmm0, xmm0; divss xmm0, xmm0
        _guest.Start([0xC7, 0x07, 0, 0, 0, 0, 0x0F, 0xAE, 0x17, 0x0F, 0x57, 0xC0, 0xF3, 0x0F, 0x5E, 0xC0]);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 19), _guest.Cpu.Run());
        Assert.Equal(Guest.Code + 12, _guest.Cpu.Registers.Rip);
    }

    [Fact]
    public void Unmasked_x87_exception_arrives_as_vector_16()
    {
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadWrite);
        // mov word [rdi], 0; fldcw [rdi]; fld1; fldz; fdivp; fwait
        _guest.Start([0x66, 0xC7, 0x07, 0, 0, 0xD9, 0x2F, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x9B]);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 16), _guest.Cpu.Run());
    }

    [Fact]
    public void Single_step_stops_behind_each_instruction()
    {
        _guest.Start([0x90, 0x90, 0x0F, 0x05]); // nop; nop; syscall
        for (var i = 1u; i <= 2; i++)
        {
            _guest.Cpu.Registers.Rflags |= 0x100;
            Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 1), _guest.Cpu.Run());
            Assert.Equal(Guest.Code + i, _guest.Cpu.Registers.Rip);
        }
        // The flag does not reach the stub: the call is seen as a call, and the flag is back in the user's view.
        _guest.Cpu.Registers.Rflags |= 0x100;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0x100u, _guest.Cpu.Registers.Rflags & 0x100);
        Assert.Equal(Guest.Code + 4, _guest.Cpu.Registers.Rip);
    }

    [Fact]
    public void Return_to_a_non_canonical_address_is_a_protection_fault_of_the_program()
    {
        // The classic: syscall as the last instruction below the hole.
        const ulong last = 0x7FFF_FFFF_FFFE;
        _guest.Map(last & ~4095ul, _guest.NewFrame(), Guest.ReadOnly);
        _guest.Start([0x0F, 0x05], last);
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0x8000_0000_0000u, _guest.Cpu.Registers.Rip);
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 13), _guest.Cpu.Run());
        Assert.Equal(VcpuExitKind.Syscall, _guest.Run(0x0F, 0x05).Kind);
    }

    [Fact]
    public void Flags_that_belong_to_the_system_are_removed_on_entry()
    {
        _guest.Start([0x9C, 0x5B, 0x0F, 0x05]); // pushfq; pop rbx; syscall
        _guest.Cpu.Registers.Rflags = 0x3_7FFF & ~0x100ul; // IOPL 3, NT, VM ...; not TF
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0xED7u, _guest.Cpu.Registers.Rbx & ~0x1_0000ul);
    }
}
