using System.Runtime.InteropServices;

namespace Ramet.Host;

/// <summary>A range of the host process's address space, made by mmap(2) and unmapped once.</summary>
internal sealed unsafe class MemoryMapping : SafeHandle
{
    private MemoryMapping(void* address, nuint length)
        : base(-1, ownsHandle: true)
    {
        SetHandle((nint)address);
        Length = length;
    }

    internal nuint Length { get; }

    internal byte* Pointer => (byte*)handle;

    public override bool IsInvalid => handle is -1 or 0;

    internal static MemoryMapping Create(nuint length, int protection, int flags, FileDescriptor? fd, long offset = 0, string what = "memory")
    {
        // SAFETY: without MAP_FIXED the kernel picks a free range, so no existing mapping is touched.
        var p = Libc.Map(null, length, protection, flags & ~Libc.MAP_FIXED, fd?.Number ?? -1, offset);
        GC.KeepAlive(fd);
        return (nint)p != -1 ? new MemoryMapping(p, length) : throw HostException.FromErrno($"Mapping {length >> 10} KiB of {what}");
    }

    protected override bool ReleaseHandle() => Libc.Unmap((void*)handle, Length) == 0;
}
