namespace Ramet.Kernel.Syscalls;

/// <summary>How well a system call is served.</summary>
public enum SyscallSupport
{
    /// <summary>ENOSYS.</summary>
    Absent,

    /// <summary>Something that Linux does is missing.</summary>
    Partial,

    /// <summary>Nothing is known to be missing.</summary>
    Full,
}

/// <summary>A system call in the table.</summary>
/// <param name="Number">Its number on x86-64.</param>
/// <param name="Name">Linux's name for it.</param>
/// <param name="Handler">Class and method that serve it; null when it is absent.</param>
/// <param name="Missing">What is missing against Linux, if anything is known to be.</param>
public sealed record SyscallDescription(int Number, string Name, string? Handler, string? Missing)
{
    /// <summary>How well it is served.</summary>
    public SyscallSupport Support => Handler is null ? SyscallSupport.Absent : Missing is null ? SyscallSupport.Full : SyscallSupport.Partial;
}
