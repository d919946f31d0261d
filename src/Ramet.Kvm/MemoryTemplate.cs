using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// The frozen RAM of a machine, from which others are forked: a sealed memory file whose bytes [0, <see cref="Length"/>)
/// are guest-physical addresses [0, Length). Pages that are all zero are holes. Dispose after the last fork is made
/// (forks that exist keep the memory by themselves).
/// </summary>
public sealed class MemoryTemplate : IDisposable
{
    /// <summary>Takes ownership of a file that <see cref="KvmGuestMemory.Freeze"/> made, here or in another process.</summary>
    /// <exception cref="HostException">It is not a sealed memory file, or not a whole number of 2 MiB pages.</exception>
    public MemoryTemplate(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        File = file;
        Length = (ulong)file.GetLength();
        if (!MemoryFile.IsSealed(file))
            throw new HostException("A template's memory must be a sealed memory file: write it, then seal it (MemoryFile.Seal).");
        if (Length < GuestLayout.ReservedSize || Length % KvmGuestMemory.Granularity != 0 || Length > GuestLayout.MaxRam)
            throw new HostException($"A template's memory of {Length} bytes is not a whole number of 2 MiB pages: the template is damaged. Build it again.");
    }

    /// <summary>The sealed memory file.</summary>
    public FileDescriptor File { get; }

    /// <summary>Bytes of RAM; a multiple of 2 MiB.</summary>
    public ulong Length { get; }

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();
}
