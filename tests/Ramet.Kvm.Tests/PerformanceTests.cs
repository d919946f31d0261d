using System.Diagnostics;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

/// <summary>Figures for the log, with limits so wide that only a lost fast path breaks them.</summary>
[Trait("Kind", "performance")]
public sealed class PerformanceTests(ITestOutputHelper output)
{
    private double Measure(string what, int count, Action action, Action? between = null)
    {
        var times = new double[count];
        for (var i = -Math.Min(20, count); i < count; i++)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            var time = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            if (i >= 0)
                times[i] = time;
            between?.Invoke();
        }
        Array.Sort(times);
        output.WriteLine($"{what}: p50 {times[count / 2]:F1} us, p99 {times[count * 99 / 100]:F1} us");
        return times[count / 2];
    }

    [Fact]
    public void Exits_and_machines_are_quick()
    {
        using var guest = new Guest();
        guest.Start([0x0F, 0x05, 0xEB, 0xFC]);
        var cpu = guest.Cpu;
        Assert.True(Measure("system call", 2000, () => cpu.Run()) < 5000);
        Measure("system call with FS base changed", 2000, () =>
        {
            cpu.FsBase += 4096;
            cpu.Run();
        });
        var roots = new[] { guest.Root, guest.NewFrame() };
        guest.Memory.GetSpan(roots[0], 4096).CopyTo(guest.Memory.GetSpan(roots[1], 4096));
        var n = 0;
        Measure("system call with another page-table root", 2000, () =>
        {
            cpu.PageTableRoot = roots[n++ & 1];
            cpu.Run();
        });
        cpu.PageTableRoot = guest.Root;
        var pte = guest.Pte(Guest.Code) & ~4095ul;
        Measure("system call with one page-table page invalidated", 1000, () =>
        {
            cpu.Invalidate([pte]);
            cpu.Run();
        });
        var area = new byte[guest.Machine.Features.XStateSize];
        Measure("save extended state", 500, () => cpu.SaveExtendedState(area));
        Measure("load extended state", 500, () => cpu.LoadExtendedState(area));
        guest.Start([0x48, 0x8B, 0x07, 0xEB, 0xFB]);
        cpu.Registers.Rdi = Guest.Data;
        Assert.True(Measure("page fault", 2000, () => cpu.Run()) < 5000);

        guest.Start([0x0F, 0x05, 0xEB, 0xFC]);
        using var template = guest.Freeze();
        var options = new VirtualMachineOptions { MemoryLimit = 512 << 20, Template = template };
        VirtualMachine? machine = null;
        var create = Measure("create a machine from a template and its vCPU", 200, () =>
        {
            machine = VirtualMachine.Create(Guest.Device, options);
            var vcpu = machine.GetVcpu(0);
            vcpu.Registers = cpu.Registers;
            vcpu.PageTableRoot = guest.Root;
        }, () => machine!.Dispose());
        Assert.True(create < 50_000);
        Measure("dispose of a machine that ran", 100, () => machine!.Dispose(), () =>
        {
            machine = VirtualMachine.Create(Guest.Device, options);
            var vcpu = machine.GetVcpu(0);
            vcpu.Registers = cpu.Registers;
            vcpu.PageTableRoot = guest.Root;
            vcpu.Run();
        });
        machine!.Dispose();
        Measure("the same with its first system call", 200, () =>
        {
            machine = VirtualMachine.Create(Guest.Device, options);
            var vcpu = machine.GetVcpu(0);
            vcpu.Registers = cpu.Registers;
            vcpu.PageTableRoot = guest.Root;
            Assert.Equal(VcpuExitKind.Syscall, vcpu.Run().Kind);
        }, () => machine!.Dispose());
        VirtualMachine? prepared = null;
        void Next()
        {
            prepared?.Dispose();
            prepared = VirtualMachine.Prepare(Guest.Device, new VirtualMachineOptions { MemoryLimit = 512 << 20 });
        }
        Next();
        Measure("attach a template to a prepared machine", 200, () => prepared!.Attach(template), Next);
        Measure("the same with its first system call", 200, () =>
        {
            prepared!.Attach(template);
            var vcpu = prepared.GetVcpu(0);
            vcpu.Registers = cpu.Registers;
            vcpu.PageTableRoot = guest.Root;
            Assert.Equal(VcpuExitKind.Syscall, vcpu.Run().Kind);
        }, Next);
        prepared!.Dispose();
        Measure("create a machine from nothing", 100, () => machine = VirtualMachine.Create(Guest.Device, options with { Template = null }), () => machine!.Dispose());
    }
}
