using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// What zeroboot calls a spawn, as a yardstick for forks: a VM with interrupt controller and timer as a Linux guest needs them, a 512 MB template mapped
/// copy-on-write, one memory slot, one vCPU, and its whole state restored (CPUID, SREGS, XCRS, XSAVE, REGS, LAPIC, MSRs, events, debug registers, MP state). No guest
/// instruction runs: it is the part before the first one. Made with the same bindings and calls as Ramet's own machines.
/// </summary>
public sealed unsafe class ZerobootBaseline : IDisposable
{
    /// <summary>Bytes of the template.</summary>
    public const ulong TemplateLength = 512UL << 20;

    /// <summary>Model-specific registers that a snapshot of a Linux guest holds, as far as KVM keeps them.</summary>
    private static readonly uint[] s_registers =
    [
        0x10,       // TSC
        0x174, 0x175, 0x176, // SYSENTER_CS, _ESP, _EIP
        0x1A0,      // MISC_ENABLE
        0x277,      // PAT
        0x2FF,      // MTRR default type
        0x6E0,      // TSC_DEADLINE
        0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084, // STAR, LSTAR, CSTAR, SFMASK
        0xC0000102, // KERNEL_GS_BASE
        0xC0000103, // TSC_AUX
        0x4B564D00, 0x4B564D01, // KVM wall clock, KVM system time
    ];

    /// <summary>State by the request that reads it, the one that writes it, and its size.</summary>
    private static readonly (string Name, nuint Get, nuint Set, int Size)[] s_kinds =
    [
        ("SREGS", KvmAbi.KVM_GET_SREGS, KvmAbi.KVM_SET_SREGS, 312),
        ("XCRS", KvmAbi.KVM_GET_XCRS, KvmAbi.KVM_SET_XCRS, 392),
        ("XSAVE", KvmAbi.KVM_GET_XSAVE, KvmAbi.KVM_SET_XSAVE, 4096),
        ("REGS", KvmAbi.KVM_GET_REGS, KvmAbi.KVM_SET_REGS, 144),
        ("LAPIC", KvmAbi.KVM_GET_LAPIC, KvmAbi.KVM_SET_LAPIC, 1024),
        ("DEBUGREGS", KvmAbi.KVM_GET_DEBUGREGS, KvmAbi.KVM_SET_DEBUGREGS, 128),
        ("VCPU_EVENTS", KvmAbi.KVM_GET_VCPU_EVENTS, KvmAbi.KVM_SET_VCPU_EVENTS, 64),
        ("MP_STATE", KvmAbi.KVM_GET_MP_STATE, KvmAbi.KVM_SET_MP_STATE, 4),
    ];

    private readonly KvmDevice _device;
    private readonly FileDescriptor _template;
    private readonly byte[][] _state = new byte[s_kinds.Length][];
    private readonly KvmMsr[] _msrs;

    /// <summary>Makes the template: memory, and the state of a vCPU.</summary>
    /// <exception cref="KvmException">KVM refuses.</exception>
    public ZerobootBaseline(KvmDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        _template = MemoryFile.Create("ramet-baseline");
        try
        {
            _template.SetLength((long)TemplateLength);
            MemoryFile.Seal(_template);
            using var model = new Machine(this);
            for (var i = 0; i < s_kinds.Length; i++)
            {
                // XSAVE is written in the size that KVM_CAP_XSAVE2 names; what is read fits into it.
                _state[i] = new byte[s_kinds[i].Get == KvmAbi.KVM_GET_XSAVE ? device.XSaveSize : s_kinds[i].Size];
                var get = s_kinds[i].Get == KvmAbi.KVM_GET_XSAVE && device.XSaveSize > 4096 ? KvmAbi.KVM_GET_XSAVE2 : s_kinds[i].Get;
                model.Transfer(get, _state[i], s_kinds[i].Name);
            }

            _msrs = model.ReadRegisters(s_registers);
        }
        catch
        {
            _template.Dispose();
            throw;
        }
    }

    /// <summary>Makes one; dispose what comes back to end it.</summary>
    /// <exception cref="KvmException">KVM refuses.</exception>
    public IDisposable Spawn()
    {
        var machine = new Machine(this);
        try
        {
            for (var i = 0; i < s_kinds.Length; i++)
                machine.Transfer(s_kinds[i].Set, _state[i], s_kinds[i].Name);
            machine.WriteRegisters(_msrs);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _template.Dispose();

    /// <summary>A VM as a Linux guest needs it, with its memory and one vCPU.</summary>
    private sealed class Machine : IDisposable
    {
        private readonly FileDescriptor _vm;
        private readonly MemoryMapping? _memory;
        private readonly FileDescriptor? _vcpu;
        private readonly MemoryMapping? _run;

        internal Machine(ZerobootBaseline owner)
        {
            var device = owner._device;
            _vm = device.CreateVm();
            try
            {
                KvmDevice.Check(Libc.Ioctl(_vm, KvmAbi.KVM_CREATE_IRQCHIP, 0), "Creating an interrupt controller (KVM_CREATE_IRQCHIP)");
                // struct kvm_pit_config: flags and 15 reserved words, all zero.
                // SAFETY: the buffer has the size of the struct, which the request number names.
                var pit = stackalloc uint[16];
                new Span<uint>(pit, 16).Clear();
                KvmDevice.Check(Libc.Ioctl(_vm, KvmAbi.KVM_CREATE_PIT2, (nint)pit), "Creating a timer (KVM_CREATE_PIT2)");
                _memory = MemoryMapping.Create(
                    (nuint)TemplateLength, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_NORESERVE, owner._template, what: "the baseline's template");
                var region = new KvmMemoryRegion { Size = TemplateLength, HostAddress = (ulong)_memory.Pointer };
                // SAFETY: the struct is on our stack; the mapping is undone after the VM is closed.
                KvmDevice.Check(Libc.Ioctl(_vm, KvmAbi.KVM_SET_USER_MEMORY_REGION, (nint)(&region)), "KVM_SET_USER_MEMORY_REGION");
                _vcpu = new FileDescriptor(KvmDevice.Check(Libc.Ioctl(_vm, KvmAbi.KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU"));
                _run = MemoryMapping.Create(device.VcpuMapSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, _vcpu, what: "a vCPU's shared page");
                device.SetCpuid(_vcpu, 0);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        internal void Transfer(nuint request, byte[] state, string what)
        {
            // SAFETY: the array has the size of the request's struct, and is pinned for the call.
            fixed (byte* p = state)
                KvmDevice.Check(Libc.Ioctl(_vcpu!, request, (nint)p), what);
        }

        /// <summary>Those of the registers that this KVM has.</summary>
        internal KvmMsr[] ReadRegisters(uint[] wanted)
        {
            var found = new List<KvmMsr>();
            var buffer = stackalloc byte[8 + sizeof(KvmMsr)];
            foreach (var index in wanted)
            {
                *(ulong*)buffer = 1;
                *(KvmMsr*)(buffer + 8) = new KvmMsr(index, 0);
                // SAFETY: the buffer holds the header and the one entry that it counts.
                if (Libc.Ioctl(_vcpu!, KvmAbi.KVM_GET_MSRS, (nint)buffer) == 1)
                    found.Add(*(KvmMsr*)(buffer + 8));
            }

            return [.. found];
        }

        internal void WriteRegisters(KvmMsr[] msrs)
        {
            var buffer = stackalloc byte[8 + (s_registers.Length * sizeof(KvmMsr))];
            *(ulong*)buffer = (uint)msrs.Length;
            // SAFETY: there are no more registers than s_registers names, so they fit behind the header that counts them.
            msrs.CopyTo(new Span<KvmMsr>(buffer + 8, s_registers.Length));
            KvmDevice.Check(Libc.Ioctl(_vcpu!, KvmAbi.KVM_SET_MSRS, (nint)buffer), "KVM_SET_MSRS");
        }

        public void Dispose()
        {
            _run?.Dispose();
            _vcpu?.Dispose();
            _vm.Dispose();
            _memory?.Dispose();
        }
    }
}
