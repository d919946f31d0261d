using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>System calls that a polling host thread serves while the vCPU stays in the guest (<see cref="SyscallMailbox"/>).</summary>
public sealed unsafe partial class VirtualCpu
{
    private const int NotInDoorbell = -1;

    private SyscallMailbox? _mailbox;
    private bool _usesDoorbell; // LSTAR points at it
    private int _doorbellOffset = NotInDoorbell; // where in the stub the last exit found the vCPU

    /// <inheritdoc/>
    public ISyscallMailbox Mailbox => _mailbox ??= new SyscallMailbox(this, _memory.Pointer(GuestLayout.Mailbox(Index)));

    /// <summary>Points LSTAR at the doorbell, until <see cref="TryReset"/>.</summary>
    internal bool TryUseDoorbell()
    {
        if (_usesDoorbell)
            return true;
        // Memory that an older version has saved has another stub.
        if (!SystemTables.HasDoorbell(_memory.GetSpan(0, (int)GuestLayout.ReservedSize), Index))
            return false;
        var buffer = stackalloc byte[8 + sizeof(KvmMsr)];
        *(ulong*)buffer = 1;
        *(KvmMsr*)(buffer + 8) = new KvmMsr(KvmAbi.MSR_LSTAR, GuestLayout.DoorbellPage(Index) + GuestLayout.DoorbellOffset);
        // SAFETY: the buffer holds the header and the one entry that it counts.
        _usesDoorbell = Libc.Ioctl(_fd, KvmAbi.KVM_SET_MSRS, (nint)buffer) == 1;
        return _usesDoorbell;
    }

    private bool TryFindDoorbell(ulong rip)
    {
        var offset = rip - GuestLayout.DoorbellPage(Index);
        if (!_usesDoorbell || offset < GuestLayout.DoorbellOffset || offset >= GuestLayout.DoorbellEnd)
            return false;
        _doorbellOffset = (int)offset;
        return true;
    }

    /// <summary>The vCPU has left the guest: what became of a call that it may have posted.</summary>
    private VcpuExit CloseMailbox(in VcpuExit exit)
    {
        var (answered, mustLeave, waits, result) = _mailbox!.Close();
        var offset = _doorbellOffset;
        _doorbellOffset = NotInDoorbell;
        if (exit.Kind == VcpuExitKind.Shutdown)
            return exit;
        if (offset == NotInDoorbell)
            return mustLeave ? Die("the guest went on without waiting for a system call that it had posted") : exit;
        if (answered && (mustLeave || waits || offset >= GuestLayout.DoorbellAnsweredOffset))
        {
            _registers.Rax = result;
            return new VcpuExit(VcpuExitKind.Served);
        }
        if (offset is > GuestLayout.DoorbellOffset and < GuestLayout.DoorbellOutOffset)
            _registers.Rax = _mailbox.ReadNumber();
        return exit;
    }
}
