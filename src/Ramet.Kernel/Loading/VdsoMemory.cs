using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Loading;

/// <summary>The vvar page and the vDSO's code as an object to map, read-only, one after the other. One per sandbox, shared by all processes.</summary>
[Saved]
public sealed partial class VdsoMemory : MemoryObject
{
    private ulong[] _frames = [];

    private VdsoMemory()
    {
    }

    /// <inheritdoc/>
    public override long Size => _frames.Length * (long)AddressLayout.PageSize;

    /// <summary>Allocates and fills the pages. Null over the memory limit.</summary>
    public static VdsoMemory? Create(Kernel kernel)
    {
        ulong[] frames = new ulong[1 + VdsoImage.PageCount];
        for (int i = 0; i < frames.Length; i++)
        {
            if (!kernel.Frames.TryAllocate(out frames[i])) return null;
            if (i > 0) VdsoImage.Bytes.Slice((i - 1) * GuestMemory.PageSize, GuestMemory.PageSize).CopyTo(kernel.Machine.Memory.GetSpan(frames[i], GuestMemory.PageSize));
        }

        return new VdsoMemory { _frames = frames };
    }

    /// <summary>
    /// Writes the vvar page from a new reading of the clocks: after a fork or a restore, before the first instruction, and from time to time, because the host's clock is
    /// disciplined and the counter is not.
    /// </summary>
    public void Update(Kernel kernel) => VvarPage.Write(
        kernel.Machine.Memory.GetSpan(_frames[0], GuestMemory.PageSize), kernel.Machine.ReadTscClock(), kernel.MonotonicOffset, kernel.Generation);

    /// <inheritdoc/>
    public override Errno GetPage(long index, bool forWrite, out ulong frame, out bool writable)
    {
        writable = false;
        bool present = !forWrite && (ulong)index < (ulong)_frames.Length;
        frame = present ? _frames[index] : 0;
        return present ? Errno.None : Errno.EFAULT;
    }
}
