using System.Buffers.Binary;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// From the user's view of the registers to a vCPU that continues there. Three ways in: at CPL3 by setting registers;
/// through <c>sysretq</c> when the vCPU stands in the system-call stub in ring 0; through the invalidation stub.
/// </summary>
public sealed unsafe partial class VirtualCpu
{
    private readonly HashSet<ulong> _invalid = [];
    private readonly List<ulong> _invalidNow = [];
    private bool _inInvalidation; // this entry goes through the stub

    /// <inheritdoc/>
    public void Invalidate(ReadOnlySpan<ulong> pageTablePages)
    {
        foreach (var page in pageTablePages)
            _invalid.Add(page & ~(ulong)(GuestMemory.PageSize - 1));
    }

    private void PrepareEntry()
    {
        if (!_loaded)
        {
            LoadSystemState();
            _run->DirtyRegs |= KvmAbi.KVM_SYNC_X86_SREGS;
        }
        _registers.Rflags = (_registers.Rflags & UserFlags) | FixedFlags;
        _run->Regs = _registers;
        ref var sregs = ref _run->Sregs;
        if (sregs.Fs.Base != _fsBase || sregs.Gs.Base != _gsBase || sregs.Cr3 != _root)
        {
            sregs.Fs.Base = _fsBase;
            sregs.Gs.Base = _gsBase;
            sregs.Cr3 = _root;
            _run->DirtyRegs |= KvmAbi.KVM_SYNC_X86_SREGS;
        }
        if (_invalid.Count > 0 && PushInvalidation(ref sregs))
            return;
        _inInvalidation = false;
        _run->DirtyRegs |= KvmAbi.KVM_SYNC_X86_REGS;
        if ((sregs.Cs.Selector & 3) == 3)
            return;
        if (_registers.Rcx == _registers.Rip && _registers.R11 == _registers.Rflags && (_registers.Rflags & TrapOrResumeFlag) == 0)
        {
            // The stub's own way back: no segment registers to load.
            _run->Regs.Rip = GuestLayout.SyscallReturn;
            _run->Regs.Rflags = 2;
            return;
        }
        // Ring 0 is left by loading the user's segments; an iretq would be one more emulated instruction.
        sregs.Cs = UserCode;
        sregs.Ss = UserData;
        _run->DirtyRegs |= KvmAbi.KVM_SYNC_X86_SREGS;
    }

    /// <summary>Sends the vCPU through the invalidation stub (Stub.S) on its way to the user. False when no page is worth it.</summary>
    private bool PushInvalidation(ref KvmSregs sregs, bool toUser = true)
    {
        _invalidNow.Clear();
        var size = _memory.Size;
        foreach (var page in _invalid)
        {
            if (_invalidNow.Count == GuestLayout.MaxInvalidationsPerEntry)
                break;
            _invalidNow.Add(page);
        }
        var stack = _memory.GetSpan(_page, GuestLayout.StackTop);
        var at = GuestLayout.StackTop;
        var last = toUser && _invalid.Count == _invalidNow.Count;
        Push(stack, ref at, last ? GuestLayout.UserSs : GuestLayout.KernelSs);
        Push(stack, ref at, last ? _registers.Rsp : _stackTop);
        Push(stack, ref at, last ? _registers.Rflags : 2);
        Push(stack, ref at, last ? GuestLayout.UserCs : GuestLayout.KernelCs);
        Push(stack, ref at, last ? _registers.Rip : GuestLayout.DoneEntry);
        Push(stack, ref at, _registers.Rax);
        Push(stack, ref at, _registers.Rcx);
        var count = 0u;
        foreach (var page in _invalidNow)
        {
            // A page outside RAM never held a translation.
            if (page >= size)
                continue;
            Push(stack, ref at, GuestLayout.DirectMap + page);
            count++;
        }
        if (count == 0)
        {
            foreach (var page in _invalidNow)
                _invalid.Remove(page);
            return _invalid.Count > 0 && PushInvalidation(ref sregs, toUser);
        }
        _run->Regs.Rcx = count;
        _run->Regs.Rsp = _stackTop - (ulong)(GuestLayout.StackTop - at);
        _run->Regs.Rip = GuestLayout.InvalidateEntry;
        _run->Regs.Rflags = 2;
        sregs.Cs = KernelCode;
        sregs.Ss = KernelData;
        _run->DirtyRegs |= KvmAbi.KVM_SYNC_X86_REGS | KvmAbi.KVM_SYNC_X86_SREGS;
        _inInvalidation = true;
        return true;
    }

    /// <summary>The stub ran through: what was on its list is done.</summary>
    private void CompleteInvalidation()
    {
        if (!_inInvalidation)
            return;
        _inInvalidation = false;
        foreach (var page in _invalidNow)
            _invalid.Remove(page);
    }

    private static void Push(Span<byte> stack, ref int at, ulong value)
    {
        at -= 8;
        BinaryPrimitives.WriteUInt64LittleEndian(stack[at..], value);
    }
}
