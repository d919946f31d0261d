namespace Ramet.Host;

/// <summary>
/// A read-only mapping of a whole file. The file must not be shortened while it is mapped (a read past its end
/// would end the process with SIGBUS): map only files that nobody else writes, such as sealed memory and images.
/// </summary>
public sealed class MappedFile : IDisposable
{
    private readonly MemoryMapping? _mapping;

    /// <summary>Maps a file by descriptor, which may be closed afterwards.</summary>
    /// <param name="file">The file.</param>
    /// <param name="isSealed">It is a memory file sealed against writing: Linux before 6.7 refuses shared mappings of such.</param>
    /// <exception cref="HostException">The file cannot be mapped.</exception>
    public MappedFile(FileDescriptor file, bool isSealed = false)
    {
        ArgumentNullException.ThrowIfNull(file);
        Length = file.GetLength();
        if (Length > 0)
            _mapping = MemoryMapping.Create((nuint)Length, Libc.PROT_READ, isSealed ? Libc.MAP_PRIVATE : Libc.MAP_SHARED, file, what: "a file");
    }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Opens and maps a file.</summary>
    /// <exception cref="HostException">The file cannot be opened or mapped.</exception>
    public static MappedFile Open(string path)
    {
        using var file = FileDescriptor.OpenRead(path);
        return new MappedFile(file);
    }

    /// <summary>Bytes of the file. The span must not outlive this object.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    public unsafe ReadOnlySpan<byte> GetSpan(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        if (_mapping is null)
            return default;
        ObjectDisposedException.ThrowIf(_mapping.IsClosed, this);
        // SAFETY: offset and length were checked against the mapped length.
        return new ReadOnlySpan<byte>(_mapping.Pointer + offset, length);
    }

    internal unsafe byte* Pointer => _mapping is null ? null : _mapping.Pointer;

    internal MemoryMapping? Mapping => _mapping;

    /// <inheritdoc/>
    public void Dispose() => _mapping?.Dispose();
}
