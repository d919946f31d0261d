using Ramet.Host;

namespace Ramet.Kvm;

public sealed unsafe partial class VirtualCpu
{
    private const ulong Cr0 = 0x8005_0033;  // PG AM WP NE ET MP PE
    private const ulong Cr4 = 0x4_0620;     // OSXSAVE, OSXMMEXCPT, OSFXSR, PAE
    private const ulong Efer = 0xD01;       // NXE LMA LME SCE

    /// <summary>What <c>syscall</c> clears: TF IF DF IOPL NT AC.</summary>
    private const ulong SyscallFlagMask = 0x47700;

    private static KvmSegment UserCode => new() { Limit = 0xFFFFFFFF, Selector = GuestLayout.UserCs, Type = 11, Present = 1, Dpl = 3, S = 1, L = 1, G = 1 };

    private static KvmSegment UserData => new() { Limit = 0xFFFFFFFF, Selector = GuestLayout.UserSs, Type = 3, Present = 1, Dpl = 3, S = 1, Db = 1, G = 1 };

    private static KvmSegment KernelCode => UserCode with { Selector = GuestLayout.KernelCs, Dpl = 0 };

    private static KvmSegment KernelData => UserData with { Selector = GuestLayout.KernelSs, Dpl = 0 };

    /// <summary>Fills the shared page with the state of a vCPU at CPL3; the first Run loads it, with no ioctl of its own.</summary>
    private void PrepareSystemState(KvmSregs sregs)
    {
        sregs.Cs = UserCode;
        sregs.Ss = sregs.Ds = sregs.Es = sregs.Fs = sregs.Gs = UserData;
        sregs.Tr = new KvmSegment
        {
            Base = GuestLayout.Window + _page, Limit = GuestLayout.TssLimit, Selector = GuestLayout.TaskSelector, Type = 11, Present = 1,
        };
        sregs.Gdt.Base = GuestLayout.Window + GuestLayout.Descriptors;
        sregs.Gdt.Limit = (GuestLayout.TaskSelector & ~7) + 15;
        sregs.Idt.Base = GuestLayout.Window + GuestLayout.Descriptors + GuestLayout.IdtOffset;
        sregs.Idt.Limit = (GuestLayout.Vectors * 16) - 1;
        sregs.Cr0 = Cr0;
        sregs.Cr4 = Cr4 | (_fsGsBase ? 0x1_0000u : 0u);
        sregs.Efer = Efer;
        _run->Sregs = sregs;
        _run->ValidRegs = KvmAbi.KVM_SYNC_X86_REGS | KvmAbi.KVM_SYNC_X86_SREGS;
    }

    /// <summary>The first entry: the task state goes into this vCPU's page, unless the template brought it along.</summary>
    private void LoadSystemState()
    {
        var page = _memory.GetSpan(_page, 4096);
        Span<byte> wanted = stackalloc byte[GuestLayout.TssLimit + 1];
        wanted.Clear();
        SystemTables.WriteTaskState(wanted, Index);
        if (!page[..wanted.Length].SequenceEqual(wanted))
            wanted.CopyTo(page);
        _loaded = true;
    }

    private void SetExtendedControl(ulong mask)
    {
        // struct kvm_xcrs: count, flags, 16 of { u32 xcr, u32 reserved, u64 value }, 16 u64 of padding.
        // SAFETY: the buffer has the size of the struct, which the request number names.
        var xcrs = stackalloc ulong[49];
        new Span<ulong>(xcrs, 49).Clear();
        xcrs[0] = 1;
        xcrs[2] = mask;
        KvmDevice.Check(Libc.Ioctl(_fd, KvmAbi.KVM_SET_XCRS, (nint)xcrs), $"Enabling extended CPU state 0x{mask:x} (KVM_SET_XCRS)");
    }

    private void SetMsrs(int index)
    {
        const int count = 4;
        // SAFETY: the buffer holds the 8-byte header and the entries that the header counts.
        var buffer = stackalloc byte[8 + (count * sizeof(KvmMsr))];
        *(ulong*)buffer = count;
        var msrs = (KvmMsr*)(buffer + 8);
        msrs[0] = new KvmMsr(KvmAbi.MSR_STAR, ((ulong)GuestLayout.KernelCs << 32) | ((ulong)(GuestLayout.UserCs - 16) << 48));
        msrs[1] = new KvmMsr(KvmAbi.MSR_LSTAR, GuestLayout.SyscallOut);
        msrs[2] = new KvmMsr(KvmAbi.MSR_SYSCALL_MASK, SyscallFlagMask);
        // Last, because KVM stops at the first that it refuses: rdtscp and rdpid give the vCPU's number where there is such a register.
        msrs[3] = new KvmMsr(KvmAbi.MSR_TSC_AUX, (ulong)index);
        if (KvmDevice.Check(Libc.Ioctl(_fd, KvmAbi.KVM_SET_MSRS, (nint)buffer), "KVM_SET_MSRS") < count - 1)
            throw new KvmException("KVM refused the system-call registers (STAR, LSTAR, SFMASK): it does not emulate a 64-bit CPU.");
    }

    private void SetSignalMask()
    {
        // struct kvm_signal_mask: u32 length, then the kernel's 8-byte set.
        // SAFETY: 12 bytes, as the length field says.
        var buffer = stackalloc byte[16];
        *(uint*)buffer = 8;
        *(ulong*)(buffer + 4) = KickSignal.MaskInsideRun;
        KvmDevice.Check(Libc.Ioctl(_fd, KvmAbi.KVM_SET_SIGNAL_MASK, (nint)buffer), "KVM_SET_SIGNAL_MASK");
    }
}
