using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// A sandbox at one moment: its processes, threads, open files, pipes, timers and connections within it, and what its memory holds beyond its template. Any number of sandboxes can
/// go on from there; each is new in identity, randomness and generation number, and its monotonic clock goes on from the moment of the snapshot.
/// </summary>
public sealed class SandboxSnapshot : IDisposable
{
    private int _users = 1;

    internal SandboxSnapshot(Template? template, ImageLayer image, MemoryDelta memory, ReadOnlyMemory<byte> state, IReadOnlyList<MemoryRange> imageRanges, SandboxOptions options)
    {
        Template = template;
        Image = image;
        Memory = memory;
        State = state;
        ImageRanges = imageRanges;
        Options = options;
    }

    /// <summary>Bytes that it takes: pages that differ from the template, and kernel state.</summary>
    public long Length => (long)Memory.Length + State.Length;

    /// <summary>How long the sandbox stood still for it, ns.</summary>
    public long PauseNanoseconds { get; internal init; }

    /// <summary>What the host of a live sandbox knew of it at that moment.</summary>
    internal Hosting.LiveState? Live { get; init; }

    /// <summary>The template below it; null when it was started from an image.</summary>
    internal Template? Template { get; }

    internal ImageLayer Image { get; }

    internal MemoryDelta Memory { get; }

    internal ReadOnlyMemory<byte> State { get; }

    /// <summary>Its strings, once for all that is loaded from it.</summary>
    internal Kernel.State.StateStrings Strings { get; } = new();

    internal IReadOnlyList<MemoryRange> ImageRanges { get; }

    /// <summary>Limits of the sandbox that it was taken of.</summary>
    internal SandboxOptions Options { get; }

    /// <summary>A sandbox that maps its memory.</summary>
    internal SandboxSnapshot AddUser()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    /// <summary>No more sandboxes will be made of it; those that there are keep what they need.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) == 0) Memory.Dispose();
    }
}
