using System.Buffers.Binary;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

/// <summary>A machine with one address space, built from raw page tables: code at <see cref="Code"/>, a stack, and whatever a test maps.</summary>
internal sealed class Guest : IDisposable
{
    public const ulong Code = 0x40_0000, Stack = 0x7FFF_FFF0_0000, Data = 0x1000_0000;
    public const ulong Present = 1, Writable = 2, User = 4, AccessedDirty = 0x60, NoExecute = 1UL << 63;
    public const ulong ReadWrite = Present | Writable | User | AccessedDirty, ReadOnly = Present | User | AccessedDirty;
    private const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    private readonly bool _owned;
    private ulong _nextFrame;

    public Guest(ulong limit = 64 << 20, int vcpus = 4, IReadOnlyList<GuestImage>? images = null)
        : this(VirtualMachine.Create(Device, new VirtualMachineOptions { MemoryLimit = limit, MaxVcpus = vcpus, Images = images ?? [] }), owned: true)
    {
        _nextFrame = Memory.ReservedSize;
        Root = NewRoot();
        Map(Stack - 0x1000, NewFrame(), ReadWrite);
        Cpu.PageTableRoot = Root;
    }

    private Guest(VirtualMachine machine, bool owned)
    {
        Machine = machine;
        _owned = owned;
    }

    /// <summary>The device, once per process. Without /dev/kvm every test fails with the reason.</summary>
    public static KvmDevice Device { get; } = KvmDevice.Open();

    public VirtualMachine Machine { get; }

    public KvmGuestMemory Memory => Machine.Memory;

    public VirtualCpu Cpu => Machine.GetVcpu(0);

    public ulong Root { get; private set; }

    public ulong UsedMemory => _nextFrame;

    public MemoryTemplate Freeze() => Memory.Freeze(_nextFrame);

    /// <summary>A fork of a frozen guest, with its address space.</summary>
    public Guest Fork(MemoryTemplate template, ulong limit = 64 << 20, IReadOnlyList<GuestImage>? images = null)
    {
        var machine = VirtualMachine.Create(Device, new VirtualMachineOptions { MemoryLimit = limit, MaxVcpus = 4, Template = template, Images = images ?? [] });
        var fork = new Guest(machine, owned: true) { Root = Root, _nextFrame = template.Length };
        fork.Cpu.PageTableRoot = Root;
        return fork;
    }

    public ulong NewFrame()
    {
        var frame = _nextFrame;
        _nextFrame += 4096;
        Assert.True(Memory.TryGrow(_nextFrame), "the guest is out of memory");
        Memory.GetSpan(frame, 4096).Clear();
        return frame;
    }

    public ulong NewRoot()
    {
        var root = NewFrame();
        Write64(root + (511 * 8), Machine.KernelPml4Entry);
        return root;
    }

    public ulong Read64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Memory.GetSpan(address, 8));

    public void Write64(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Memory.GetSpan(address, 8), value);

    /// <summary>The guest-physical address of the PTE of a linear address; tables are made as needed.</summary>
    public ulong Pte(ulong address, ulong? root = null)
    {
        var table = root ?? Root;
        for (var level = 3; level > 0; level--)
        {
            var entry = table + ((address >> (12 + (9 * level)) & 511) * 8);
            if ((Read64(entry) & Present) == 0)
                Write64(entry, NewFrame() | ReadWrite);
            table = Read64(entry) & AddressMask;
        }
        return table + ((address >> 12 & 511) * 8);
    }

    /// <summary>The guest-physical address of the page-directory entry of a linear address, which a large page is put into.</summary>
    public ulong LargePte(ulong address)
    {
        Pte(address);
        var table = Root;
        for (var level = 3; level > 1; level--)
            table = Read64(table + ((address >> (12 + (9 * level)) & 511) * 8)) & AddressMask;
        return table + ((address >> 21 & 511) * 8);
    }

    public void Map(ulong address, ulong frame, ulong flags, ulong? root = null) => Write64(Pte(address, root), frame | flags);

    /// <summary>Puts code at an address (a page of its own is mapped read-only when there is none) and points the vCPU at it.</summary>
    public void Start(ReadOnlySpan<byte> code, ulong address = Code, VirtualCpu? cpu = null)
    {
        Put(code, address);
        cpu ??= Cpu;
        cpu.PageTableRoot = Root;
        cpu.Registers = new UserRegisters { Rip = address, Rsp = Stack - 16, Rflags = 2 };
    }

    public void Put(ReadOnlySpan<byte> code, ulong address)
    {
        var pte = Pte(address);
        if ((Read64(pte) & Present) == 0)
            Write64(pte, NewFrame() | ReadOnly);
        code.CopyTo(Memory.GetSpan((Read64(pte) & AddressMask) + (address & 4095), code.Length));
    }

    /// <summary>Runs code to its first exit.</summary>
    public VcpuExit Run(params ReadOnlySpan<byte> code)
    {
        Start(code);
        return Cpu.Run();
    }

    public void Dispose()
    {
        if (_owned)
            Machine.Dispose();
    }
}
