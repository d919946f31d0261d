using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>Who turns guest addresses into host addresses, as far as a guest can tell.</summary>
public enum PagingRegime
{
    /// <summary>Paravirtual KVM: user code runs natively, ring 0 is emulated, page tables are shadowed.</summary>
    Paravirtual,

    /// <summary>VMX or SVM without nested paging: page tables are shadowed.</summary>
    Shadow,

    /// <summary>VMX with EPT or SVM with NPT: the CPU walks the guest's tables itself.</summary>
    Nested,
}

/// <summary>What a trial machine showed, for <c>ramet doctor</c>. Nothing in a sandbox depends on it: the platform works the same way in all regimes.</summary>
/// <param name="Regime">Who turns guest addresses into host addresses.</param>
/// <param name="SyscallRing">The privilege level at which a system call reaches the stub: 3 on paravirtual KVM, else 0.</param>
/// <param name="SoftwareInterruptsWork">Whether <c>int n</c> reaches its gate (else it is an invalid opcode).</param>
/// <param name="RootReloadSuffices">Whether a changed page-table entry is seen after the page-table root is loaded again, with nothing else done. Under emulation true does not prove it for hardware.</param>
/// <param name="ExitMicroseconds">Median time of a system call: into the guest and back.</param>
/// <param name="FaultMicroseconds">Median time of a page fault: into the guest and back.</param>
/// <param name="CreateMicroseconds">Time to make the trial machine with one vCPU and 16 MiB.</param>
/// <param name="TscUsable">Whether programs can tell the time from the counter without a system call.</param>
public sealed record MachineReport(
    PagingRegime Regime, int SyscallRing, bool SoftwareInterruptsWork, bool RootReloadSuffices, double ExitMicroseconds, double FaultMicroseconds, double CreateMicroseconds, bool TscUsable);

/// <summary>Runs a few instructions in a trial machine to find out what this host's KVM is like. Some 10 ms, once per device.</summary>
public static class MachineProbe
{
    private const ulong Code = 0x40_0000, Data = 0x40_1000, Absent = 0x50_0000;
    private const ulong TableFlags = 0x67, ReadOnly = 0x65, ReadWrite = 0x67;
    private const int Rounds = 64;

    private static readonly ConditionalWeakTable<KvmDevice, MachineReport> Known = [];

    /// <summary>The report on this device.</summary>
    /// <exception cref="KvmException">The trial machine cannot be made or does not work.</exception>
    public static MachineReport Get(KvmDevice device) => Known.GetValue(device, Probe);

    private static MachineReport Probe(KvmDevice device)
    {
        var start = Stopwatch.GetTimestamp();
        using var machine = VirtualMachine.Create(device, new VirtualMachineOptions { MemoryLimit = 16 << 20, MaxVcpus = 1 });
        var cpu = machine.GetVcpu(0);
        var create = Stopwatch.GetElapsedTime(start).TotalMicroseconds;

        var memory = machine.Memory;
        var frame = memory.ReservedSize;
        ulong root = Next(), otherRoot = Next(), pdpt = Next(), directory = Next(), table = Next(), code = Next(), one = Next(), two = Next();
        ulong Next() => (frame += 4096) - 4096;
        foreach (var top in new[] { root, otherRoot })
        {
            Write(top, 0, pdpt | TableFlags);
            Write(top, 511, machine.KernelPml4Entry);
        }
        Write(pdpt, 0, directory | TableFlags);
        Write(directory, (int)(Code >> 21), table | TableFlags);
        Write(table, 0, code | ReadOnly);
        Write(table, 1, one | ReadWrite);
        Write(one, 0, 1);
        Write(two, 0, 2);
        void Write(ulong page, int index, ulong value) => MemoryMarshal.Cast<byte, ulong>(memory.GetSpan(page, 4096))[index] = value;

        cpu.PageTableRoot = root;
        // 1: syscall; jmp 1b
        Expect(Run([0x0F, 0x05, 0xEB, 0xFC]), VcpuExitKind.Syscall);
        var ring = cpu.IsInRing0 ? 0 : 3;
        var exit = Median(() => Expect(cpu.Run(), VcpuExitKind.Syscall));
        // mov rax, [rdi]
        Load([0x48, 0x8B, 0x07]);
        cpu.Registers.Rdi = Absent;
        var fault = Median(() => Expect(cpu.Run(), VcpuExitKind.PageFault));
        // int 0x80: no such gate, so a general protection fault where the instruction works
        var interrupt = Run([0xCD, 0x80]);
        Expect(interrupt, VcpuExitKind.Exception);

        // 1: mov rax, [rdi]; syscall; jmp 1b -- through both roots, then again with another page behind the address
        Load([0x48, 0x8B, 0x07, 0x0F, 0x05, 0xEB, 0xF9]);
        cpu.Registers.Rdi = Data;
        Expect(cpu.Run(), VcpuExitKind.Syscall);
        Write(table, 1, two | ReadWrite);
        cpu.PageTableRoot = otherRoot;
        Expect(cpu.Run(), VcpuExitKind.Syscall);
        cpu.PageTableRoot = root;
        Expect(cpu.Run(), VcpuExitKind.Syscall);
        var reload = cpu.Registers.Rax == 2;

        var regime = ring == 3 ? PagingRegime.Paravirtual : reload ? PagingRegime.Nested : PagingRegime.Shadow;
        return new MachineReport(regime, ring, interrupt.Vector == 13, reload, exit, fault, create, machine.ReadTscClock() is not null);

        void Load(ReadOnlySpan<byte> instructions)
        {
            instructions.CopyTo(memory.GetSpan(code, 4096));
            cpu.Registers = new UserRegisters { Rip = Code };
        }

        VcpuExit Run(ReadOnlySpan<byte> instructions)
        {
            Load(instructions);
            return cpu.Run();
        }
    }

    private static double Median(Action action)
    {
        var times = new double[Rounds];
        for (var i = 0; i < Rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        Array.Sort(times);
        return times[Rounds / 2];
    }

    private static void Expect(VcpuExit exit, VcpuExitKind kind)
    {
        if (exit.Kind != kind)
            throw new KvmException($"KVM does not run a simple program: {exit.Kind} {exit.Vector} came where {kind} was due. {exit.Detail}".TrimEnd());
    }
}
