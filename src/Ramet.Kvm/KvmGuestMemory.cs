using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// Guest memory as KVM memory slots over one reservation of host address space: guest-physical address = offset.
/// RAM is private: of the template in [0, its length), anonymous behind it.
/// </summary>
public sealed unsafe partial class KvmGuestMemory : GuestMemory
{
    /// <summary>RAM comes in multiples of this.</summary>
    public const ulong Granularity = 2 << 20;

    private const ulong FirstGrowth = 16 << 20;
    private const uint FirstImageSlot = 1000;

    private readonly Lock _growth = new();
    private readonly FileDescriptor _vm;
    private readonly MemoryMapping _reservation;
    private readonly byte* _base;
    private ulong _size;
    private uint _nextSlot;
    private MemoryTemplate? _template;
    private ulong _laidOut;

    internal KvmGuestMemory(FileDescriptor vm, ulong limit)
    {
        if (limit < Granularity || limit > GuestLayout.MaxRam)
            throw new ArgumentOutOfRangeException(nameof(limit), $"RAM must be from {Granularity >> 20} MiB to {GuestLayout.MaxRam >> 30} GiB; {limit} bytes were asked for.");
        _vm = vm;
        Limit = limit & ~(Granularity - 1);
        _reservation = MemoryMapping.Create((nuint)(Limit + Granularity), Libc.PROT_NONE,
            Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, null, what: "address space for guest RAM");
        // 2 MiB alignment on both sides lets the host back the guest with huge pages.
        _base = (byte*)(((nuint)_reservation.Pointer + (nuint)(Granularity - 1)) & ~(nuint)(Granularity - 1));
    }

    /// <inheritdoc/>
    public override ulong Size => Volatile.Read(ref _size);

    /// <inheritdoc/>
    public override ulong Limit { get; }

    /// <inheritdoc/>
    public override ulong ReservedSize => GuestLayout.ReservedSize;

    /// <summary>Bytes of RAM at the start that come from the template; 0 without one.</summary>
    public ulong TemplateLength { get; private set; }

    /// <summary>Starts from nothing: makes the first chunk of RAM and writes the reserved area.</summary>
    internal void Initialize()
    {
        if (!TryGrow(Math.Min(FirstGrowth, Limit)))
            throw new KvmException("The host refused the first memory of a virtual machine. Free memory on the host and try again.");
        SystemTables.Write(new Span<byte>(_base, (int)GuestLayout.ReservedSize));
        MapDirect(0, _size);
    }

    /// <summary>Makes the slot of a template of this length, over address space where nothing is mapped yet.</summary>
    internal void LayOut(ulong templateLength)
    {
        if (_size > 0 || _laidOut > 0 || templateLength > Limit)
            throw new InvalidOperationException("The machine has its memory already, or may not have as much.");
        SetSlot(_nextSlot++, 0, templateLength, _base, 0);
        _laidOut = templateLength;
    }

    /// <summary>Maps a template copy-on-write. Its reserved area is already written.</summary>
    internal void Attach(MemoryTemplate template)
    {
        if (_laidOut > 0 && _laidOut != template.Length)
            throw new InvalidOperationException("The machine was laid out for a template of another length.");
        if (template.Length > Limit)
            throw new KvmException($"The template uses {template.Length >> 20} MiB of memory, more than the limit of {Limit >> 20} MiB. Raise the memory limit.");
        // SAFETY: [0, template.Length) lies inside our own reservation, which nobody has a span of yet (Size is 0).
        var p = Libc.Map(_base, (nuint)template.Length, Libc.PROT_READ | Libc.PROT_WRITE,
            Libc.MAP_PRIVATE | Libc.MAP_NORESERVE | Libc.MAP_FIXED, template.File.Number, 0);
        GC.KeepAlive(template);
        if ((nint)p == -1)
            throw KvmException.FromLastError("Mapping the template's memory");
        if (_laidOut == 0)
            SetSlot(_nextSlot++, 0, template.Length, _base, 0);
        _template = template;
        TemplateLength = template.Length;
        Volatile.Write(ref _size, template.Length);
    }

    /// <inheritdoc/>
    public override bool TryGrow(ulong size)
    {
        lock (_growth)
        {
            if (size <= _size)
                return true;
            if (size > Limit || _reservation.IsClosed)
                return false;
            // Doubling what was grown so far keeps the slots few; a slot costs time and kernel memory by its size.
            var grown = Math.Max(FirstGrowth, _size - TemplateLength);
            var target = Math.Min(Limit, Math.Max((size + Granularity - 1) & ~(Granularity - 1), _size + grown));
            var start = _base + _size;
            var length = (nuint)(target - _size);
            // SAFETY: [_size, target) is inside our reservation and not in use.
            if (Libc.Protect(start, length, Libc.PROT_READ | Libc.PROT_WRITE) != 0)
                return false;
            Libc.Advise(start, length, Libc.MADV_HUGEPAGE);
            if (!TrySetSlot(_nextSlot, _size, length, start, 0))
                return false;
            _nextSlot++;
            var old = _size;
            Volatile.Write(ref _size, target);
            if (old > 0)
                MapDirect(old, target);
            return true;
        }
    }

    /// <summary>Extends the direct map over [from, to). Gibibytes that <paramref name="from"/> reaches into are mapped whole already.</summary>
    private void MapDirect(ulong from, ulong to)
    {
        var ram = new Span<byte>(_base, (int)GuestLayout.ReservedSize);
        for (var g = (from + (1 << 30) - 1) >> 30; g << 30 < to; g++)
            SystemTables.MapGibibyte(ram, (int)g);
    }

    /// <inheritdoc/>
    public override bool TryGetSpan(ulong address, int length, out Span<byte> span)
    {
        var size = Size;
        if (length < 0 || address > size || (ulong)length > size - address)
        {
            span = default;
            return false;
        }
        // SAFETY: the range is inside RAM, which is mapped readable and writable until Dispose (Size is 0 afterwards).
        span = new Span<byte>(_base + address, length);
        return true;
    }

    /// <inheritdoc/>
    public override bool TryGetReadOnlySpan(ulong address, int length, out ReadOnlySpan<byte> span)
    {
        if (address >= ImageBase)
            return TryGetImageSpan(address, length, out span);
        var found = TryGetSpan(address, length, out var ram);
        span = ram;
        return found;
    }

    /// <inheritdoc/>
    public override void Discard(ulong address, ulong length) => Advise(address, length, Libc.MADV_DONTNEED);

    /// <inheritdoc/>
    public override void Populate(ulong address, ulong length) => Advise(address, length, Libc.MADV_POPULATE_WRITE);

    private void Advise(ulong address, ulong length, int advice)
    {
        var size = Size;
        if (address > size || length > size - address || ((address | length) & (PageSize - 1)) != 0)
            throw new ArgumentOutOfRangeException(nameof(address), $"0x{address:x}+0x{length:x} is not a range of whole RAM pages.");
        // SAFETY: the range is inside RAM; dropping or backing pages leaves them mapped.
        if (length > 0)
            Libc.Advise(_base + address, (nuint)length, advice);
    }

    internal byte* Pointer(ulong address) => _base + address;

    private bool TrySetSlot(uint slot, ulong guestAddress, ulong length, byte* host, uint flags)
    {
        var region = new KvmMemoryRegion { Slot = slot, Flags = flags, GuestAddress = guestAddress, Size = length, HostAddress = (ulong)host };
        // SAFETY: the struct is on our stack; the host range stays mapped until the VM is closed.
        return Libc.Ioctl(_vm, KvmAbi.KVM_SET_USER_MEMORY_REGION, (nint)(&region)) == 0;
    }

    private void SetSlot(uint slot, ulong guestAddress, ulong length, byte* host, uint flags)
    {
        if (!TrySetSlot(slot, guestAddress, length, host, flags))
            throw KvmException.FromLastError($"Adding {length >> 20} MiB of memory to a virtual machine");
    }

    /// <summary>Unmaps RAM. The VM and its vCPUs must be closed before.</summary>
    public override void Dispose()
    {
        lock (_growth)
        {
            Volatile.Write(ref _size, 0);
            _reservation.Dispose();
        }
        ReleaseImages();
    }
}
