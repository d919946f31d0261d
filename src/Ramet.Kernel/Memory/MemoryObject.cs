using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>
/// What a mapping shows: pages by index (file content, shared anonymous memory, System V segments). Frames are guest-physical
/// addresses; those in RAM are counted by <see cref="FrameAllocator"/>, those of an image are not.
/// </summary>
[Saved]
public abstract partial class MemoryObject
{
    /// <summary>Areas that map this object, so that pages can be taken away from them (truncate, copy-up).</summary>
    internal List<VirtualMemoryArea> Areas = [];

    /// <summary>An area maps this object from now on.</summary>
    internal void Attach(VirtualMemoryArea area)
    {
        area.ObjectIndex = Areas.Count;
        Areas.Add(area);
        AddReference();
    }

    /// <summary>An area maps it no more. Takes the same time however many there are: a program can map one file 65530 times, and fork.</summary>
    internal void Detach(VirtualMemoryArea area)
    {
        var last = Areas[^1];
        Areas[area.ObjectIndex] = last;
        last.ObjectIndex = area.ObjectIndex;
        Areas.RemoveAt(Areas.Count - 1);
        Release();
    }

    /// <summary>Size in bytes; touching whole pages beyond it is SIGBUS.</summary>
    public abstract long Size { get; }

    /// <summary>
    /// The frame that holds a page.
    /// </summary>
    /// <param name="index">Offset / 4096.</param>
    /// <param name="forWrite">The page is about to be written through a shared mapping: it must be RAM of this object's own.</param>
    /// <param name="frame">Guest-physical address of the frame. No reference is taken: a mapping adds its own.</param>
    /// <param name="writable">Whether a shared mapping may map the frame writable.</param>
    /// <returns>EFAULT beyond the end (SIGBUS), ENOMEM over the memory limit.</returns>
    public abstract Errno GetPage(long index, bool forWrite, out ulong frame, out bool writable);

    /// <summary>A mapping of this object was made (its file stays open for it).</summary>
    public virtual void AddReference()
    {
    }

    /// <summary>A mapping is gone.</summary>
    public virtual void Release()
    {
    }

    /// <summary>
    /// Takes pages of a range out of all page tables that show them, so that the next touch asks <see cref="GetPage"/> again. Private
    /// copies stay, unless <paramref name="evenCopies"/> (truncation: they go, too).
    /// </summary>
    protected void UnmapPages(long firstIndex, long count, bool evenCopies = false)
    {
        foreach (var area in Areas) area.AddressSpace.UnmapObjectPages(area, firstIndex, count, evenCopies);
    }
}
