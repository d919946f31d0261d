using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

/// <summary>What one run leaves in a machine must not be there for the next: registers of all kinds, memory, and translations that the host derived from page tables.</summary>
public sealed class SmugglingTests
{
    private const ulong Secret = 0x5EC2_E700_5EC2_E701, SmugglerCode = Guest.Code + 0x1000, Results = Guest.Data, Source = Guest.Data + 0x1000, Fresh = Guest.Data + 0x2000;
    private const ulong OtherTable = Guest.Data + (4 << 20);

    /// <summary>Puts the secret wherever user code can put something.</summary>
    private static readonly byte[] Smuggler =
    [
        0xDB, 0xE3, // fninit
        0xD9, 0xEB, // fldpi
        0xD9, 0xEA, // fldl2e
        0xC7, 0x07, 0x00, 0x1F, 0x00, 0x00, // mov DWORD PTR [rdi],0x1f00
        0x0F, 0xAE, 0x17, // ldmxcsr DWORD PTR [rdi]
        0xC5, 0xFE, 0x6F, 0x06, // vmovdqu ymm0,YMMWORD PTR [rsi]
        0xC5, 0xFC, 0x28, 0xF8, // vmovaps ymm7,ymm0
        0xC5, 0x7C, 0x28, 0xF8, // vmovaps ymm15,ymm0
        0xB8, 0xEC, 0x05, 0x00, 0x00, // mov eax,0x5ec
        0xF3, 0x48, 0x0F, 0xAE, 0xD0, // wrfsbase rax
        0xF3, 0x48, 0x0F, 0xAE, 0xD8, // wrgsbase rax
        0x31, 0xC0, // xor eax,eax
        0x8E, 0xD8, // mov ds,eax
        0x8E, 0xC0, // mov es,eax
        0x48, 0x89, 0x37, // mov QWORD PTR [rdi],rsi
        0x48, 0x8B, 0x1E, // mov rbx,QWORD PTR [rsi]
        0x48, 0x89, 0xDD, // mov rbp,rbx
        0x49, 0x89, 0xD8, // mov r8,rbx
        0x49, 0x89, 0xD9, // mov r9,rbx
        0x49, 0x89, 0xDA, // mov r10,rbx
        0x49, 0x89, 0xDC, // mov r12,rbx
        0x49, 0x89, 0xDD, // mov r13,rbx
        0x49, 0x89, 0xDE, // mov r14,rbx
        0x49, 0x89, 0xDF, // mov r15,rbx
        0x48, 0x89, 0xDA, // mov rdx,rbx
        0xFD, // std
        0x0F, 0x05, // syscall
    ];

    /// <summary>Stores all that user code can see.</summary>
    private static readonly byte[] Probe =
    [
        0x8C, 0x1F, // mov WORD PTR [rdi],ds
        0x8C, 0x47, 0x02, // mov WORD PTR [rdi+0x2],es
        0x8C, 0x67, 0x04, // mov WORD PTR [rdi+0x4],fs
        0x8C, 0x6F, 0x06, // mov WORD PTR [rdi+0x6],gs
        0xF3, 0x48, 0x0F, 0xAE, 0xC0, // rdfsbase rax
        0x48, 0x89, 0x47, 0x08, // mov QWORD PTR [rdi+0x8],rax
        0xF3, 0x48, 0x0F, 0xAE, 0xC8, // rdgsbase rax
        0x48, 0x89, 0x47, 0x10, // mov QWORD PTR [rdi+0x10],rax
        0xC5, 0xFE, 0x7F, 0x47, 0x40, // vmovdqu YMMWORD PTR [rdi+0x40],ymm0
        0xC5, 0xFE, 0x7F, 0x7F, 0x60, // vmovdqu YMMWORD PTR [rdi+0x60],ymm7
        0xC5, 0x7E, 0x7F, 0xBF, 0x80, 0x00, 0x00, 0x00, // vmovdqu YMMWORD PTR [rdi+0x80],ymm15
        0x48, 0x0F, 0xAE, 0x87, 0x00, 0x02, 0x00, 0x00, // fxsave64 [rdi+0x200]
        0x48, 0x89, 0x9F, 0xC0, 0x00, 0x00, 0x00, // mov QWORD PTR [rdi+0xc0],rbx
        0x48, 0x89, 0xAF, 0xC8, 0x00, 0x00, 0x00, // mov QWORD PTR [rdi+0xc8],rbp
        0x4C, 0x89, 0xBF, 0xD0, 0x00, 0x00, 0x00, // mov QWORD PTR [rdi+0xd0],r15
        0x48, 0x8B, 0x02, // mov rax,QWORD PTR [rdx]
        0x48, 0x89, 0x87, 0xD8, 0x00, 0x00, 0x00, // mov QWORD PTR [rdi+0xd8],rax
        0x0F, 0x05, // syscall
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    public void Nothing_of_a_run_is_left_in_a_machine_that_was_reset(int pagesToKeep)
    {
        using var guest = new Guest();
        var results = guest.NewFrame();
        var source = guest.NewFrame();
        guest.Write64(source, 0x1234);
        guest.Map(Results, results, Guest.ReadWrite);
        guest.Map(Source, source, Guest.ReadWrite);
        guest.Pte(Fresh); // the page table is there, the page is not
        guest.Put(Smuggler, SmugglerCode);
        guest.Start(Probe);
        using var template = guest.Freeze();

        using var untouched = guest.Fork(template);
        RunProbe(untouched, guest);
        using var used = guest.Fork(template);
        for (var round = 0; round < 3; round++)
        {
            Assert.True(used.Cpu.Mailbox.TryEnable());
            // RAM grows, one page table changes and one is new: the host has shadows of both.
            var behind = used.NewFrame();
            used.Map(Fresh, behind, Guest.ReadWrite);
            used.Map(OtherTable, behind, Guest.ReadWrite);
            var tables = new HashSet<ulong>();
            foreach (var address in (ulong[])[Fresh, OtherTable])
                tables.Add(used.Pte(address) & ~4095ul);
            tables.Add(guest.Root);
            used.Write64(source, Secret);
            used.Cpu.Registers = guest.Cpu.Registers with { Rip = SmugglerCode, Rdi = Fresh, Rsi = Source };
            Assert.Equal(VcpuExitKind.Syscall, used.Cpu.Run().Kind);
            Assert.Equal(Secret, used.Cpu.Registers.R15);
            Assert.Equal(Source, used.Read64(behind));
            used.Cpu.Registers = guest.Cpu.Registers with { Rip = SmugglerCode, Rdi = OtherTable, Rsi = Source };
            Assert.Equal(VcpuExitKind.Syscall, used.Cpu.Run().Kind);

            // Tables of the test's are all pages from the root on; a page that is none does no harm.
            Assert.True(used.Machine.TryReset(page => tables.Contains(page) || page >= template.Length || page >= guest.Root, guest.Root, pagesToKeep));
            Assert.Equal(0u, used.Read64(behind));
            RunProbe(used, guest);
            Assert.Equal(untouched.Memory.GetSpan(0, (int)template.Length), used.Memory.GetSpan(0, (int)template.Length));
            foreach (var (name, expected) in untouched.Cpu.ReadHardwareState())
                Assert.True(expected.AsSpan().SequenceEqual(used.Cpu.ReadHardwareState()[name]), $"{name} differ from those of a new machine: {Convert.ToHexString(expected)} and {Convert.ToHexString(used.Cpu.ReadHardwareState()[name])}");

            // Translations are gone with the page tables' entries.
            foreach (var address in (ulong[])[Fresh, OtherTable])
            {
                used.Cpu.Registers = guest.Cpu.Registers with { Rdi = address, Rdx = Source };
                var exit = used.Cpu.Run();
                Assert.Equal(VcpuExitKind.PageFault, exit.Kind);
                Assert.Equal(address, exit.Address);
            }
            Assert.True(used.Machine.TryReset(page => page >= guest.Root, guest.Root, pagesToKeep));
        }
    }

    [Fact]
    public void A_virtual_machine_that_has_died_is_not_used_again()
    {
        using var guest = new Guest();
        guest.Start([0x0F, 0x05]);
        using var template = guest.Freeze();
        using var fork = guest.Fork(template);
        fork.Cpu.Registers = guest.Cpu.Registers;
        fork.Memory.GetSpan(0x6000, 4096).Clear(); // the stub: the next exception cannot be delivered
        fork.Write64(guest.Root + (511 * 8), 0);
        Assert.Equal(VcpuExitKind.Shutdown, fork.Cpu.Run().Kind);
        Assert.False(fork.Machine.TryReset(_ => false, guest.Root, 0));
    }

    private static void RunProbe(Guest fork, Guest original)
    {
        fork.Cpu.Registers = original.Cpu.Registers with { Rdi = Results, Rdx = Source };
        fork.Cpu.PageTableRoot = original.Root;
        Assert.True(fork.Cpu.LoadExtendedState([]));
        Assert.Equal(VcpuExitKind.Syscall, fork.Cpu.Run().Kind);
    }
}
