namespace Ramet.Kernel.Syscalls;

/// <summary>
/// This static method serves a system call. Its first parameter is the calling <c>PosixThread</c>, up to six
/// further ones are the arguments in register order (RDI, RSI, RDX, R10, R8, R9), of type int, uint, long, ulong, an
/// enum, <c>UserAddress</c> or <c>UserPath</c>. Dispatch, tracing and docs/syscalls.md are generated from it.
/// </summary>
/// <param name="number">The call's number on x86-64.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class SyscallAttribute(SyscallNumber number) : Attribute
{
    /// <summary>The call's number on x86-64.</summary>
    public SyscallNumber Number { get; } = number;

    /// <summary>What is missing against Linux, as a short phrase for docs/syscalls.md; null when nothing that is known of.</summary>
    public string? Missing { get; set; }
}

/// <summary>A pointer argument to data that the call reads; tracing shows it.</summary>
/// <param name="length">Name of the parameter that holds the length in bytes.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class InAttribute(string length) : Attribute
{
    /// <summary>Name of the parameter that holds the length in bytes.</summary>
    public string Length { get; } = length;
}

/// <summary>A pointer argument to a buffer that the call fills; tracing shows as many bytes as the call returned.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class OutAttribute : Attribute;
