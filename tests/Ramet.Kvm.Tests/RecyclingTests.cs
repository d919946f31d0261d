using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class RecyclingTests(ITestOutputHelper output)
{
    [Fact]
    public void A_used_fork_is_reset_to_its_template_and_runs_again()
    {
        using var guest = new Guest();
        var frame = guest.NewFrame();
        guest.Write64(frame, 0x7E);
        guest.Map(Guest.Data, frame, Guest.ReadWrite);
        guest.Start([0x48, 0x8B, 0x1F, 0x48, 0x89, 0x37, 0x0F, 0x05]); // mov rbx, [rdi]; mov [rdi], rsi; syscall
        using var template = guest.Freeze();
        using var fork = guest.Fork(template);
        Assert.Empty(fork.Memory.FindWrittenPages());
        Assert.Throws<InvalidOperationException>(() => guest.Memory.ResetToTemplate());
        for (var i = 1ul; i <= 10; i++)
        {
            fork.Cpu.Registers = guest.Cpu.Registers with { Rdi = Guest.Data, Rsi = i };
            Assert.Equal(VcpuExitKind.Syscall, fork.Cpu.Run().Kind);
            Assert.Equal(0x7Eu, fork.Cpu.Registers.Rbx);
            Assert.Equal(i, fork.Read64(frame));

            // A page table is written too, and RAM behind the template.
            var grown = fork.NewFrame();
            fork.Write64(grown, i);
            fork.Map(Guest.Data, grown, Guest.ReadWrite);
            var table = fork.Pte(Guest.Data) & ~4095ul;
            fork.Cpu.Invalidate([table]);
            fork.Cpu.Registers.Rip = Guest.Code;
            Assert.Equal(VcpuExitKind.Syscall, fork.Cpu.Run().Kind);
            Assert.Equal(i, fork.Cpu.Registers.Rbx);

            var written = fork.Memory.ResetToTemplate();
            Assert.Contains(written, r => frame >= r.Address && frame < r.Address + r.Length);
            Assert.Contains(written, r => table >= r.Address && table < r.Address + r.Length);
            Assert.True(written.Sum(r => (long)r.Length) <= 16 * 4096, "far more was dropped than was written");
            Assert.Equal(0x7Eu, fork.Read64(frame));
            Assert.Equal(0u, fork.Read64(grown));
            fork.Cpu.Invalidate([table]);
            if (i % 2 == 0)
            {
                foreach (var (address, length) in written)
                    fork.Memory.Populate(address, length);
            }
        }
    }

    [Fact]
    public void The_probe_describes_the_host()
    {
        var report = MachineProbe.Get(Guest.Device);
        output.WriteLine(report.ToString());
        Assert.True(Enum.IsDefined(report.Regime));
        Assert.Contains(report.SyscallRing, new[] { 0, 3 });
        Assert.True(report.ExitMicroseconds > 0 && report.FaultMicroseconds > 0 && report.CreateMicroseconds > 0);
        Assert.Same(report, MachineProbe.Get(Guest.Device));
    }
}
