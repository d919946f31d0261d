using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class HostileGuestTests : IDisposable
{
    private const ulong SyscallStub = 0xFFFF_FFFF_8000_5000, FaultStub = 0xFFFF_FFFF_8000_6000;
    private readonly Guest _guest = new();

    public void Dispose() => _guest.Dispose();

    private VcpuExit JumpTo(ulong address)
    {
        _guest.Start([0xFF, 0xE7]); // jmp rdi
        _guest.Cpu.Registers.Rdi = address;
        _guest.Cpu.Registers.Rcx = Guest.Code + 0x800;
        _guest.Cpu.Registers.R11 = 0x202;
        return _guest.Cpu.Run();
    }

    private void AssertStillWorks()
    {
        Assert.Equal(VcpuExitKind.Syscall, _guest.Run(0x0F, 0x05).Kind);
        Assert.Equal(Guest.Code + 2, _guest.Cpu.Registers.Rip);
        _guest.Start([0x48, 0x8B, 0x07]);
        _guest.Cpu.Registers.Rdi = 0x1234_5000;
        Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 4, 0x1234_5000), _guest.Cpu.Run());
    }

    [Fact]
    public void A_jump_to_the_stubs_out_is_a_system_call_from_rcx()
    {
        var exit = JumpTo(SyscallStub);
        if (Emulated.IsOn && exit.Vector == 13)
        {
            // QEMU's own CPU ignores the I/O bitmap of a busy task state (type 11, which hardware demands).
            Assert.Equal(SyscallStub, _guest.Cpu.Registers.Rip);
            AssertStillWorks();
            return;
        }
        Assert.Equal(new VcpuExit(VcpuExitKind.Syscall), exit);
        Assert.Equal(Guest.Code + 0x800, _guest.Cpu.Registers.Rip);
        Assert.Equal(Guest.Stack - 16, _guest.Cpu.Registers.Rsp);
        // The way back is right for the ring in which the jump left the vCPU, and for another thread.
        _guest.Put([0x0F, 0x05], Guest.Code + 0x800);
        Assert.Equal(new VcpuExit(VcpuExitKind.Syscall), _guest.Cpu.Run());
        Assert.Equal(Guest.Code + 0x802, _guest.Cpu.Registers.Rip);
        AssertStillWorks();
    }

    [Fact]
    public void A_jump_to_sysretq_is_a_protection_fault()
    {
        Assert.Equal(new VcpuExit(VcpuExitKind.Exception, 13), JumpTo(SyscallStub + 2));
        Assert.Equal(SyscallStub + 2, _guest.Cpu.Registers.Rip);
        AssertStillWorks();
    }

    [Theory]
    [InlineData(FaultStub)]         // an exception's out
    [InlineData(FaultStub + 0x100)] // the invalidation stub
    [InlineData(FaultStub + 0x10F)] // its iretq
    [InlineData(0xFFFF_FFFF_8000_4000)] // descriptors
    [InlineData(0xFFFF_FF80_0000_0000)] // the direct map
    public void Everything_else_of_ring_0_is_out_of_reach(ulong address)
    {
        var exit = JumpTo(address);
        Assert.Equal((VcpuExitKind.PageFault, address), (exit.Kind, exit.Address));
        Assert.Equal(4u, exit.ErrorCode & 4);
        _guest.Start([0x48, 0x89, 0x07]);
        _guest.Cpu.Registers.Rdi = address;
        exit = _guest.Cpu.Run();
        Assert.Equal((VcpuExitKind.PageFault, address), (exit.Kind, exit.Address));
        AssertStillWorks();
    }

    [Fact]
    public void The_stub_cannot_be_written()
    {
        _guest.Start([0x48, 0x89, 0x07]);
        _guest.Cpu.Registers.Rdi = SyscallStub;
        Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 7, SyscallStub), _guest.Cpu.Run());
    }

    [Theory]
    [InlineData("out 0x20, al", new byte[] { 0xE6, 0x20 })]
    [InlineData("out dx, al", new byte[] { 0xEE })]
    [InlineData("in al, 0x20", new byte[] { 0xE4, 0x20 })]
    [InlineData("in al, dx", new byte[] { 0xEC })]
    [InlineData("rep outsb", new byte[] { 0xF3, 0x6E })]
    [InlineData("rep insb", new byte[] { 0xF3, 0x6C })]
    public void Use_of_the_open_port_is_a_protection_fault_that_leaves_no_trace(string what, byte[] code)
    {
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadWrite);
        for (var i = 0; i < 3; i++)
        {
            _guest.Start(code);
            ref var r = ref _guest.Cpu.Registers;
            (r.Rdx, r.Rcx, r.Rsi, r.Rdi) = (0x20, 5, Guest.Data, Guest.Data);
            var exit = _guest.Cpu.Run();
            Assert.True(exit is { Kind: VcpuExitKind.Exception, Vector: 13 }, $"{what}: {exit}");
            Assert.InRange(r.Rip, Guest.Code, Guest.Code + (ulong)code.Length);

            // Another thread: nothing of the unfinished access may reach its registers.
            _guest.Start([0x0F, 0x05], Guest.Code + 0x100);
            _guest.Cpu.Registers.Rax = 0x7777_7777;
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            Assert.Equal(0x7777_7777u, _guest.Cpu.Registers.Rax);
            Assert.Equal(Guest.Code + 0x102, _guest.Cpu.Registers.Rip);
        }
        AssertStillWorks();
    }

    [Theory]
    [InlineData(0x1000ul, 0x00)] // the kernel's page directory pointers
    [InlineData(0x3000ul, 0x00)] // its page table
    [InlineData(0x3000ul, 0xFF)]
    [InlineData(0x4000ul, 0x00)] // GDT and IDT
    [InlineData(0x4000ul, 0xFF)]
    [InlineData(0x5000ul, 0x00)] // the system-call stub: add [rax], al
    [InlineData(0x5000ul, 0xF4)] // hlt
    [InlineData(0x5000ul, 0x90)] // nop
    [InlineData(0x5000ul, 0xCC)] // int3
    [InlineData(0x5000ul, 0xEE)] // out dx, al
    [InlineData(0x5000ul, 0x6C)] // insb
    [InlineData(0x6000ul, 0x00)] // the fault stubs
    [InlineData(0x6000ul, 0xCF)] // iret
    [InlineData(0x6000ul, 0xEE)]
    [InlineData(0x10000ul, 0x00)] // this vCPU's task state and stacks
    [InlineData(0x10000ul, 0xFF)]
    [InlineData(0x50000ul, 0xFF)] // the direct map
    public void A_guest_that_overwrites_ring_0_ends_itself_alone(ulong page, int fill)
    {
        _guest.Map(Guest.Data, page, Guest.ReadWrite);
        // mov ecx, 4096; rep stosb; syscall; ud2: then a fault
        _guest.Start([0xB9, 0, 0x10, 0, 0, 0xF3, 0xAA, 0x0F, 0x05, 0x0F, 0x0B]);
        var cpu = _guest.Cpu;
        cpu.Registers.Rdi = Guest.Data;
        cpu.Registers.Rax = (ulong)fill;
        using var timer = new Timer(_ => cpu.Kick(), null, 50, 50);
        for (var i = 0; i < 8; i++)
        {
            var exit = cpu.Run();
            if (exit.Kind == VcpuExitKind.Shutdown)
            {
                Assert.NotNull(exit.Detail);
                Assert.Equal(exit, cpu.Run());
                break;
            }
            cpu.Invalidate([page, _guest.Root]);
        }
        using var other = new Guest();
        Assert.Equal(VcpuExitKind.Syscall, other.Run(0x0F, 0x05).Kind);
    }

    [Fact]
    public void A_guest_that_overwrites_its_own_page_tables_ends_itself_alone()
    {
        _guest.Map(Guest.Data, _guest.Root, Guest.ReadWrite);
        foreach (var fill in new byte[] { 0, 0xFF, 0x67 })
        {
            using var guest = new Guest();
            guest.Map(Guest.Data, guest.Root, Guest.ReadWrite);
            guest.Start([0xB9, 0, 0x10, 0, 0, 0xF3, 0xAA, 0x0F, 0x05, 0x0F, 0x0B]);
            guest.Cpu.Registers.Rdi = Guest.Data;
            guest.Cpu.Registers.Rax = fill;
            using var timer = new Timer(_ => guest.Cpu.Kick(), null, 50, 50);
            var exit = guest.Cpu.Run();
            Assert.True(Enum.IsDefined(exit.Kind));
            guest.Cpu.Invalidate([guest.Root]);
            guest.Cpu.Run();
        }
        AssertStillWorks();
    }

    [Theory]
    [InlineData(0x0000_0030_0000_0000ul)] // above RAM
    [InlineData(0x0000_0FFF_FFFF_F000ul)] // beyond what the CPU addresses, perhaps
    public void A_page_table_that_points_out_of_memory_ends_the_machine_or_faults(ulong address)
    {
        _guest.Map(Guest.Data, address, Guest.ReadWrite);
        _guest.Start([0x48, 0x8B, 0x07]);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        var exit = _guest.Cpu.Run();
        Assert.Contains(exit.Kind, new[] { VcpuExitKind.Shutdown, VcpuExitKind.PageFault });
        using var other = new Guest();
        Assert.Equal(VcpuExitKind.Syscall, other.Run(0x0F, 0x05).Kind);
    }

    [Fact]
    public void A_root_that_is_no_page_table_ends_the_machine_or_spins_until_a_kick()
    {
        _guest.Start([0x0F, 0x05]);
        var cpu = _guest.Cpu;
        cpu.PageTableRoot = 0x0000_0030_0000_0000;
        using var timer = new Timer(_ => cpu.Kick(), null, 200, 200);
        Assert.NotEqual(VcpuExitKind.Syscall, cpu.Run().Kind);
        using var other = new Guest();
        Assert.Equal(VcpuExitKind.Syscall, other.Run(0x0F, 0x05).Kind);
    }
}
