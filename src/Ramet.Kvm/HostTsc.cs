using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>The host CPU's time-stamp counter, for which .NET has no intrinsic: eleven bytes of machine code in a page of their own.</summary>
internal static unsafe class HostTsc
{
    private static readonly MemoryMapping Code = Load();

    /// <summary>Reads the counter after everything before it has happened.</summary>
    internal static ulong Read() =>
        // SAFETY: the page holds a leaf function with the C calling convention that changes RAX and RDX only.
        ((delegate* unmanaged<ulong>)Code.Pointer)();

    private static MemoryMapping Load()
    {
        // lfence; rdtsc; shl rdx, 32; or rax, rdx; ret
        ReadOnlySpan<byte> code = [0x0F, 0xAE, 0xE8, 0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];
        var page = MemoryMapping.Create(4096, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, null, what: "code");
        // SAFETY: the mapping is a whole page; it is never writable and executable at once.
        code.CopyTo(new Span<byte>(page.Pointer, 4096));
        if (Libc.Protect(page.Pointer, 4096, Libc.PROT_READ | Libc.PROT_EXEC) != 0)
            throw HostException.FromErrno("Making a page executable");
        return page;
    }
}
