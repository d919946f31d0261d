namespace Ramet.Kvm;

/// <summary>The machine code of Stub.S. A test assembles that file and compares.</summary>
internal static class GuestStub
{
    private const byte Int3 = 0xCC;

    /// <summary>out 0x20, al; sysretq.</summary>
    private static ReadOnlySpan<byte> Syscall => [0xE6, 0x20, 0x48, 0x0F, 0x07];

    /// <summary>pop rax; or word [rax], 0; loop; mov rax, cr3; mov cr3, rax; pop rcx; pop rax; iretq.</summary>
    private static ReadOnlySpan<byte> Invalidate =>
        [0x58, 0x66, 0x83, 0x08, 0x00, 0xE2, 0xF9, 0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8, 0x59, 0x58, 0x48, 0xCF];

    /// <summary>out 0x21, al.</summary>
    private static ReadOnlySpan<byte> Done => [0xE6, 0x21];

    internal static void WriteSyscallPage(Span<byte> page)
    {
        page.Fill(Int3);
        Syscall.CopyTo(page);
    }

    internal static void WriteFaultPage(Span<byte> page)
    {
        page.Fill(Int3);
        for (var vector = 0; vector < GuestLayout.Vectors; vector++)
        {
            page[vector * GuestLayout.FaultEntrySize] = 0xE6;
            page[(vector * GuestLayout.FaultEntrySize) + 1] = (byte)vector;
        }
        Invalidate.CopyTo(page[GuestLayout.InvalidateOffset..]);
        Done.CopyTo(page[GuestLayout.DoneOffset..]);
    }
}
