namespace Ramet.Kernel.Platform;

/// <summary>Why a virtual CPU stopped running user code.</summary>
public enum VcpuExitKind : byte
{
    /// <summary>A kick from another host thread; registers are at an instruction boundary of user code.</summary>
    Interrupted,

    /// <summary>The <c>syscall</c> instruction. RAX holds the number; RIP is after the instruction, RCX = RIP and R11 = RFLAGS as on hardware.</summary>
    Syscall,

    /// <summary>A system call that was served through the mailbox while user code waited for it (<see cref="ISyscallMailbox.AnswerAndLeave"/>): registers are those behind the call, its result in RAX.</summary>
    Served,

    /// <summary>#PF: <see cref="VcpuExit.Address"/> is CR2 and <see cref="VcpuExit.ErrorCode"/> the architectural error code.</summary>
    PageFault,

    /// <summary>Any other CPU exception: <see cref="VcpuExit.Vector"/> and, where the vector has one, <see cref="VcpuExit.ErrorCode"/>.</summary>
    Exception,

    /// <summary>The virtual machine cannot go on (triple fault, internal error of KVM, host failure); <see cref="VcpuExit.Detail"/> says what happened.</summary>
    Shutdown,
}

/// <summary>One exit of a virtual CPU.</summary>
/// <param name="Kind">Why it stopped.</param>
/// <param name="Vector">The exception vector (Intel SDM vol. 3, 6.3.1), for exceptions and page faults.</param>
/// <param name="ErrorCode">The error code that the CPU pushed, or 0.</param>
/// <param name="Address">The faulting linear address (CR2), for page faults.</param>
/// <param name="Detail">For <see cref="VcpuExitKind.Shutdown"/>: a sentence for the log.</param>
public readonly record struct VcpuExit(
    VcpuExitKind Kind, byte Vector = 0, uint ErrorCode = 0, ulong Address = 0, string? Detail = null);
