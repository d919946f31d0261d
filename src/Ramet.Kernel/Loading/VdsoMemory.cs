using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Loading;

/// <summary>The vDSO of a sandbox: the vvar page and the code behind it, mapped read-only by every program, shared by all.</summary>
[Saved]
public sealed partial class VdsoMemory : MemoryObject
{
    private const long StaleAfter = 1_000_000_000;

    private Kernel _kernel = null!;
    private ulong[] _frames = [];

    [NotSaved]
    private long _refreshed;

    private VdsoMemory()
    {
    }

    /// <inheritdoc/>
    public override long Size => _frames.Length * (long)AddressLayout.PageSize;

    /// <summary>Allocates the pages and fills those with the code. Null over the memory limit.</summary>
    public static VdsoMemory? Create(Kernel kernel)
    {
        ulong[] frames = new ulong[1 + VdsoImage.PageCount];
        for (int i = 0; i < frames.Length; i++)
        {
            if (!kernel.Frames.TryAllocate(out frames[i])) return null;
            if (i > 0) VdsoImage.Bytes.Slice((i - 1) * GuestMemory.PageSize, GuestMemory.PageSize).CopyTo(kernel.Machine.Memory.GetSpan(frames[i], GuestMemory.PageSize));
        }

        return new VdsoMemory { _kernel = kernel, _frames = frames };
    }

    /// <summary>Writes the vvar page from a new reading of the clocks: at the start, and after a fork or a restore before the first instruction.</summary>
    public void Update(Kernel kernel) => Refresh(neverBack: false);

    /// <summary>
    /// Reads the clocks again if the last reading is old: the host's clocks are disciplined and the counter is not, so they drift apart. Called by system calls
    /// that have to do with time, so that a program's view and the kernel's stay together. The monotonic clock is not set back by it.
    /// </summary>
    public void RefreshIfStale()
    {
        if (_kernel.MonotonicNow - _refreshed > StaleAfter) Refresh(neverBack: true);
    }

    /// <inheritdoc/>
    public override Errno GetPage(long index, bool forWrite, out ulong frame, out bool writable)
    {
        writable = false;
        bool present = !forWrite && (ulong)index < (ulong)_frames.Length;
        frame = present ? _frames[index] : 0;
        return present ? Errno.None : Errno.EFAULT;
    }

    private void Refresh(bool neverBack)
    {
        _refreshed = _kernel.MonotonicNow;
        var page = _kernel.Machine.Memory.GetSpan(_frames[0], GuestMemory.PageSize);
        var clock = _kernel.Machine.ReadTscClock();
        long offset = _kernel.MonotonicOffset;
        if (neverBack && clock is { } reading) offset += Math.Max(0, VvarPage.MonotonicAt(page, reading.Tsc) - (reading.MonotonicNanoseconds + offset));
        VvarPage.Write(page, clock, offset, _kernel.Generation);
    }
}
