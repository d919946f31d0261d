using System.Diagnostics;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class DeviceTests
{
    [Theory]
    [InlineData("/dev/no-such-kvm", "does not exist", "modprobe")]
    [InlineData("/dev/null", "not the KVM device", "/dev/kvm")]
    public void A_device_that_cannot_be_used_says_what_to_do(string path, string what, string advice)
    {
        var message = Assert.Throws<KvmException>(() => KvmDevice.Open(path)).Message;
        Assert.Contains(what, message, StringComparison.Ordinal);
        Assert.Contains(advice, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_above_the_limit_is_refused_with_both_numbers()
    {
        using var guest = new Guest();
        Assert.True(guest.Memory.TryGrow(32 << 20));
        using var template = guest.Memory.Freeze(32 << 20);
        var options = new VirtualMachineOptions { MemoryLimit = 16 << 20, Template = template };
        Assert.Contains("32 MiB", Assert.Throws<KvmException>(() => VirtualMachine.Create(Guest.Device, options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Five_hundred_machines_leave_nothing_behind()
    {
        using var guest = new Guest();
        guest.Start([0x0F, 0x05]);
        using var template = guest.Freeze();
        void Round(int i)
        {
            using var fork = i % 3 == 0 ? new Guest() : guest.Fork(template);
            if (i % 3 == 0)
                fork.Start([0x0F, 0x05]);
            else
                fork.Cpu.Registers = guest.Cpu.Registers;
            if (i % 5 == 0)
                fork.Machine.GetVcpu(1);
            if (i % 7 == 0)
                Assert.True(fork.Memory.TryGrow(fork.Memory.Size + 1));
            Assert.Equal(VcpuExitKind.Syscall, fork.Cpu.Run().Kind);
        }
        for (var i = 0; i < 10; i++)
            Round(i);
        GC.Collect();
        var before = (Files: Files(), Maps: Maps(), Threads: Threads());
        // Under emulation a round takes a hundred times as long.
        var rounds = Emulated.IsOn ? 50 : 500;
        for (var i = 0; i < rounds; i++)
            Round(i);
        GC.Collect();
        Assert.InRange(Files() - before.Files, -50, 5);
        Assert.InRange(Maps() - before.Maps, -500, 60); // the collector's own heap moves too
        Assert.InRange(Threads() - before.Threads, -10, 4);
    }

    private static int Files() => Directory.GetFiles("/proc/self/fd").Length;

    private static int Maps() => File.ReadLines("/proc/self/maps").Count();

    private static int Threads()
    {
        using var process = Process.GetCurrentProcess();
        return process.Threads.Count;
    }
}
