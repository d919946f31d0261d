using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;

namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>Guest-physical addresses of the 2 MiB pieces of images that programs have mapped as large pages.</summary>
    public IReadOnlyList<ulong> GetLargeImagePages()
    {
        lock (Lock) return [.. AddressSpaces().SelectMany(space => space.LargePages).Distinct().Order()];
    }

    /// <summary>
    /// Moves private pages of programs into one run of fresh frames: what forks of a snapshot are known to write lies together then, and the host can copy it in one
    /// go instead of one fault a page. Call it while the sandbox stands still, before <see cref="Save"/>.
    /// </summary>
    /// <param name="frames">Guest-physical addresses of the frames wanted. Those that cannot be moved (page tables, shared memory, files) stay where they are.</param>
    /// <returns>The run; its length is 0 when nothing could be moved.</returns>
    public (ulong Address, ulong Length) GatherFrames(IReadOnlySet<ulong> frames)
    {
        lock (Lock)
        {
            var pages = new List<(AddressSpace Space, ulong Address)>();
            foreach (var space in AddressSpaces())
            {
                var found = new List<ulong>();
                space.FindPrivatePages(frames.Contains, found);
                foreach (ulong address in found) pages.Add((space, address));
            }

            int count = Frames.TryAllocateRun(pages.Count, out ulong first);
            for (int i = 0; i < count; i++) pages[i].Space.MovePage(pages[i].Address, first + ((ulong)i * GuestMemory.PageSize));
            return (first, (ulong)count * GuestMemory.PageSize);
        }
    }
}
