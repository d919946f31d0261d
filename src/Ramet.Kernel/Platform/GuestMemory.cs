namespace Ramet.Kernel.Platform;

/// <summary>
/// The physical memory of one sandbox. RAM starts at guest-physical address 0 and grows on demand up to
/// <see cref="Limit"/>; read-only image files are attached above <see cref="ImageBase"/>. This is the only maker of
/// spans over guest memory, and every address is checked: a hostile guest may have put anything into a page table.
/// Other vCPUs may write to the memory behind a span at any time: copy a structure in before validating it.
/// </summary>
public abstract class GuestMemory : IDisposable
{
    /// <summary>Size of a page frame in bytes.</summary>
    public const int PageSize = 4096;

    /// <summary>Guest-physical address at which the first image file is attached (64 GiB: below 2^39, which the smallest CPUs address).</summary>
    public const ulong ImageBase = 1UL << 36;

    /// <summary>Bytes of RAM present now, a multiple of <see cref="PageSize"/>.</summary>
    public abstract ulong Size { get; }

    /// <summary>Bytes to which RAM may grow.</summary>
    public abstract ulong Limit { get; }

    /// <summary>RAM below this address belongs to the platform (descriptor tables, stub, kernel page tables); the kernel never allocates from it.</summary>
    public abstract ulong ReservedSize { get; }

    /// <summary>
    /// Makes at least <paramref name="size"/> bytes of RAM present; new RAM reads as zero. Never shrinks.
    /// False when that is over <see cref="Limit"/> or the host refuses; nothing has changed then.
    /// </summary>
    public abstract bool TryGrow(ulong size);

    /// <summary>Writable RAM. False when any byte of the range is not present RAM.</summary>
    public abstract bool TryGetSpan(ulong address, int length, out Span<byte> span);

    /// <summary>Readable RAM or image bytes. False when any byte of the range is neither.</summary>
    public abstract bool TryGetReadOnlySpan(ulong address, int length, out ReadOnlySpan<byte> span);

    /// <summary>Writable RAM at an address that the kernel itself allocated.</summary>
    /// <exception cref="GuestMemoryException">The range is not RAM: the guest damaged a structure that the kernel follows.</exception>
    public Span<byte> GetSpan(ulong address, int length) =>
        TryGetSpan(address, length, out var span) ? span : throw new GuestMemoryException(address, length);

    /// <summary>
    /// Tells the host that the contents of whole frames are not needed any more. Afterwards they read as zero, or, in
    /// a fork, possibly as the template's bytes: clear a frame before use unless it has never been allocated.
    /// </summary>
    public abstract void Discard(ulong address, ulong length);

    /// <summary>
    /// Backs a range of RAM with host pages now, in one call, so that the guest's first touches do not each fault in
    /// the host (MADV_POPULATE_WRITE). A hint: failure is ignored.
    /// </summary>
    public abstract void Populate(ulong address, ulong length);

    /// <summary>
    /// Makes image pages reachable for the guest; call it before such a page goes into a page table (the host attaches
    /// images piece by piece, because their cost goes by length). Cheap when they are reachable already.
    /// False when the range is not inside one image, or the host refuses.
    /// </summary>
    public virtual bool TryAttachImage(ulong address, ulong length) => TryGetReadOnlySpan(address, (int)Math.Min(length, int.MaxValue), out _);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>The kernel followed an address out of RAM: the sandbox's own structures are damaged and it must end.</summary>
/// <param name="address">The guest-physical address.</param>
/// <param name="length">The length asked for, in bytes.</param>
public sealed class GuestMemoryException(ulong address, int length)
    : Exception($"Guest-physical range 0x{address:x}+0x{length:x} is not RAM.");
