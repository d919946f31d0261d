using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>Page frames of RAM: who uses them, and which are free. (Being written.)</summary>
[Saved]
public sealed partial class FrameAllocator
{
    /// <summary>Takes a frame with one reference, filled with zeros unless <paramref name="zero"/> is false. False over the memory limit.</summary>
    public bool TryAllocate(out ulong frame, bool zero = true) => throw new NotImplementedException();

    /// <summary>One more user of a frame.</summary>
    public void AddReference(ulong frame) => throw new NotImplementedException();

    /// <summary>One less; the last frees it.</summary>
    public void Release(ulong frame) => throw new NotImplementedException();

    /// <summary>Bytes in use.</summary>
    public ulong UsedBytes => throw new NotImplementedException();
}
