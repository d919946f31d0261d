using System.Runtime.InteropServices;
using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>Taking a used vCPU back to the state of a new one, so that nothing of one run can be seen in the next.</summary>
public sealed unsafe partial class VirtualCpu
{
    private const ulong InitialDr6 = 0xFFFF0FF0, InitialDr7 = 0x400;

    /// <summary>
    /// Sets every register that a guest can have changed, ring 0 included, to what a new vCPU has: general and segment registers, control registers, extended
    /// state, the MSRs of ours, debug registers, queued exceptions. Then forgets the translations that <see cref="Invalidate"/> was told of. It must not be in Run.
    /// </summary>
    /// <param name="root">A page-table root that is valid now.</param>
    /// <returns>False when the vCPU cannot be used again.</returns>
    internal bool TryReset(ulong root)
    {
        lock (_gate)
        {
            if (_threadId != 0)
                throw new InvalidOperationException("The virtual CPU is running.");
            if (_disposed || _dead is not null)
                return false;
            _kicked = false;
            _run->ImmediateExit = 1;
        }
        KickSignal.PrepareThread();
        // An access to a port that has left the VM is finished by the next entry: let that be now.
        var error = Libc.Ioctl(_fd, KvmAbi.KVM_RUN, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;
        _run->ImmediateExit = 0;
        if (error != Libc.EINTR || !TryResetRegisters())
            return false;
        _registers = default;
        _registers.Rflags = FixedFlags;
        _fsBase = _gsBase = 0;
        _root = root;
        _loaded = _usesDoorbell = false;
        TscOffset = null;
        _inInvalidation = false;
        PrepareSystemState(_initialSregs);
        return _invalid.Count == 0 || TryForget();
    }

    /// <summary>All registers as KVM has them, by the structure that they are read in: for tests and diagnosis. Valid after a Run.</summary>
    /// <exception cref="KvmException">KVM refuses.</exception>
    public IReadOnlyDictionary<string, byte[]> ReadHardwareState()
    {
        ReadOnlySpan<(string Name, nuint Request, int Size)> kinds =
        [
            ("registers", KvmAbi.KVM_GET_REGS, 144), ("segments and control registers", KvmAbi.KVM_GET_SREGS, 312), ("debug registers", KvmAbi.KVM_GET_DEBUGREGS, 128),
            ("XCR", KvmAbi.KVM_GET_XCRS, 392), ("events", KvmAbi.KVM_GET_VCPU_EVENTS, 64), ("extended state", KvmAbi.KVM_GET_XSAVE, 4096),
        ];
        var state = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (name, request, size) in kinds)
        {
            var bytes = new byte[size];
            // SAFETY: the buffer has the size of the structure that the request fills, and is pinned.
            fixed (byte* p = bytes)
                KvmDevice.Check(Libc.Ioctl(_fd, request, (nint)p), "Reading a virtual CPU's " + name);
            state[name] = bytes;
        }
        ReadOnlySpan<uint> msrs = [KvmAbi.MSR_STAR, KvmAbi.MSR_LSTAR, 0xC0000083, KvmAbi.MSR_SYSCALL_MASK, 0xC0000100, 0xC0000101, 0xC0000102, KvmAbi.MSR_TSC_AUX, 0x174, 0x175, 0x176, 0x277];
        var buffer = stackalloc byte[8 + sizeof(KvmMsr)];
        foreach (var msr in msrs)
        {
            *(ulong*)buffer = 1;
            *(KvmMsr*)(buffer + 8) = new KvmMsr(msr, 0);
            // SAFETY: the buffer holds the header and the one entry that it counts. An MSR that KVM does not have is left out.
            if (Libc.Ioctl(_fd, KvmAbi.KVM_GET_MSRS, (nint)buffer) == 1)
                state[$"MSR 0x{msr:x}"] = BitConverter.GetBytes(((KvmMsr*)(buffer + 8))->Data);
        }
        return state;
    }

    private bool TryResetRegisters()
    {
        KvmVcpuEvents events;
        KvmDebugRegisters debug = default;
        debug.Dr6 = InitialDr6;
        debug.Dr7 = InitialDr7;
        // SAFETY: the kernel fills the first struct on our stack and reads both.
        if (Libc.Ioctl(_fd, KvmAbi.KVM_GET_VCPU_EVENTS, (nint)(&events)) < 0)
            return false;
        events.ExceptionInjected = events.ExceptionPending = events.InterruptInjected = events.ExceptionNumber = events.ExceptionHasErrorCode = 0;
        events.ExceptionErrorCode = 0;
        if (Libc.Ioctl(_fd, KvmAbi.KVM_SET_VCPU_EVENTS, (nint)(&events)) < 0 || Libc.Ioctl(_fd, KvmAbi.KVM_SET_DEBUGREGS, (nint)(&debug)) < 0)
            return false;
        try
        {
            SetExtendedControl(_xstateMask);
            SetMsrs(Index);
        }
        catch (KvmException)
        {
            return false;
        }
        return LoadExtendedState([]);
    }

    /// <summary>Runs the invalidation stub, and nothing of the user's.</summary>
    private bool TryForget()
    {
        while (_invalid.Count > 0)
        {
            if (!_loaded)
                LoadSystemState();
            ref var sregs = ref _run->Sregs;
            sregs.Cr3 = _root;
            if (!PushInvalidation(ref sregs, toUser: false))
                return true;
            if (Enter() != 0 || _run->ExitReason != KvmAbi.KVM_EXIT_IO || _run->IoPort != GuestLayout.DonePort || (_run->Sregs.Cs.Selector & 3) != 0)
                return false;
            CompleteInvalidation();
        }
        // The port access is finished by an entry that goes nowhere.
        _run->ImmediateExit = 1;
        var ended = Libc.Ioctl(_fd, KvmAbi.KVM_RUN, 0) < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR;
        _run->ImmediateExit = 0;
        PrepareSystemState(_initialSregs);
        _loaded = false;
        return ended;
    }
}
