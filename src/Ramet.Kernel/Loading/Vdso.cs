using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Loading;

/// <summary>The vDSO of a sandbox: the vvar page and the code behind it, mapped read-only by every program, shared by all.</summary>
[Saved]
public sealed partial class Vdso : MemoryObject
{
    private const long StaleAfter = 1_000_000_000;

    private Kernel _kernel = null!;
    private ulong[] _frames = [];

    [NotSaved]
    private long _refreshed;

    private Vdso()
    {
    }

    /// <inheritdoc/>
    public override long Size => _frames.Length * (long)AddressLayout.PageSize;

    /// <summary>Allocates and fills the pages.</summary>
    /// <exception cref="InvalidOperationException">The memory limit leaves no room for them.</exception>
    public static Vdso Create(Kernel kernel)
    {
        ulong[] frames = new ulong[1 + VdsoImage.PageCount];
        for (int i = 0; i < frames.Length; i++)
        {
            if (!kernel.Frames.TryAllocate(out frames[i])) throw new InvalidOperationException("The memory limit is too small for any program.");
            if (i > 0) VdsoImage.Bytes.Slice((i - 1) * GuestMemory.PageSize, GuestMemory.PageSize).CopyTo(kernel.Machine.Memory.GetSpan(frames[i], GuestMemory.PageSize));
        }

        var vdso = new Vdso { _kernel = kernel, _frames = frames };
        vdso.Refresh();
        return vdso;
    }

    /// <summary>Writes the vvar page from a new reading of the clocks: at the start, and after a fork or a restore before the first instruction.</summary>
    public void Refresh() => Refresh(neverBack: false);

    /// <summary>
    /// Reads the clocks again if the last reading is old: the host's clocks are disciplined and the counter is not, so they drift apart. Called by system calls
    /// that have to do with time, so that a program's view and the kernel's stay together. The monotonic clock is not set back by it.
    /// </summary>
    public void RefreshIfStale()
    {
        if (_kernel.MonotonicNow - _refreshed > StaleAfter) Refresh(neverBack: true);
    }

    /// <summary>Maps vvar at this address and the code behind it.</summary>
    public Errno Map(AddressSpace space, ulong address)
    {
        var error = Map(space, address, AddressLayout.PageSize, 0, MemoryProtection.PROT_READ, "[vvar]");
        if (error != Errno.None) return error;
        ulong code = (ulong)Size - AddressLayout.PageSize;
        return Map(space, address + AddressLayout.PageSize, code, (long)AddressLayout.PageSize, MemoryProtection.PROT_READ | MemoryProtection.PROT_EXEC, "[vdso]");
    }

    /// <inheritdoc/>
    public override Errno GetPage(long index, bool forWrite, out ulong frame, out bool writable)
    {
        writable = false;
        bool present = !forWrite && (ulong)index < (ulong)_frames.Length;
        frame = present ? _frames[index] : 0;
        return present ? Errno.None : Errno.EFAULT;
    }

    private Errno Map(AddressSpace space, ulong address, ulong length, long offset, MemoryProtection protection, string label) => space.Map(
        new MappingRequest
        {
            Address = address,
            Length = length,
            Protection = protection,
            Flags = MappingFlags.MAP_PRIVATE | MappingFlags.MAP_FIXED,
            Object = this,
            Offset = offset,
            Label = label,
            AreaFlags = AreaFlags.Special,
        },
        out _);

    private void Refresh(bool neverBack)
    {
        _refreshed = _kernel.MonotonicNow;
        var page = _kernel.Machine.Memory.GetSpan(_frames[0], GuestMemory.PageSize);
        var clock = _kernel.Machine.ReadTscClock();
        long offset = _kernel.MonotonicOffset;
        if (neverBack && clock is { } reading) offset += Math.Max(0, VvarPage.MonotonicAt(page, reading.Tsc) - (reading.MonotonicNanoseconds + offset));
        if (clock is { } real) clock = real with { RealtimeNanoseconds = real.RealtimeNanoseconds + _kernel.RealtimeOffset };
        VvarPage.Write(page, clock, offset, _kernel.Generation);
    }
}
