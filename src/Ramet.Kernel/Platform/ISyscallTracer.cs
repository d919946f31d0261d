namespace Ramet.Kernel.Platform;

/// <summary>Sees each system call as it ends (--strace). Called under the kernel lock.</summary>
public interface ISyscallTracer
{
    /// <summary>A call has ended.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="text">The call as strace(1) would print it.</param>
    void OnSyscall(int tid, string text);
}
