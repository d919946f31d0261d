using Ramet.Host;
using Ramet.Images;
using Ramet.Kernel.Platform;
using Ramet.Kvm;
using ImageNode = Ramet.Kernel.Platform.ImageNode;

namespace Ramet.Sandboxes;

/// <summary>An image as sandboxes see it: its tree for the kernel, its data as read-only memory for the machine. Opened once per process.</summary>
public sealed class ImageLayer : IReadOnlyImage, IDisposable
{
    private readonly Image _image;
    private readonly Func<ImageManifest> _readManifest;
    private readonly HashSet<long> _large = [];
    private ImageManifest? _manifest;

    /// <summary>Takes an opened image over.</summary>
    public ImageLayer(Image image, Func<ImageManifest> readManifest)
    {
        _image = image;
        _readManifest = readManifest;
        using var file = FileDescriptor.OpenRead(image.DataPath);
        Data = new GuestImage(file);
        Mapped = new MappedFile(file);
    }

    /// <summary>What the image was made of, and its default environment and working directory. Read when it is first asked for: forks of a template need none.</summary>
    public ImageManifest Manifest => _manifest ??= _readManifest();

    /// <summary>The data file as guest memory.</summary>
    internal GuestImage Data { get; }

    private MappedFile Mapped { get; }

    /// <inheritdoc/>
    public string Id => _image.Id;

    /// <inheritdoc/>
    public int Root => Image.RootId;

    /// <inheritdoc/>
    public int NodeCount => _image.NodeCount;

    /// <inheritdoc/>
    public ImageNode GetNode(int node)
    {
        var found = _image.GetNode(node);
        return new ImageNode(
            found.Mode, found.Uid, found.Gid, found.LinkCount, found.Size, found.ModifiedNanoseconds, found.DeviceNumber, found.DataOffset);
    }

    /// <inheritdoc/>
    public bool TryLookup(int directory, string name, out int node) => _image.TryLookup(directory, name, out node);

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, int>> EnumerateDirectory(int directory) =>
        _image.EnumerateDirectory(directory).Select(entry => KeyValuePair.Create(entry.Name, entry.NodeId));

    /// <inheritdoc/>
    public string GetLinkTarget(int node) => _image.GetLinkTarget(node);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> ReadData(long offset, int length)
    {
        if (offset < 0 || offset >= Mapped.Length) return [];
        return Mapped.GetSpan(offset, (int)Math.Min(length, Mapped.Length - offset));
    }

    /// <summary>
    /// Copies pieces of the data to large pages, for this process or others that map the image: each costs memory and half a millisecond once, and saves a fork hundreds of page faults. Null when there is nothing
    /// to copy, or the host has no large pages.
    /// </summary>
    /// <param name="pages">Guest-physical addresses of 2 MiB pieces.</param>
    internal FileDescriptor? CopyToLargePages(IReadOnlyList<ulong> pages) => Data.CopyToLargePages(OffsetsOf(pages));

    /// <summary>Uses a copy of <see cref="CopyToLargePages"/> from here on.</summary>
    internal void UseLargePages(FileDescriptor copy, IReadOnlyList<ulong> pages) => Data.UseLargePages(copy, OffsetsOf(pages));

    /// <summary>Makes and uses large pages where that was not done yet.</summary>
    internal void UseLargePages(IReadOnlyList<ulong> pages)
    {
        lock (_large)
        {
            ulong[] missing = [.. pages.Where(page => _large.Add((long)page))];
            using var copy = CopyToLargePages(missing);
            if (copy is not null) UseLargePages(copy, missing);
        }
    }

    private static long[] OffsetsOf(IReadOnlyList<ulong> pages) => [.. pages.Select(page => (long)(page - GuestMemory.ImageBase))];

    /// <inheritdoc/>
    public void Dispose()
    {
        Mapped.Dispose();
        Data.Dispose();
        _image.Dispose();
    }
}
