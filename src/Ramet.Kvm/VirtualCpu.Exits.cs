using System.Buffers.Binary;
using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>From the state in which KVM_RUN returns to the user's view of it. Everything in guest memory is hostile here.</summary>
public sealed unsafe partial class VirtualCpu
{
    private const byte PageFault = 14;

    /// <summary>Vectors for which the CPU pushes an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX.</summary>
    private const uint VectorsWithErrorCode = (1u << 8) | (1u << 10) | (1u << 11) | (1u << 12) | (1u << 13) | (1u << 14) | (1u << 17) | (1u << 21) | (1u << 29) | (1u << 30);

    /// <summary>False when the exit was the platform's own and the vCPU must be entered again.</summary>
    private bool TryDecode(out VcpuExit exit)
    {
        if (_run->ExitReason != KvmAbi.KVM_EXIT_IO)
        {
            exit = Die(DescribeFatalExit());
            return true;
        }
        var ring0 = (_run->Sregs.Cs.Selector & 3) == 0;
        var port = _run->IoPort;
        if (_run->IoDirection == KvmAbi.KVM_EXIT_IO_OUT && _run->IoSize == 1 && _run->IoCount == 1)
        {
            // RIP is at the instruction on stock KVM and behind it on paravirtual KVM.
            if (port == GuestLayout.SyscallPort && (_run->Regs.Rip is GuestLayout.SyscallOut or GuestLayout.SyscallReturn || TryFindDoorbell(_run->Regs.Rip)))
            {
                exit = TakeSyscall();
                return true;
            }
            if (ring0 && port < GuestLayout.Vectors)
            {
                exit = TakeFault((byte)port);
                return true;
            }
            if (ring0 && port == GuestLayout.DonePort && _inInvalidation)
            {
                CompleteInvalidation();
                exit = default;
                return false;
            }
        }
        exit = ring0 ? Die($"ring 0 of the guest was changed (port 0x{port:x} at 0x{_run->Regs.Rip:x})") : TakeStrayPortAccess();
        return true;
    }

    /// <summary>KVM_RUN was ended by a kick: anywhere in user code, or in a stub.</summary>
    private bool TryDecodeInterrupted(out VcpuExit exit)
    {
        var rip = _run->Regs.Rip;
        var ring0 = (_run->Sregs.Cs.Selector & 3) == 0;
        exit = new VcpuExit(VcpuExitKind.Interrupted);

        // An exception that KVM has queued but not delivered would otherwise hit whatever runs here next.
        KvmVcpuEvents events;
        // SAFETY: the kernel fills the struct on our stack, and reads it back.
        if (Libc.Ioctl(_fd, KvmAbi.KVM_GET_VCPU_EVENTS, (nint)(&events)) < 0)
        {
            exit = Die("KVM_GET_VCPU_EVENTS failed");
            return true;
        }
        var queued = events.ExceptionInjected != 0 || events.ExceptionPending != 0;
        if (queued || events.InterruptInjected != 0)
        {
            var clean = events;
            clean.ExceptionInjected = clean.ExceptionPending = clean.InterruptInjected = 0;
            if (Libc.Ioctl(_fd, KvmAbi.KVM_SET_VCPU_EVENTS, (nint)(&clean)) < 0)
            {
                exit = Die("KVM_SET_VCPU_EVENTS failed");
                return true;
            }
        }
        if (TryFindDoorbell(rip))
        {
            // On the way in, waiting, or on the way back with an answer: CloseMailbox finds out which. The kick stays for the next Run.
            exit = TakeSyscall();
            return true;
        }
        if (!ring0)
        {
            // Paravirtual KVM: at the system-call stub, still in ring 3. The call has been made; the kick stays for the next Run.
            if (rip == GuestLayout.SyscallOut)
            {
                exit = TakeSyscall();
                return true;
            }
            CompleteInvalidation();
            TakeUserState();
            if (queued)
                exit = TakeQueuedException(events);
            return true;
        }
        // In ring 0 on the way to us: the call or fault has happened, so it is the exit, and the kick stays.
        if (rip == GuestLayout.SyscallOut)
            exit = TakeSyscall();
        else if (rip - GuestLayout.FaultEntries is < GuestLayout.Vectors * GuestLayout.FaultEntrySize and var offset && offset % GuestLayout.FaultEntrySize == 0)
            exit = TakeFault((byte)(offset / GuestLayout.FaultEntrySize));
        else if (rip == GuestLayout.SyscallReturn || (rip >= GuestLayout.InvalidateEntry && rip <= GuestLayout.DoneEntry + 2))
            return true; // on the way to the user: _registers still is the user's view, and an invalidation is done again
        else
            exit = Die($"ring 0 of the guest was changed (stopped at 0x{rip:x})");
        return true;
    }

    private void TakeUserState()
    {
        _registers = _run->Regs;
        TakeBases();
    }

    private void TakeBases()
    {
        _fsBase = _run->Sregs.Fs.Base;
        _gsBase = _run->Sregs.Gs.Base;
    }

    private VcpuExit TakeSyscall()
    {
        CompleteInvalidation();
        TakeUserState();
        _registers.Rip = _registers.Rcx;
        _registers.Rflags = _registers.R11;
        return new VcpuExit(VcpuExitKind.Syscall);
    }

    private VcpuExit TakeFault(byte vector)
    {
        CompleteInvalidation();
        var hasCode = (VectorsWithErrorCode >> vector & 1) != 0;
        var size = hasCode ? 48 : 40;
        if (_run->Regs.Rsp != _stackTop - (ulong)size)
            return Die($"exception {vector} in ring 0 of the guest, or its stack was changed (RSP 0x{_run->Regs.Rsp:x})");
        var frame = _memory.GetSpan(_page + GuestLayout.StackTop - (ulong)size, size);
        var code = hasCode ? BinaryPrimitives.ReadUInt32LittleEndian(frame) : 0;
        frame = frame[(size - 40)..];
        var cs = BinaryPrimitives.ReadUInt64LittleEndian(frame[8..]);
        var rip = BinaryPrimitives.ReadUInt64LittleEndian(frame);
        if ((cs & 3) != 3)
            return Die($"exception {vector} in ring 0 of the guest at 0x{rip:x}");
        TakeUserState();
        _registers.Rip = rip;
        _registers.Rflags = BinaryPrimitives.ReadUInt64LittleEndian(frame[16..]);
        _registers.Rsp = BinaryPrimitives.ReadUInt64LittleEndian(frame[24..]);
        return vector == PageFault
            ? new VcpuExit(VcpuExitKind.PageFault, PageFault, code, _run->Sregs.Cr2)
            : new VcpuExit(VcpuExitKind.Exception, vector, code);
    }

    private VcpuExit TakeQueuedException(in KvmVcpuEvents events)
    {
        var code = events.ExceptionHasErrorCode != 0 ? events.ExceptionErrorCode : 0;
        if (events.ExceptionNumber != PageFault)
            return new VcpuExit(VcpuExitKind.Exception, events.ExceptionNumber, code);
        // CR2 may have been set while the events were read (the payload of a pending fault), so the shared page is too old.
        KvmSregs sregs;
        // SAFETY: the kernel fills the struct on our stack.
        if (Libc.Ioctl(_fd, KvmAbi.KVM_GET_SREGS, (nint)(&sregs)) < 0)
            return Die("KVM_GET_SREGS failed");
        return new VcpuExit(VcpuExitKind.PageFault, PageFault, code, sregs.Cr2);
    }

    /// <summary>
    /// User code used the one port that is open to it. Linux would give #GP, so this does; first the access is brought
    /// to its end, or KVM would finish it into the registers of whatever runs here next.
    /// </summary>
    private VcpuExit TakeStrayPortAccess()
    {
        CompleteInvalidation();
        lock (_gate)
            _run->ImmediateExit = 1;
        var finished = false;
        for (var tries = 0; tries < 4096 && !finished; tries++)
            finished = Libc.Ioctl(_fd, KvmAbi.KVM_RUN, 0) < 0;
        lock (_gate)
            _run->ImmediateExit = (byte)(_kicked ? 1 : 0);
        if (!finished)
            return Die("the guest's port access does not end");
        TakeUserState();
        return new VcpuExit(VcpuExitKind.Exception, GeneralProtection);
    }

    private string DescribeFatalExit() => _run->ExitReason switch
    {
        KvmAbi.KVM_EXIT_SHUTDOWN => "triple fault: the guest's tables in ring 0 are damaged",
        KvmAbi.KVM_EXIT_MMIO => $"the guest {(_run->MmioIsWrite != 0 ? "wrote to" : "read")} guest-physical address 0x{_run->MmioAddress:x}, which is not {(_run->MmioIsWrite != 0 ? "writable " : "")}memory: its page tables are damaged",
        KvmAbi.KVM_EXIT_INTERNAL_ERROR => $"KVM internal error {_run->InternalSuberror} at 0x{_run->Regs.Rip:x}",
        KvmAbi.KVM_EXIT_FAIL_ENTRY => $"the CPU refused the guest's state (reason 0x{_run->FailEntryReason:x})",
        KvmAbi.KVM_EXIT_HLT => "hlt in ring 0 of the guest",
        var reason => $"unexpected KVM exit {reason} at 0x{_run->Regs.Rip:x}",
    };
}
