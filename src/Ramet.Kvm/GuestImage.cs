using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// An image file that machines see as read-only physical memory. Mapped once per process and shared by all machines,
/// host page tables included. The file must not change or shrink while it is mapped. Dispose after the last machine.
/// </summary>
public sealed class GuestImage : IDisposable
{
    /// <summary>Maps an image; the descriptor may be closed afterwards.</summary>
    /// <exception cref="HostException">The file is empty or cannot be mapped.</exception>
    public GuestImage(FileDescriptor file)
    {
        Mapped = new MappedFile(file);
        if (Mapped.Length == 0)
            throw new HostException("An image file is empty: build the image again.");
    }

    /// <summary>Length of the file in bytes.</summary>
    public long Length => Mapped.Length;

    internal MappedFile Mapped { get; }

    /// <summary>Opens and maps an image file.</summary>
    /// <exception cref="HostException">The file cannot be opened or mapped.</exception>
    public static GuestImage Open(string path)
    {
        using var file = FileDescriptor.OpenRead(path);
        return new GuestImage(file);
    }

    /// <inheritdoc/>
    public void Dispose() => Mapped.Dispose();
}
