namespace Ramet.Kernel.Platform;

/// <summary>
/// Through which a virtual CPU makes system calls without leaving the guest: its stub posts the call in memory and waits a moment,
/// and a host thread that polls serves it. An exit costs 30 to 50 us where KVM is nested or paravirtual, and 1 to 2 us elsewhere; this costs 2 us and less.
/// What is posted is the guest's word and nothing more: as hostile as any register.
/// </summary>
public interface ISyscallMailbox
{
    /// <summary>Whether a call waits. Cheap, and right only at that moment: <see cref="TryTake"/> decides.</summary>
    bool HasPosted { get; }

    /// <summary>From now on system calls try the mailbox first. By the virtual CPU's own thread, outside <see cref="IVirtualCpu.Run"/>.</summary>
    /// <returns>False when the platform refuses: then it is never used.</returns>
    bool TryEnable();

    /// <summary>Says whether somebody polls: otherwise calls leave the guest at once.</summary>
    void SetPolled(bool polled);

    /// <summary>
    /// Takes the call that waits. Until it is answered the virtual CPU does not come out of <see cref="IVirtualCpu.Run"/>. Fills what a call is made of:
    /// RAX, its arguments, RSP, and RIP, RCX, RFLAGS and R11 as after a <see cref="VcpuExitKind.Syscall"/> exit. Other registers stay as they are.
    /// </summary>
    bool TryTake(ref UserRegisters registers);

    /// <summary>The call is served and user code goes on with this result, in the guest.</summary>
    void Answer(ulong result);

    /// <summary>The call is served, and the virtual CPU has to leave the guest: with <see cref="VcpuExitKind.Served"/> and this in RAX.</summary>
    void AnswerAndLeave(ulong result);

    /// <summary>The call is not served: the virtual CPU leaves the guest to make it, with <see cref="VcpuExitKind.Syscall"/>.</summary>
    void Decline();
}
